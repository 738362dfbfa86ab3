"""What every memory switch does to the gradients of the adapters.

    python tools/benchmarks/gradient_check.py

Cosine similarity, over all adapters together and for the adapter that comes off worst, with the
plain run in fp32 without any switch: same weights, same frames, drop-path off, adapters awake.
Weights are random: trained ones have larger activations here and there.
"""

import argparse

import torch
import torch.nn.functional as F
from mmengine.logging import MMLogger
from restatement import SIZES, vit
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from mmtad.registry import MODELS

RECOMPUTED = dict(checkpointing=True)
BOTH = dict(frozen_dtype="bfloat16", stream_dtype="bfloat16")
# Name -> (arguments of the encoder, dtype of autocast)
SWITCHES: dict[str, tuple[dict, torch.dtype | None]] = {
    "checkpointing": (RECOMPUTED, None),
    "+ clips_per_group=1": (dict(RECOMPUTED, clips_per_group=1), None),
    "+ checkpoint_every=4": (dict(RECOMPUTED, checkpoint_every=4), None),
    "+ offload": (dict(RECOMPUTED, offload=True), None),
    "+ stream_dtype=bfloat16": (dict(RECOMPUTED, stream_dtype="bfloat16"), None),
    "+ stream_dtype=float16": (dict(RECOMPUTED, stream_dtype="float16"), None),
    "frozen_dtype=bfloat16": (dict(frozen_dtype="bfloat16"), None),
    "frozen_dtype=float16": (dict(frozen_dtype="float16"), None),
    "autocast in bfloat16 alone": ({}, torch.bfloat16),
    "autocast, half stream, half weights": (dict(RECOMPUTED, **BOTH), torch.bfloat16),
    "the same, checkpoint_every=4, groups of 1": (
        dict(RECOMPUTED, **BOTH, checkpoint_every=4, clips_per_group=1),
        torch.bfloat16,
    ),
}


def build(kind: str, size: str, **switches) -> nn.Module:
    """An encoder whose adapters contribute as trained ones do."""
    torch.manual_seed(0)
    backbone = dict(vit(size), drop_path_rate=0.0)
    model = MODELS.build(dict(type=kind, backbone=backbone, adapter=dict(type="TIA"), **switches))
    for adapter in model.adapters:
        nn.init.normal_(adapter.up_proj.weight, std=0.02)
    return model.train()


def gradients(model: nn.Module, frames: Tensor, dtype: torch.dtype | None) -> list[Tensor]:
    """Gradients of a fixed random projection of the features, one vector per adapter."""
    with torch.autocast("cpu", dtype=dtype or torch.bfloat16, enabled=dtype is not None):
        features = model(frames)
    weights = torch.randn(features.shape, generator=torch.Generator().manual_seed(1))
    (features.float() * weights).sum().backward()
    return [torch.cat([p.grad.double().flatten() for p in a.parameters()]) for a in model.adapters]


def main() -> None:
    """Compare every switch of both placements with the plain run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=list(SIZES), default="S")
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--resolution", type=int, default=96)
    args = parser.parse_args()
    MMLogger.get_instance("gradient_check", log_level="ERROR")
    shape = (1, 3, args.frames, args.resolution, args.resolution)
    frames = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    table = Table(title=f"Cosine with the plain run, VideoMAE-{args.size}")
    for title in ("switches", "inside", "worst adapter", "side", "worst adapter"):
        table.add_column(title, justify="left" if title == "switches" else "right")
    plain = {
        kind: gradients(build(kind, args.size), frames, None)
        for kind in ("VideoEncoder", "SideVideoEncoder")
    }
    for name, (switches, dtype) in SWITCHES.items():
        cells = []
        for kind, expected in plain.items():
            if kind == "SideVideoEncoder" and "checkpoint_every" in switches:
                cells += ["-", "-"]
                continue
            found = gradients(build(kind, args.size, **switches), frames, dtype)
            pairs = list(zip(found, expected, strict=True))
            each = [F.cosine_similarity(a, b, dim=0).item() for a, b in pairs]
            whole = F.cosine_similarity(torch.cat(found), torch.cat(expected), dim=0).item()
            cells += [f"{whole:.6f}", f"{min(each):.6f}"]
        table.add_row(name, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
