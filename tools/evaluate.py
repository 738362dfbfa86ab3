"""Compute the mAP of a result file of any temporal action detector; no model is needed.

GT:           {"database": {video_id: {"subset": name, "annotations":
                  [{"segment": [start, end], "label": name}, ...]}, ...}}
PREDICTIONS:  {"results": {video_id:
                  [{"segment": [start, end], "label": name, "score": number}, ...], ...}}

Both are JSON (or JSON compressed as .json.gz) with times in seconds, the layout of ActivityNet.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from mmtad.apis.cli import parse_tiou, run_cli
from mmtad.evaluation import comparison_table, detection_report, detection_table

EXAMPLES = """examples:
  python tools/evaluate.py thumos14.json predictions.json --subset test
  python tools/evaluate.py anet.json predictions.json --subset validation --tiou 0.5:0.95:0.05
  python tools/evaluate.py thumos14.json predictions.json --per-class --ignore-labels Ambiguous
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ground_truth", metavar="GT", help="annotation file")
    parser.add_argument(
        "predictions",
        metavar="PREDICTIONS",
        nargs="+",
        help="result file of a detector; several are compared, a row each",
    )
    parser.add_argument(
        "--tiou",
        default="0.3:0.7:0.1",
        metavar="FIRST:LAST:STEP",
        help="temporal IoU thresholds, or numbers separated by commas (default: %(default)s, as "
        "on THUMOS14; ActivityNet: 0.5:0.95:0.05, EPIC-Kitchens and Ego4D: 0.1:0.5:0.1)",
    )
    parser.add_argument(
        "--subset", help="evaluate only this subset of the ground truth (default: all videos)"
    )
    parser.add_argument("--per-class", action="store_true", help="also list the AP of every class")
    parser.add_argument(
        "--ignore-labels",
        nargs="+",
        default=[],
        metavar="LABEL",
        help="leave these labels out, such as Ambiguous of THUMOS14",
    )
    parser.add_argument(
        "--blocked-videos",
        metavar="FILE",
        help="leave out the videos of this text file, one id per line",
    )
    parser.add_argument(
        "--keep-duplicates",
        action="store_true",
        help="count repeated annotations (same label, both ends within 0.001 s) as often as they "
        "occur, as the official ActivityNet evaluation does (default: once)",
    )
    return parser.parse_args()


def main() -> None:
    """Evaluate and print the table."""
    args = parse_args()
    blocked: list[str] = []
    if args.blocked_videos:
        blocked = [
            line.strip()
            for line in Path(args.blocked_videos).read_text().splitlines()
            if line.strip()
        ]
    reports = {
        path: detection_report(
            args.ground_truth,
            path,
            parse_tiou(args.tiou),
            args.subset,
            ignore_labels=args.ignore_labels,
            blocked_videos=blocked,
            drop_duplicates=not args.keep_duplicates,
        )
        for path in args.predictions
    }
    console = Console()
    if not console.is_terminal:
        console.width = 240  # a pipe or a file has no width to fit into
    if len(reports) > 1:
        console.print(comparison_table(reports))
    if len(reports) == 1 or args.per_class:
        for report in reports.values():
            console.print(detection_table(report, per_class=args.per_class))


if __name__ == "__main__":
    sys.exit(run_cli(main))
