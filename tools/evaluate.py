"""Compute the measures of a result file of any temporal action detector; no model is needed.

GT:           {"database": {video_id: {"subset": name, "annotations":
                  [{"segment": [start, end], "label": name}, ...]}, ...}}
PREDICTIONS:  {"results": {video_id:
                  [{"segment": [start, end], "label": name, "score": number}, ...], ...}}

Both are JSON (or JSON compressed as .json.gz) with times in seconds, the layout of ActivityNet.
tools/data/convert_predictions.py makes such a file from the text files of THUMOS14.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mmtad.apis.cli import parse_tiou, run_cli
from mmtad.datasets.block_lists import BLOCK_LISTS, resolve_block_list
from mmtad.evaluation import (
    MEASURES,
    STYLES,
    comparison_table,
    detection_report,
    detection_table,
    epic_reports,
    epic_table,
    proposal_report,
    proposal_table,
    retrieval_report,
    retrieval_table,
)

TIOU = {"mAP": "0.3:0.7:0.1", "AR": "0.5:0.95:0.05", "recall@kx": "0.1:0.5:0.1"}
EPIC_TIOU = "0.1:0.5:0.1"
EXAMPLES = """examples:
  python tools/evaluate.py thumos14.json predictions.json --subset Test
  python tools/evaluate.py thumos14.json predictions.json --block-list thumos14_210 --per-class
  python tools/evaluate.py thumos14.json predictions.json --subset Test --style thumos
  python tools/evaluate.py anet.json predictions.json --subset validation --tiou 0.5:0.95:0.05
  python tools/evaluate.py anet.json proposals.json --subset validation --measure AR
  python tools/evaluate.py ego4d_mq.json predictions.json --subset val --tiou 0.1:0.5:0.1 \\
      --measure mAP recall@kx
  python tools/evaluate.py epic_action.json verbs.json nouns.json --epic --subset val
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("ground_truth", metavar="GT", help="annotation file")
    add(
        "predictions",
        metavar="PREDICTIONS",
        nargs="+",
        help="result file of a detector; several are compared, a row each",
    )
    add(
        "--measure",
        nargs="+",
        choices=list(MEASURES),
        default=["mAP"],
        help="mAP of detections (default); AR: average recall of proposals at AN per video and "
        "the area under it; recall@kx: recall with k detections per action, of Ego4D",
    )
    add(
        "--tiou",
        metavar="FIRST:LAST:STEP",
        help="temporal IoU thresholds, or numbers separated by commas (default: 0.3:0.7:0.1 for "
        "mAP, as on THUMOS14; 0.5:0.95:0.05 for AR; 0.1:0.5:0.1 for recall@kx; mAP on "
        "ActivityNet: 0.5:0.95:0.05, on EPIC-Kitchens and Ego4D: 0.1:0.5:0.1)",
    )
    add(
        "--style",
        choices=STYLES,
        default=STYLES[0],
        help="activitynet: interpolated AP, reported today on all benchmarks (default); thumos: "
        "without interpolation, false positives that touch Ambiguous are skipped; thumos_kit: "
        "that with the matching of the evaluation kit of THUMOS14",
    )
    add("--per-class", action="store_true", help="also list the numbers of every class")
    add(
        "--epic",
        action="store_true",
        help="EPIC-Kitchens: GT is epic_action.json, PREDICTIONS are the results of verbs and of "
        "nouns, which are paired, or one file of actions or a submission of the challenge",
    )
    _add_selection_arguments(parser)
    _add_recall_arguments(parser)
    add("--output", metavar="FILE", help="also write the numbers (fractions) to this JSON file")
    args = parser.parse_args()
    if args.epic:
        for option in ("--measure", "--style", "--ignore-labels"):
            name = option[2:].replace("-", "_")
            if getattr(args, name) != parser.get_default(name):
                parser.error(f"--epic has its own measures and takes no {option}")
    return args


def _add_selection_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--subset", help="evaluate only this subset of the ground truth (default: all videos)")
    add(
        "--ignore-labels",
        nargs="+",
        default=[],
        metavar="LABEL",
        help="leave these labels out; Ambiguous of THUMOS14 always is",
    )
    add(
        "--block-list",
        metavar="LIST",
        help=f"leave out videos: {', '.join(BLOCK_LISTS)}, or a text file with one id per line",
    )
    add(
        "--keep-duplicates",
        action="store_true",
        help="count repeated annotations (same label, both ends within 0.001 s) as often as they "
        "occur, as the official ActivityNet evaluation does (default: once)",
    )


def _add_recall_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--top-k", nargs="+", type=int, default=[1, 5], help="the k of recall@kx (default: 1 5)")
    add(
        "--average",
        choices=["class", "instance"],
        default="class",
        help="recall@kx is the mean over classes (default) or over actions, as in the official "
        "code of Ego4D",
    )
    add("--max-proposals", type=int, default=100, help="largest AN of AR (default: %(default)s)")


def evaluate(args: argparse.Namespace, measure: str, path: str) -> Any:
    """Report of one measure of one result file."""
    common = dict(
        tiou_thresholds=parse_tiou(args.tiou or TIOU[measure]),
        subset=args.subset,
        ignore_labels=args.ignore_labels,
        blocked_videos=resolve_block_list(args.block_list),
        drop_duplicates=not args.keep_duplicates,
    )
    if measure == "mAP":
        return detection_report(args.ground_truth, path, style=args.style, **common)
    if measure == "AR":
        return proposal_report(args.ground_truth, path, max_proposals=args.max_proposals, **common)
    return retrieval_report(
        args.ground_truth, path, top_k=args.top_k, average=args.average, **common
    )


def evaluate_files(args: argparse.Namespace) -> tuple[list[Table], dict[str, dict[str, Any]]]:
    """Tables of all measures and files, and the numbers by file."""
    tables: list[Table] = []
    numbers: dict[str, dict[str, Any]] = {path: {} for path in args.predictions}
    draw = {"mAP": detection_table, "AR": proposal_table, "recall@kx": retrieval_table}
    for measure in args.measure:
        reports = {path: evaluate(args, measure, path) for path in args.predictions}
        compared = measure == "mAP" and len(reports) > 1
        if compared:
            tables.append(comparison_table(reports))
        for path, report in reports.items():
            numbers[path] |= report.summary()
            if args.per_class:
                rows = numbers[path].setdefault("per_class", {})
                for label, row in report.per_class().items():
                    rows[label] = rows.get(label, {}) | row
            if not compared or args.per_class:
                table = draw[measure](report, per_class=args.per_class)
                if len(reports) > 1:
                    table.title = f"{path}: {table.title}"
                tables.append(table)
    return tables, numbers


def evaluate_epic(args: argparse.Namespace) -> tuple[list[Table], dict[str, dict[str, Any]]]:
    """Tables of verbs, nouns and actions, and the numbers by task."""
    if len(args.predictions) > 2:
        raise ValueError(
            "--epic takes the results of verbs and of nouns, or one file of actions; got "
            f"{len(args.predictions)} files"
        )
    tasks: Sequence[str] = ("action",) if len(args.predictions) == 1 else ("verb", "noun")
    reports = epic_reports(
        args.ground_truth,
        **dict(zip(tasks, args.predictions, strict=True)),
        tiou_thresholds=parse_tiou(args.tiou or EPIC_TIOU),
        subset=args.subset,
        blocked_videos=resolve_block_list(args.block_list),
        drop_duplicates=not args.keep_duplicates,
    )
    tables = [epic_table(reports)]
    numbers: dict[str, dict[str, Any]] = {}
    for task, report in reports.items():
        numbers[task] = dict(report.summary())
        if args.per_class:
            numbers[task]["per_class"] = report.per_class()
            tables.append(detection_table(report, per_class=True))
    return tables, numbers


def main() -> None:
    """Evaluate, print the tables and write the numbers."""
    args = parse_args()
    tables, numbers = evaluate_epic(args) if args.epic else evaluate_files(args)
    console = Console()
    if not console.is_terminal:
        console.width = 240  # a pipe or a file has no width to fit into
    for table in tables:
        console.print(table)
    if args.output:
        settings = {key: value for key, value in vars(args).items() if key != "output"}
        Path(args.output).parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"settings": settings, "results": numbers}, indent=2)
        Path(args.output).write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run_cli(main))
