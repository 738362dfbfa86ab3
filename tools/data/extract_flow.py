r"""Make the optical flow of videos, for two-stream models.

Each video becomes one file ID.npz, or a folder ID/ of pictures (flow_x_00000.jpg, flow_y_00000.jpg,
...), in uint8: displacements from -bound to bound pixels become 0 to 255. How it was made is stored
with it, and compared when it is read; the transform LoadFlow has the same arguments.

A video's flow appears under its name only once it is whole. Started again, the tool goes on with
the videos that have none yet.

    python tools/data/extract_flow.py data/thumos14/videos --out data/thumos14/flow
    python tools/data/extract_flow.py data/activitynet/videos --out data/activitynet/flow \
        --frames 768
"""

import argparse
import os
import sys
import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from mmtad.apis.cli import run_cli
from mmtad.apis.sources import find_videos
from mmtad.datasets.flow_extraction import FlowOutcome, plan_jobs, run_jobs
from mmtad.datasets.flow_writing import LAYOUTS
from mmtad.datasets.optical_flow import METHODS, FlowSpec


def parse_args() -> argparse.Namespace:
    """Read the command line; the defaults are those of ``FlowSpec``."""
    spec = FlowSpec()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("videos", nargs="+", metavar="VIDEO", help="video files or folders of them")
    add("--out", required=True, help="folder to write")
    add(
        "--method",
        choices=METHODS,
        default=spec.method,
        help="dis: fast and good; farneback: half as fast; tvl1: what the Kinetics models were "
        "trained on, hundreds of times slower, and only in opencv-contrib-python (default: dis)",
    )
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "--fps", type=float, default=None, help="flow fields per second (default: 10)"
    )
    rate.add_argument(
        "--frames", type=int, help="take this number of frames evenly over a video instead"
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--size",
        type=int,
        nargs="+",
        metavar="PIXELS",
        help="height and width to scale the frames to first, or one number for both (default: 112)",
    )
    size.add_argument(
        "--short-side", type=int, metavar="PIXELS", help="scale the shorter side to this instead"
    )
    add(
        "--bound",
        type=float,
        default=spec.bound,
        help="displacement in pixels beyond which motion is cut off (default: 20)",
    )
    add(
        "--layout",
        choices=LAYOUTS,
        default="npz",
        help="npz: one file a video, exact; png: exact; jpg: smallest (default: npz)",
    )
    add("--workers", type=int, default=os.cpu_count(), help="processes (default: one per core)")
    add("--force", action="store_true", help="make again what is there already")
    args = parser.parse_args()
    if args.size is not None and len(args.size) > 2:
        parser.error(f"--size takes one number or two, got {len(args.size)}")
    return args


def read_spec(args: argparse.Namespace) -> FlowSpec:
    """What the command line asks for."""
    usual = FlowSpec()
    fps = usual.fps if args.fps is None else args.fps
    size = None if args.short_side is not None else tuple(args.size or usual.size)
    return FlowSpec(
        method=args.method,
        bound=args.bound,
        fps=None if args.frames is not None else fps,
        frames=args.frames,
        size=size * 2 if size is not None and len(size) == 1 else size,
        short_side=args.short_side,
    )


def main() -> None:
    """Make what is missing, and say which videos could not be read."""
    args = parse_args()
    spec = read_spec(args)
    console = Console(highlight=False, soft_wrap=True)
    videos = find_videos(args.videos)
    jobs = plan_jobs(videos, args.out, spec, args.layout, args.force)
    if len(jobs) < len(videos):
        console.print(f"{len(videos) - len(jobs)} of {len(videos)} videos have their flow already")
    started = time.monotonic()
    outcomes = run(jobs, args.workers, console)
    seconds = time.monotonic() - started
    good = [outcome for outcome in outcomes if outcome.error is None]
    fields = sum(outcome.fields for outcome in good)
    console.print(
        f"{len(good)} videos, {fields:,} flow fields in {args.out}, "
        f"{sum(outcome.size for outcome in good) / 2**20:.1f} MiB, after {seconds:.0f} s "
        f"({fields / max(seconds, 1e-9):.0f} fields/s)",
        markup=False,
    )
    bad = [outcome for outcome in outcomes if outcome.error is not None]
    for outcome in bad:
        console.print(f"no flow: {outcome.video_id}: {outcome.error}", markup=False)
    if bad:
        names = ", ".join(outcome.video_id for outcome in bad[:5])
        raise ValueError(
            f"{len(bad)} of {len(jobs)} videos cannot be read ({names}{', ...' * (len(bad) > 5)}); "
            "replace these files and start again, or leave them out of training"
        )


def run(jobs: list, workers: int, console: Console) -> list[FlowOutcome]:
    """Do the jobs under a progress bar."""
    columns = (
        TextColumn("making flow"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    outcomes = []
    # No refreshing thread: the workers are forked while the bar is shown.
    with Progress(*columns, console=console, auto_refresh=False) as progress:
        task = progress.add_task("", total=len(jobs), speed="")
        started = time.monotonic()
        for outcome in run_jobs(jobs, workers):
            outcomes.append(outcome)
            speed = len(outcomes) / max(time.monotonic() - started, 1e-9)
            progress.update(task, advance=1, speed=f"{speed:.2f} videos/s", refresh=True)
    return outcomes


if __name__ == "__main__":
    sys.exit(run_cli(main))
