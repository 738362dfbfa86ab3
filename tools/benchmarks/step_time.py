"""Time one training step of AdaTAD against a plain restatement, and what every switch costs.

    python tools/benchmarks/step_time.py

VideoMAE-S, 64 frames at 96 x 96, ActionFormer with 512 channels and 6 levels, batch 1, fp32, two
threads. A step is forward, backward, clipping and AdamW. All variants take turns, so that a busy
machine slows them alike. The restatement has MMAction2's explicit attention, the adapter on
[positions, channels, time] tensors made by permute, frames normalised at once, and PyTorch's
checkpoint per block.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData
from restatement import Restatement, vit
from rich.console import Console
from rich.table import Table
from torch import nn

from mmtad.registry import MODELS
from mmtad.structures import TADDataSample, TemporalGrid

VIT = vit("S")
OURS = dict(type="VideoEncoder", adapter=dict(type="TIA"))
SIDE = dict(type="SideVideoEncoder", adapter=dict(type="TIA"))
RECOMPUTED = dict(OURS, checkpointing=True)
VARIANTS: dict[str, dict] = {
    "restatement": dict(type="restatement", checkpointing=False),
    "restatement, checkpointing": dict(type="restatement", checkpointing=True),
    "inside": OURS,
    "inside, checkpointing": RECOMPUTED,
    "  + clips_per_group=1": dict(RECOMPUTED, clips_per_group=1),
    "  + checkpoint_every=2": dict(RECOMPUTED, checkpoint_every=2),
    "  + checkpoint_every=4": dict(RECOMPUTED, checkpoint_every=4),
    "  + stream_dtype": dict(RECOMPUTED, stream_dtype="bfloat16"),
    "side": SIDE,
    "side, checkpointing": dict(SIDE, checkpointing=True),
    "side, clips_per_group=1": dict(SIDE, clips_per_group=1),
    "full fine-tuning": dict(type="VideoEncoder", frozen=False),
    "full fine-tuning, checkpointing": dict(type="VideoEncoder", frozen=False, checkpointing=True),
}


def build(encoder: dict, frames: int) -> nn.Module:
    """A detector with this encoder."""
    config = dict(encoder)
    own = None
    if config["type"] == "restatement":
        own = Restatement(VIT, config["checkpointing"])
        config = None
    else:
        config["backbone"] = VIT
    model = MODELS.build(
        dict(
            type="TADDetector",
            data_preprocessor=dict(
                type="mmtad.TADDataPreprocessor", defer_normalization=config is not None
            ),
            backbone=config,
            projection=dict(
                type="ConvTransformerProjection",
                in_channels=VIT["embed_dims"],
                window=-1,
                max_seq_len=frames,
                preset="opentad",
            ),
            neck=dict(type="FPNIdentity", preset="opentad"),
            head=dict(type="ActionFormerHead", num_classes=20, preset="opentad"),
        )
    )
    if own is not None:
        model.backbone = own
    return model.train()


def make_step(model: nn.Module, frames: int, size: int) -> Callable[[], None]:
    """One training step on random frames."""
    generator = torch.Generator().manual_seed(0)
    clip = torch.randint(0, 256, (3, frames, size, size), generator=generator, dtype=torch.uint8)
    sample = TADDataSample(
        metainfo=dict(grid=TemporalGrid(origin=0, step=0.1, length=frames, duration=frames / 10))
    )
    sample.gt_instances = InstanceData(
        segments=torch.tensor([[4.0, 12.0], [20.0, 50.0]]), labels=torch.tensor([0, 3])
    )
    batch = dict(inputs=[clip], masks=[torch.ones(frames, dtype=torch.bool)], data_samples=[sample])
    trained = [p for p in model.parameters() if p.requires_grad]
    # RoleOptimWrapperConstructor takes the fused kernel; PyTorch by itself does not on a CPU.
    fused = not isinstance(model.backbone, Restatement)
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=fused)

    def step() -> None:
        losses = model(**model.data_preprocessor(batch, True), mode="loss")
        sum(v for k, v in losses.items() if "loss" in k).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="timed steps of every variant")
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--size", type=int, default=96, help="height and width of the frames")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", help="variants whose name holds one of these words")
    return parser.parse_args()


def main() -> None:
    """Time every variant in turns and print medians and ratios."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    MMLogger.get_instance("step_time", log_level="ERROR")
    chosen = {
        name: encoder
        for name, encoder in VARIANTS.items()
        if not args.only or any(word in name for word in args.only)
    }
    steps = {
        name: make_step(build(encoder, args.frames), args.frames, args.size)
        for name, encoder in chosen.items()
    }
    times: dict[str, list[float]] = {name: [] for name in steps}
    for round_number in range(args.rounds + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if round_number:
                times[name].append(time.perf_counter() - start)
    medians = {name: median(values) for name, values in times.items()}
    table = Table(title=f"One training step, {args.frames} frames at {args.size} x {args.size}")
    table.add_column("encoder")
    for title in ("median", "vs restatement", "vs restatement, checkpointing"):
        table.add_column(title, justify="right")
    for name, value in medians.items():
        ratios = [medians.get("restatement"), medians.get("restatement, checkpointing")]
        table.add_row(
            name,
            f"{value * 1000:.0f} ms",
            *("-" if other is None else f"{value / other:.2f}" for other in ratios),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
