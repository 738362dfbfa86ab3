"""Train a temporal action detector (or anything else that an MMEngine config describes)."""

import argparse
import os
import os.path as osp
import sys

from mmengine.config import Config
from mmengine.runner import Runner

import mmtad  # noqa: F401  (mends the installed stack)
from mmtad.apis.cli import add_runner_arguments, read_config, run_cli


def parse_args() -> argparse.Namespace:
    """Command line; the arguments are those of every MMEngine project."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file, e.g. configs/quickstart/...py")
    parser.add_argument(
        "--work-dir", help="folder for logs and checkpoints (default: work_dirs/<config name>)"
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        help="continue from the last checkpoint of the work dir, or from the file given",
    )
    parser.add_argument(
        "--amp",
        action=argparse.BooleanOptionalAction,
        help="mixed precision (bfloat16 on a CPU), or none, whatever the config says",
    )
    parser.add_argument(
        "--auto-scale-lr",
        action="store_true",
        help="scale the learning rates by (actual batch size / batch size of the config)",
    )
    parser.add_argument("--seed", type=int, help="random seed instead of the config's")
    add_runner_arguments(parser)
    args = parser.parse_args()
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    return args


def merge(cfg: Config, args: argparse.Namespace) -> Config:
    """Put the command line into the config.

    Raises:
        ValueError: If ``--auto-scale-lr`` is asked of a config without ``auto_scale_lr``.
    """
    cfg.launcher = args.launcher
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    name = osp.splitext(osp.basename(args.config))[0]
    cfg.work_dir = args.work_dir or cfg.get("work_dir") or osp.join("work_dirs", name)
    if args.seed is not None:
        cfg.randomness = dict(cfg.get("randomness", {}), seed=args.seed)
    if args.amp:
        cfg.optim_wrapper.type = "AmpOptimWrapper"
    elif args.amp is False:
        cfg.optim_wrapper.type = "OptimWrapper"
        for key in ("dtype", "loss_scale"):
            cfg.optim_wrapper.pop(key, None)
    if args.auto_scale_lr:
        if "base_batch_size" not in cfg.get("auto_scale_lr", {}):
            raise ValueError(
                f"--auto-scale-lr needs auto_scale_lr = dict(base_batch_size=...) in {args.config}"
            )
        cfg.auto_scale_lr.enable = True
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == "auto" else args.resume
    return cfg


def check_batch_size(runner: Runner) -> None:
    """Warn if one step sees another number of samples than the learning rates are made for."""
    cfg = runner.cfg
    scale = cfg.get("auto_scale_lr") or {}
    expected, here = scale.get("base_batch_size"), cfg.train_dataloader.get("batch_size")
    if not (expected and here) or scale.get("enable"):
        return
    every = cfg.optim_wrapper.get("accumulative_counts", 1)
    found = runner.world_size * here * every
    if found != expected:
        runner.logger.warning(
            f"A step sees {found} samples ({runner.world_size} processes x {here}"
            f"{f' x {every} accumulated' if every > 1 else ''}), the learning rates are for "
            f"{expected}: set train_dataloader.batch_size so that the product is {expected}, or "
            "pass --auto-scale-lr"
        )


def main() -> None:
    """Build the runner and train."""
    args = parse_args()
    cfg = merge(read_config(args.config), args)
    runner = Runner.from_cfg(cfg)
    check_batch_size(runner)
    runner.train()


if __name__ == "__main__":
    sys.exit(run_cli(main))
