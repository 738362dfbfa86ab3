"""What the command line tools share: reading configs and thresholds, ending with one sentence."""

import argparse
import atexit
import math
import os
import os.path as osp
import sys
from collections.abc import Callable

import torch.distributed as dist
from mmengine.config import Config, DictAction


def add_config_overrides(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``: what to merge into the config that is read."""
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=DictAction,
        help="override config entries: key=value, nested keys with dots, lists as [a,b]",
    )


def add_runner_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that every tool with a Runner takes: config overrides and launcher."""
    add_config_overrides(parser)
    parser.add_argument(
        "--launcher",
        choices=["none", "pytorch", "slurm", "mpi"],
        default="none",
        help="job launcher",
    )
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)


def read_config(path: str) -> Config:
    """Read a config file.

    Args:
        path: A Python config file, or ``mmtad::folder/name.py`` for one of this package's.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a valid config.
    """
    if "::" in path:
        return Config.fromstring(f"_base_ = {path!r}", ".py")
    if not osp.isfile(path):
        raise FileNotFoundError(f"the config {path} does not exist; configs/ lists what there is")
    try:
        return Config.fromfile(path)
    except (SyntaxError, NameError, OSError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the config {path} can not be read: {error}") from error


def parse_tiou(text: str) -> list[float]:
    """Read ``first:last:step`` (last included) or numbers separated by commas.

    Args:
        text: Such as ``"0.3:0.7:0.1"`` or ``"0.5,0.75"``.

    Returns:
        Thresholds.

    Raises:
        ValueError: If it is neither.
    """
    try:
        if ":" in text:
            first, last, step = (float(part) for part in text.split(":"))
            if not 0 < step <= 1 or last < first:
                raise ValueError
            # A little slack and rounding, so that 0.7 is met exactly despite binary fractions.
            count = math.floor((last - first) / step + 1e-6) + 1
            return [round(first + i * step, 10) for i in range(count)]
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ValueError(
            f"--tiou {text!r} is not understood; write first:last:step as in 0.3:0.7:0.1, or "
            "numbers as in 0.5,0.75"
        ) from error


def run_cli(main: Callable[[], None]) -> int:
    """Run a tool; what a user can mend ends in one sentence instead of a traceback.

    ``MMTAD_DEBUG=1`` in the environment brings the traceback back.

    Args:
        main: The tool.

    Returns:
        Exit status: 0, or 1 after an error.
    """
    try:
        main()
    except (ValueError, OSError, KeyError, ImportError) as error:
        if os.environ.get("MMTAD_DEBUG") == "1":
            raise
        print(f"error: {_sentence(error)}", file=sys.stderr)
        return 1
    _leave_process_group()
    return 0


def _leave_process_group() -> None:
    """End a distributed run that succeeded; does not return where gloo was used.

    A gloo group under DDP cannot be torn down dependably: destroying it may wait for ever for a
    peer that is gone, and leaving its threads to the interpreter's exit now and then aborts the
    process. Such a process waits for its peers, runs the exit handlers and leaves at once.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return
    if dist.get_backend() != "gloo":
        dist.destroy_process_group()
        return
    dist.barrier()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _sentence(error: Exception) -> str:
    """The message on one line, without the traceback that a loader's worker wraps around it."""
    message = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if "Original Traceback" in message:
        message = message.strip().splitlines()[-1].partition(": ")[2]
    return " ".join(message.split())
