"""Merge the result files of several detectors into one.

RESULT:  {"results": {video_id:
             [{"segment": [start, end], "label": name, "score": number}, ...], ...}}

JSON (or JSON compressed as .json.gz) with times in seconds, the layout of ActivityNet. All files
must be of the same data set: the same videos, and labels written alike.

The rules: scores are multiplied by the weight of their file, relative to the largest weight; the
detections of a video are put together; then, class by class,
  soft_nms  lowers the scores of those that overlap better ones (the default),
  nms       drops them,
  fusion    makes one detection of those that overlap: the weighted mean of their boundaries, and
            as score the weighted mean of the best score of each file, 0 where it has none, so that
            what all files agree on comes first.
"""

import argparse
import sys
from typing import Any

from mmtad.apis.cli import run_cli
from mmtad.evaluation.files import read_section, write_results
from mmtad.postprocessing import ensemble_results

EXAMPLES = """examples:
  python tools/ensemble.py rgb.json flow.json --out both.json
  python tools/ensemble.py a.json b.json c.json --weights 1 1 0.5 --method fusion --out abc.json
  python tools/evaluate.py thumos14.json a.json b.json abc.json --subset Test
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "results", metavar="RESULT", nargs="+", help="result files, two or more of one data set"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="result file to write")
    parser.add_argument(
        "--weights",
        nargs="+",
        type=float,
        metavar="W",
        help="one positive number per file (default: all alike)",
    )
    parser.add_argument(
        "--method",
        choices=("soft_nms", "nms", "fusion"),
        default="soft_nms",
        help="what is done with detections that overlap (default: %(default)s)",
    )
    parser.add_argument(
        "--sigma",
        type=float,
        default=0.5,
        help="width of the Gaussian of soft_nms: smaller lowers more (default: %(default)s)",
    )
    parser.add_argument(
        "--iou-threshold",
        type=float,
        metavar="TIOU",
        help="temporal IoU from which on nms drops and fusion joins (default: 0.5)",
    )
    parser.add_argument(
        "--min-score",
        type=float,
        default=0.001,
        help="soft_nms and nms drop what scores less (default: %(default)s)",
    )
    parser.add_argument(
        "--normalize",
        action="store_true",
        help="divide the scores of each file by its highest one first",
    )
    parser.add_argument(
        "--max-per-video", type=int, metavar="N", help="keep the N best of a video (default: all)"
    )
    parser.add_argument(
        "--allow-missing",
        action="store_true",
        help="take videos that a file has no entry for as videos without detections",
    )
    return parser.parse_args()


def nms_options(args: argparse.Namespace) -> dict[str, Any]:
    """The ``nms`` option of ``ensemble_results``."""
    if args.method == "soft_nms":
        if args.iou_threshold is not None:
            raise ValueError(
                "--iou-threshold has no effect on soft_nms; set --sigma, or --method nms or fusion"
            )
        return dict(type="soft_nms", sigma=args.sigma, min_score=args.min_score)
    options: dict[str, Any] = dict(type=args.method)
    options["iou_threshold"] = 0.5 if args.iou_threshold is None else args.iou_threshold
    if args.method == "nms":
        options["min_score"] = args.min_score
    return options


def main() -> None:
    """Read, merge and write."""
    args = parse_args()
    options = nms_options(args)
    sources = [read_section(path, "results", path) for path in args.results]
    merged = ensemble_results(
        [result for result, _ in sources],
        args.weights,
        options,
        normalize=args.normalize,
        max_per_video=args.max_per_video,
        allow_missing=args.allow_missing,
        names=[name for _, name in sources],
    )
    write_results(args.out, merged)
    before = [sum(map(len, result.values())) for result, _ in sources]
    after = sum(map(len, merged.values()))
    print(
        f"merged {' + '.join(f'{count:,}' for count in before)} detections of {len(merged):,} "
        f"videos into {after:,}, written to {args.out}"
    )


if __name__ == "__main__":
    sys.exit(run_cli(main))
