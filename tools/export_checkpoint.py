"""Write a checkpoint for release: the weights of the whole model in one file, nothing else.

A checkpoint of a training holds the weights twice (averaged and live), the state of the optimiser,
and not the frozen backbone. The exported file holds the averaged weights and the frozen backbone,
so that tools/test.py and tools/infer.py need no other file. Class names and the config of the
training stay inside. Example:

    python tools/export_checkpoint.py configs/adatad/NAME.py work_dirs/NAME/epoch_60.pth adatad.pth
"""

import argparse
import os
import os.path as osp
import sys
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.registry import DefaultScope
from torch import Tensor

from mmtad.apis.cli import run_cli
from mmtad.apis.model_setup import build_model, find_classes, open_config
from mmtad.checkpoints import describe_encoder, load_checkpoint_safely
from mmtad.checkpoints.detector import ENCODER
from mmtad.engine.frozen_part import file_sha256

KEPT = ("epoch", "iter", "seed", "time", "mmengine_version", "experiment_name", "cfg")


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", help="config file that the checkpoint was trained with")
    parser.add_argument("checkpoint", help="checkpoint file of the training (.pth)")
    parser.add_argument("out", help="file to write (.pth)")
    parser.add_argument(
        "--half",
        action="store_true",
        help="store the weights in half precision (float16): half the size; they are turned back "
        "when they are loaded, detections differ in the last digits",
    )
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")
    return parser.parse_args()


def check_out(args: argparse.Namespace, pretrained: str | None = None) -> None:
    """Refuse to write over what the export reads, or over any file without ``--force``."""
    for source in (args.checkpoint, args.config, pretrained):
        if source and osp.realpath(args.out) == osp.realpath(source):
            raise ValueError(f"{args.out} is read for the export; name another file to write")
    if osp.exists(args.out) and not args.force:
        raise ValueError(f"{args.out} exists; give --force to replace it")


def halve(value: Tensor) -> Tensor:
    """A single-precision tensor in half precision, unless it has numbers that would overflow."""
    if value.dtype not in (torch.float32, torch.float64):
        return value
    half = value.half()
    return half if torch.equal(half.isfinite(), value.isfinite()) else value


def export(config: str, checkpoint: str, half: bool) -> dict[str, Any]:
    """Make the content of the exported file.

    Args:
        config: Config of the training.
        checkpoint: Its checkpoint, whole or without the frozen backbone.
        half: Whether to store the weights in half precision.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If the checkpoint does not fit the config or its frozen backbone cannot be
            found.
    """
    cfg = open_config(config)
    loaded = load_checkpoint_safely(checkpoint)
    classes = find_classes(loaded, cfg.test_dataloader.dataset)
    with DefaultScope.overwrite_default_scope(cfg.get("default_scope") or "mmtad"):
        model = build_model(cfg, loaded, checkpoint)
    weights = {key: value.cpu().clone() for key, value in model.state_dict().items()}
    if half:
        weights = {key: halve(value) for key, value in weights.items()}
    old = loaded.get("meta") if isinstance(loaded, Mapping) else None
    old = old if isinstance(old, Mapping) else {}
    meta = {key: old[key] for key in KEPT if key in old}
    meta.setdefault("cfg", cfg.pretty_text)
    if encoder := describe_encoder(model):
        meta[ENCODER] = encoder
    meta["dataset_meta"] = {**(old.get("dataset_meta") or {}), "classes": list(classes)}
    return dict(meta=meta, state_dict=weights)


def main() -> None:
    """Read, fill in, write.

    Raises:
        ValueError: If the file to write is one that is read, or exists.
    """
    args = parse_args()
    encoder = open_config(args.config).model.get("backbone") or {}
    check_out(args, encoder.get("pretrained"))
    exported = export(args.config, args.checkpoint, args.half)
    os.makedirs(osp.dirname(osp.abspath(args.out)), exist_ok=True)
    torch.save(exported, f"{args.out}.part")
    os.replace(f"{args.out}.part", args.out)
    size, count = osp.getsize(args.out), len(exported["state_dict"])
    print(
        f"{args.out}: {count} entries, {size / 2**20:.1f} MiB, SHA-256 {file_sha256(args.out)[:8]}"
    )


if __name__ == "__main__":
    sys.exit(run_cli(main))
