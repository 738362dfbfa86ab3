"""Detect the actions of raw videos: predictions.json, SRT captions and a timeline picture."""

import argparse
import sys

from mmtad.apis import TADInferencer
from mmtad.apis.cli import run_cli
from mmtad.apis.writers import FORMATS, check_formats


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file that the checkpoint was trained with")
    parser.add_argument("weights", help="checkpoint file (.pth)")
    parser.add_argument("input", nargs="+", help="video files, or folders of videos")
    parser.add_argument(
        "--out", default="detections", help="folder to write to (default: detections)"
    )
    parser.add_argument(
        "--formats",
        default=",".join(FORMATS),
        help=f"what to write, separated by commas (default: {','.join(FORMATS)})",
    )
    parser.add_argument(
        "--min-score",
        type=float,
        help="leave out detections below this score; by default the json keeps all of them, the "
        "captions and pictures those from 0.1",
    )
    parser.add_argument(
        "--device", help="for example cpu or cuda:1 (default: the GPU if there is one)"
    )
    parser.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        help="show a progress bar (default: where stderr is a terminal)",
    )
    return parser.parse_args()


def main() -> None:
    """Load, detect, write.

    Raises:
        ValueError: If a video could not be read; the files of the others are written all the same.
    """
    args = parse_args()
    formats = check_formats(args.formats.replace(" ", "").split(","))
    inferencer = TADInferencer(args.config, args.weights, args.device)
    results = inferencer(args.input, progress=args.progress)
    for path in inferencer.save(results, args.out, formats, args.min_score):
        print(path)
    if inferencer.failures:
        raise ValueError(
            f"{len(inferencer.failures)} of {len(inferencer.failures) + len(results)} videos could "
            f"not be read: {'; '.join(inferencer.failures.values())}"
        )


if __name__ == "__main__":
    sys.exit(run_cli(main))
