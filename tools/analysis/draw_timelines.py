"""Draw ground truth above predictions for some videos, to judge a detector by eye."""

import argparse
import sys

from mmtad.apis.cli import run_cli
from mmtad.evaluation.files import read_section
from mmtad.visualization import draw_timeline


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ground_truth", help="annotation file (json with 'database')")
    parser.add_argument("predictions", help="result file (json with 'results'), from tools/test.py")
    parser.add_argument("--out", default="timeline.png", help="picture to write (png, pdf, svg)")
    parser.add_argument("--videos", nargs="+", metavar="ID", help="videos to draw, in this order")
    parser.add_argument(
        "--num-videos",
        type=int,
        default=4,
        help="without --videos: how many; those with annotated actions come first (default 4)",
    )
    parser.add_argument(
        "--min-score", type=float, default=0.1, help="hide predictions below (default 0.1)"
    )
    parser.add_argument("--top-k", type=int, help="show at most the K best predictions of a video")
    return parser.parse_args()


def choose_videos(truth: dict, predictions: dict, count: int) -> list[str]:
    """Take the first videos that both files know, those with annotated actions before the rest.

    Raises:
        ValueError: If no video is in both files.
    """
    common = [video_id for video_id in predictions if video_id in truth]
    if not common:
        raise ValueError("no video is in both the ground truth and the predictions")
    common.sort(key=lambda video_id: not truth[video_id].get("annotations"))
    return common[: max(count, 1)]


def main() -> None:
    """Read, choose, draw."""
    args = parse_args()
    truth, _ = read_section(args.ground_truth, "database", "the ground truth")
    predictions, _ = read_section(args.predictions, "results", "the predictions")
    for video_id, entry in truth.items():
        if not isinstance(entry, dict):
            raise ValueError(f"{args.ground_truth}: '{video_id}' is no object with 'annotations'")
    videos = args.videos or choose_videos(truth, predictions, args.num_videos)
    draw_timeline(
        truth,
        predictions,
        args.out,
        video_ids=videos,
        min_score=args.min_score,
        top_k=args.top_k,
    )
    print(f"{args.out}: {', '.join(videos)}")


if __name__ == "__main__":
    sys.exit(run_cli(main))
