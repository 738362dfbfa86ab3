"""Test a trained detector: predictions.json in the result format and a table of mAP."""

import argparse
import os
import os.path as osp
import sys

from mmengine.runner import Runner

import mmtad  # noqa: F401  (mends the installed stack)
from mmtad.apis.cli import add_runner_arguments, read_config, run_cli


def parse_args() -> argparse.Namespace:
    """Command line; the arguments are those of every MMEngine project."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file that the checkpoint was trained with")
    parser.add_argument("checkpoint", help="checkpoint file (.pth)")
    parser.add_argument("--work-dir", help="folder for the log (default: work_dirs/<config name>)")
    parser.add_argument(
        "--out", help="where to write the predictions (default: <work dir>/predictions.json)"
    )
    add_runner_arguments(parser)
    args = parser.parse_args()
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    return args


def main() -> None:
    """Build the runner and test."""
    args = parse_args()
    cfg = read_config(args.config)
    cfg.launcher = args.launcher
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    name = osp.splitext(osp.basename(args.config))[0]
    cfg.work_dir = args.work_dir or cfg.get("work_dir") or osp.join("work_dirs", name)
    cfg.load_from = args.checkpoint
    cfg.resume = False
    cfg.test_evaluator.output_file = args.out or osp.join(cfg.work_dir, "predictions.json")
    Runner.from_cfg(cfg).test()


if __name__ == "__main__":
    sys.exit(run_cli(main))
