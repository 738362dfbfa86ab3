"""Peak memory of the encoder in training, without a GPU and without computing anything.

    python tools/benchmarks/encoder_memory.py

Forward and backward of the backbone alone with a TIA in every block (inside) or in the last half
(side), batch 1, bf16 autocast, 16-frame clips. Live tensor storages are counted on fake tensors:
weights, gradients, saved activations and temporaries, but neither the frames that come in nor the
CUDA context.
"""

import argparse
import time

import torch
from mmengine.logging import MMLogger
from restatement import SIZES, Restatement, vit
from rich.console import Console
from rich.table import Table
from torch import nn

from mmtad.apis.fake_run import fake_mode
from mmtad.apis.gpu_behaviour import RealConstants
from mmtad.apis.storage_log import StorageLog
from mmtad.registry import MODELS

GIB = 2**30
HALF = dict(stream_dtype="bfloat16", frozen_dtype="bfloat16")
GROUPS = dict(HALF, clips_per_group=8)
ROWS: dict[str, dict] = {
    "restatement": dict(type="restatement", checkpointing=False),
    "restatement, checkpointing": dict(type="restatement", checkpointing=True),
    "inside": dict(type="VideoEncoder"),
    "inside, checkpointing": dict(type="VideoEncoder", checkpointing=True),
    "  clips_per_group=8": dict(type="VideoEncoder", checkpointing=True, clips_per_group=8),
    "  + half stream, half weights": dict(type="VideoEncoder", checkpointing=True, **GROUPS),
    "  + checkpoint_every=4": dict(
        type="VideoEncoder", checkpointing=True, checkpoint_every=4, **GROUPS
    ),
    "side": dict(type="SideVideoEncoder"),
    "side, half, clips_per_group=8": dict(type="SideVideoEncoder", **GROUPS),
    "side, the same, checkpointing": dict(type="SideVideoEncoder", checkpointing=True, **GROUPS),
}


def build(encoder: dict, size: str) -> nn.Module:
    """The encoder to measure, in training mode."""
    if encoder["type"] == "restatement":
        return Restatement(vit(size), encoder["checkpointing"]).train()
    return MODELS.build(dict(encoder, backbone=vit(size), adapter=dict(type="TIA"))).train()


def peak(encoder: dict, size: str, frames: int, resolution: int) -> int:
    """Bytes at the peak of forward and backward."""
    log = StorageLog()
    with fake_mode():
        with RealConstants():
            model = build(encoder, size)
        log.tag([*model.parameters(), *model.buffers()], "weights", always=True)
        if encoder["type"] == "restatement":
            arguments = (torch.empty(1, 3, frames, resolution, resolution), frames // 2)
        else:
            clip = torch.empty(1, 3, frames, resolution, resolution, dtype=torch.uint8)
            arguments = (clip, None, lambda x: x.float())
        inputs = log.tag(arguments[0], "frames", always=True)
        with log:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = model(*arguments).float().mean()
            loss.backward()
    return log.peak().total - inputs


def main() -> None:
    """Measure every row at every size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--frames", type=int, default=768)
    parser.add_argument("--resolution", type=int, default=160)
    parser.add_argument("--only", nargs="+", help="rows whose name holds one of these words")
    args = parser.parse_args()
    MMLogger.get_instance("encoder_memory", log_level="ERROR")
    table = Table(title=f"GiB, {args.frames} frames at {args.resolution} x {args.resolution}")
    table.add_column("encoder")
    for size in args.sizes:
        table.add_column(size, justify="right")
    for name, encoder in ROWS.items():
        if args.only and not any(word in name for word in args.only):
            continue
        start = time.perf_counter()
        values = [peak(encoder, size, args.frames, args.resolution) / GIB for size in args.sizes]
        table.add_row(name, *(f"{value:.2f}" for value in values))
        Console(stderr=True).print(f"{name}: {time.perf_counter() - start:.0f} s")
    Console().print(table)


if __name__ == "__main__":
    main()
