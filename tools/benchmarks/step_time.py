"""Time one training step of AdaTAD against a plain restatement, and what every switch costs.

    python tools/benchmarks/step_time.py

VideoMAE-S, 64 frames at 96 x 96, ActionFormer with 512 channels and 6 levels, batch 1, fp32, two
threads. A step is forward, backward, clipping and AdamW. Two encoders take turns, so that a busy
machine slows them alike. The restatement has MMAction2's explicit attention, the
adapter on [positions, channels, time] tensors made by permute, frames normalised at once, and
PyTorch's checkpoint per block.
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
PLAIN = dict(type="restatement", checkpointing=False)
PLAIN_RECOMPUTED = dict(type="restatement", checkpointing=True)
OURS = dict(type="VideoEncoder", adapter=dict(type="TIA"))
RECOMPUTED = dict(OURS, checkpointing=True)
SIDE = dict(type="SideVideoEncoder", adapter=dict(type="TIA"))
TUNED = dict(type="VideoEncoder", frozen=False)
# What is timed -> (its encoder, the encoder that it takes turns with)
PAIRS: dict[str, tuple[dict, dict]] = {
    "inside vs restatement": (OURS, PLAIN),
    "inside vs restatement, both checkpointing": (RECOMPUTED, PLAIN_RECOMPUTED),
    "checkpointing": (RECOMPUTED, OURS),
    "clips_per_group=1": (dict(RECOMPUTED, clips_per_group=1), RECOMPUTED),
    "clips_per_group=2": (dict(RECOMPUTED, clips_per_group=2), RECOMPUTED),
    "checkpoint_every=2": (dict(RECOMPUTED, checkpoint_every=2), RECOMPUTED),
    "checkpoint_every=4": (dict(RECOMPUTED, checkpoint_every=4), RECOMPUTED),
    "stream_dtype=bfloat16": (dict(RECOMPUTED, stream_dtype="bfloat16"), RECOMPUTED),
    "side vs inside": (SIDE, OURS),
    "side, checkpointing": (dict(SIDE, checkpointing=True), SIDE),
    "side, clips_per_group=1": (dict(SIDE, clips_per_group=1), SIDE),
    "full fine-tuning vs inside": (TUNED, OURS),
    "full fine-tuning, checkpointing": (dict(TUNED, checkpointing=True), TUNED),
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


def take_turns(first: Callable, second: Callable, rounds: int) -> tuple[list, list]:
    """Times of two steps in seconds, round by round, after two rounds of warm-up."""
    times: tuple[list, list] = ([], [])
    for number in range(-2, rounds):
        turns = [(first, times[0]), (second, times[1])]
        for step, found in turns if number % 2 else reversed(turns):
            start = time.perf_counter()
            step()
            if number >= 0:
                found.append(time.perf_counter() - start)
    return times


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="timed steps of either encoder")
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--size", type=int, default=96, help="height and width of the frames")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", help="pairs whose name holds one of these words")
    return parser.parse_args()


def main() -> None:
    """Time every pair and print medians and ratios."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    MMLogger.get_instance("step_time", log_level="ERROR")
    table = Table(title=f"One training step, {args.frames} frames at {args.size} x {args.size}")
    table.add_column("what")
    for title in ("it", "the other", "ratio of medians", "of minima", "median ratio"):
        table.add_column(title, justify="right")
    for name, encoders in PAIRS.items():
        if args.only and not any(word in name for word in args.only):
            continue
        steps = [make_step(build(e, args.frames), args.frames, args.size) for e in encoders]
        own, other = take_turns(*steps, args.rounds)
        ratios = [a / b for a, b in zip(own, other, strict=True)]
        values = (median(own) / median(other), min(own) / min(other), median(ratios))
        seconds = (f"{median(each):.3f} s" for each in (own, other))
        table.add_row(name, *seconds, *(f"{value:.2f}" for value in values))
        Console(stderr=True).print(f"{name}: {values[0]:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
