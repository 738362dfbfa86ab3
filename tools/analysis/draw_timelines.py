"""Draw ground truth above predictions for some videos, to judge a detector by eye.

Predictions are coloured by class in one picture of all videos, or, with --by-tiou or several result
files, by how well they fit an annotated action: a picture per video, one result below the other.
"""

import argparse
import sys
from pathlib import Path

from mmtad.apis.cli import run_cli
from mmtad.evaluation.files import read_section
from mmtad.visualization import draw_overlap_timeline, draw_timeline
from mmtad.visualization.overlap_timeline import file_name


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ground_truth", help="annotation file (json with 'database')")
    parser.add_argument(
        "predictions",
        nargs="+",
        help="result file (json with 'results'), from tools/test.py; several are compared",
    )
    parser.add_argument("--out", default="timeline.png", help="picture to write (png, pdf, svg)")
    parser.add_argument("--videos", nargs="+", metavar="ID", help="videos to draw, in this order")
    parser.add_argument(
        "--num-videos",
        type=int,
        default=4,
        help="without --videos: how many; those with annotated actions come first (default 4)",
    )
    parser.add_argument(
        "--min-score",
        type=float,
        default=0.1,
        help="hide predictions below (default 0.1); not with --by-tiou",
    )
    parser.add_argument(
        "--top-k",
        type=int,
        help="show at most the K best predictions of a video; --by-tiou: twice as many as there "
        "are actions, at least 10, unless told otherwise",
    )
    parser.add_argument(
        "--by-tiou",
        action="store_true",
        help="colour predictions by their highest tIoU with an action of their class; the video's "
        "id is added to the name of the picture",
    )
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


def draw_by_tiou(
    truth: dict, results: dict[str, dict], videos: list[str], out: Path, top_k: int | None
) -> None:
    """Write ``OUT_VIDEO.png``, a picture per video.

    Raises:
        ValueError: If a video is not in the ground truth.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    for video in videos:
        if video not in truth:
            raise ValueError(f"video '{video}' is not in the ground truth; check --videos")
        found = {name: result.get(video, []) for name, result in results.items()}
        figure = draw_overlap_timeline(truth[video], found, video, top_k=top_k)
        figure.savefig(out.with_name(f"{out.stem}_{file_name(video)}{out.suffix or '.png'}"))


def main() -> None:
    """Read, choose, draw."""
    args = parse_args()
    truth, _ = read_section(args.ground_truth, "database", "the ground truth")
    names = args.predictions
    if len({Path(path).name for path in names}) == len(names):
        names = [Path(path).name for path in names]
    results = {
        name: read_section(path, "results", "the predictions")[0]
        for name, path in zip(names, args.predictions, strict=True)
    }
    for video_id, entry in truth.items():
        if not isinstance(entry, dict):
            raise ValueError(f"{args.ground_truth}: '{video_id}' is no object with 'annotations'")
    first = next(iter(results.values()))
    videos = args.videos or choose_videos(truth, first, args.num_videos)
    if args.by_tiou or len(results) > 1:
        draw_by_tiou(truth, results, videos, Path(args.out), args.top_k)
    else:
        draw_timeline(
            truth, first, args.out, video_ids=videos, min_score=args.min_score, top_k=args.top_k
        )
    print(f"{args.out}: {', '.join(videos)}")


if __name__ == "__main__":
    sys.exit(run_cli(main))
