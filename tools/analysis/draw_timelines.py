"""Draw ground truth above predictions for some videos, to judge a detector by eye."""

import argparse
import json
import sys
from pathlib import Path

from mmtad.apis.cli import run_cli
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


def read_entries(path: str, key: str, entry_type: type) -> dict:
    """Read one mapping per video out of a json file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not json or not of the format that ``key`` stands for.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid json: {error}") from error
    entries = content.get(key) if isinstance(content, dict) else None
    if not isinstance(entries, dict):
        raise ValueError(f"{path} has no '{key}', the mapping from video ids to their entries")
    for video_id, entry in entries.items():
        items = entry.get("annotations", []) if isinstance(entry, dict) else entry
        fields = {"segment", "label"} if key == "database" else {"segment", "label", "score"}
        if not isinstance(entry, entry_type) or not all(fields <= set(item) for item in items):
            raise ValueError(f"{path}: the entries of '{video_id}' need {sorted(fields)}")
    return entries


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
    truth = read_entries(args.ground_truth, "database", dict)
    truth = {video_id: {"annotations": [], **entry} for video_id, entry in truth.items()}
    predictions = read_entries(args.predictions, "results", list)
    videos = args.videos or choose_videos(truth, predictions, args.num_videos)
    draw_timeline(
        truth,
        predictions,
        args.out,
        video_ids=videos,
        min_score=args.min_score,
        top_k=args.top_k,
    )
    print(f"wrote {args.out} with {len(videos)} videos")


if __name__ == "__main__":
    sys.exit(run_cli(main))
