"""Make the synthetic benchmark: untrimmed videos with annotations, and clips for pre-training.

One bright object lies before a drifting background, and now and then it does something: slides
one way, pulses. A detector has to say when and what. A second set of short trimmed clips in a
tidier world serves to pre-train a backbone.

The folder holds annotations.json (ActivityNet format, subsets "train" and "test"), videos/, and
clips/ with the lists train.txt and val.txt ("path label"). The same arguments give the same files;
a finished folder is used again.

    python tools/data/make_synthetic.py --out data/synthetic
"""

import argparse
import os
import sys
import time
from dataclasses import replace

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mmtad.datasets.synthetic import is_finished, make_dataset
from mmtad.datasets.synthetic_plan import SyntheticSpec
from mmtad.datasets.synthetic_scene import MOTIONS


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; the defaults are those of ``SyntheticSpec``."""
    spec = SyntheticSpec()
    motions = ", ".join(MOTIONS)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--out", default="data/synthetic", help="folder to write (default: %(default)s)")
    add("--seed", type=int, default=spec.seed, help="another seed, other videos (default: 0)")
    add("--train", type=int, default=spec.train_videos, help="training videos (%(default)s)")
    add("--test", type=int, default=spec.test_videos, help="test videos (%(default)s)")
    add("--clips", type=int, default=spec.train_clips, help="pre-training clips (%(default)s)")
    add("--val-clips", type=int, default=spec.val_clips, help="clips to check it (%(default)s)")
    add("--size", type=int, default=spec.size, help="side of the pictures, pixels (%(default)s)")
    add("--fps", type=float, default=spec.fps, help="frames per second (%(default)s)")
    add(
        "--seconds",
        type=float,
        nargs=2,
        default=spec.video_seconds,
        metavar=("SHORTEST", "LONGEST"),
        help="length of the untrimmed videos (15 40)",
    )
    add(
        "--classes",
        nargs="+",
        default=spec.action_classes,
        metavar="MOTION",
        help=f"actions of the untrimmed videos, out of: {motions}",
    )
    add(
        "--clip-classes",
        nargs="+",
        default=spec.clip_classes,
        metavar="MOTION",
        help="motions of the clips, from the same list; the more they differ from --classes, "
        "the more a backbone pre-trained on the clips has to be adapted",
    )
    add(
        "--clip-texture",
        type=float,
        default=spec.clip_style.texture,
        help=f"background contrast of the clips, 0 to 1 (%(default)s; the videos have "
        f"{spec.video_style.texture})",
    )
    add(
        "--clip-distractors",
        type=int,
        default=spec.clip_style.distractors,
        help=f"most idle objects beside the actor in a clip (%(default)s; the videos have up to "
        f"{spec.video_style.distractors})",
    )
    add("--workers", type=int, default=os.cpu_count(), help="processes (default: one per core)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Make the benchmark; returns the exit status."""
    args = parse_args(argv)
    console, started = Console(), time.monotonic()
    try:
        default = SyntheticSpec()
        spec = SyntheticSpec(
            seed=args.seed,
            train_videos=args.train,
            test_videos=args.test,
            train_clips=args.clips,
            val_clips=args.val_clips,
            size=args.size,
            fps=args.fps,
            video_seconds=tuple(args.seconds),
            action_classes=tuple(args.classes),
            clip_classes=tuple(args.clip_classes),
            clip_style=replace(
                default.clip_style, texture=args.clip_texture, distractors=args.clip_distractors
            ),
        )
        counts = run(spec, args.out, args.workers, console)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    console.print(
        f"{counts['train_videos']} training and {counts['test_videos']} test videos "
        f"({counts['seconds'] / 60:.0f} minutes, {counts['actions']} actions of "
        f"{len(spec.action_classes)} classes, {counts['empty_videos']} videos without any), "
        f"{counts['train_clips']} + {counts['val_clips']} clips "
        f"in {args.out} after {time.monotonic() - started:.0f} s",
        highlight=False,
        soft_wrap=True,
    )
    return 0


def run(spec: SyntheticSpec, out: str, workers: int, console: Console) -> dict[str, int]:
    """Make the benchmark under a progress bar, or say that it is there already."""
    if is_finished(out, spec):
        console.print(f"{out} holds this benchmark already: nothing to make", soft_wrap=True)
        return make_dataset(out, spec)
    columns = TextColumn("making videos"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    # No refreshing thread: the workers are forked while the bar is shown.
    with Progress(*columns, console=console, auto_refresh=False) as progress:
        task = progress.add_task("", total=None)

        def show(done: int, total: int) -> None:
            due = done % 10 == 0 or done == total
            progress.update(task, completed=done, total=total, refresh=due)

        return make_dataset(out, spec, workers, show)


if __name__ == "__main__":
    sys.exit(main())
