"""Find out what a detector gets wrong: a report with pictures, tables and all numbers.

Which actions are hard (short, long, alone in their video), which errors cost the most mAP, what is
missed, and timelines of single videos. Works on result files of any detector; several are compared.
The analyses are those of DETAD (https://arxiv.org/abs/1807.10706).

GT:           {"database": {video_id: {"subset": name, "duration": seconds, "annotations":
                  [{"segment": [start, end], "label": name}, ...]}, ...}}
PREDICTIONS:  {"results": {video_id:
                  [{"segment": [start, end], "label": name, "score": number}, ...], ...}}
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmtad.apis.cli import parse_tiou, run_cli
from mmtad.datasets.block_lists import BLOCK_LISTS, resolve_block_list
from mmtad.evaluation import load_ground_truth
from mmtad.evaluation.diagnosis import diagnose_loaded
from mmtad.evaluation.diagnosis_bins import BIN_PRESETS
from mmtad.evaluation.diagnosis_characteristics import load_durations
from mmtad.evaluation.diagnosis_profiles import DETECTION_TYPES
from mmtad.evaluation.diagnosis_result import Diagnosis
from mmtad.evaluation.files import read_section
from mmtad.evaluation.ground_truth import GroundTruth
from mmtad.visualization.bin_bars import MAX_RESULTS
from mmtad.visualization.diagnosis_report import FORMATS, Section, timeline_section, write_report
from mmtad.visualization.overlap_timeline import best_overlap

EXAMPLES = """examples:
  python tools/analysis/diagnose.py thumos14.json results.json --subset Test --out diagnosis
  python tools/analysis/diagnose.py anet.json a.json b.json --bins activitynet --out diagnosis
  python tools/analysis/diagnose.py gt.json a.json --tiou 0.1:0.5:0.1 --out diagnosis \\
      --bins length=0,2,10,inf num_instances=0,1,5,inf
"""
# Ranges of actions per video that a timeline shows well.
READABLE = (3, 30)
ACTIVITYNET_TIOU = "0.5:0.95:0.05"


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ground_truth", metavar="GT", help="annotation file")
    parser.add_argument(
        "predictions",
        metavar="PREDICTIONS",
        nargs="+",
        help=f"result file; up to {MAX_RESULTS} are compared",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the report")
    parser.add_argument(
        "--bins",
        nargs="+",
        default=["thumos14"],
        metavar="BINS",
        help=f"{', '.join(BIN_PRESETS)}, or edges of coverage, length (seconds) or num_instances "
        "as in length=0,10,60,inf; later ones replace earlier ones (default: thumos14)",
    )
    parser.add_argument(
        "--tiou",
        metavar="FIRST:LAST:STEP",
        help="temporal IoU thresholds that are averaged over, or numbers separated by commas "
        f"(default: {ACTIVITYNET_TIOU} with --bins activitynet, else 0.5, as in DETAD)",
    )
    parser.add_argument("--subset", help="diagnose only this subset of the ground truth")
    parser.add_argument("--names", nargs="+", help="what to call the results (default: file names)")
    parser.add_argument(
        "--ignore-labels", nargs="+", default=[], metavar="LABEL", help="labels to leave out"
    )
    parser.add_argument(
        "--block-list",
        metavar="LIST",
        help=f"leave out the videos of {', '.join(BLOCK_LISTS)}, or of a text file, one id a line",
    )
    parser.add_argument(
        "--keep-duplicates", action="store_true", help="count repeated annotations every time"
    )
    parser.add_argument(
        "--num-bands",
        type=int,
        default=10,
        metavar="G",
        help="look at the best G times as many detections as there are actions (default: 10)",
    )
    parser.add_argument(
        "--normalizer",
        type=float,
        metavar="N",
        help="N of the normalised precision (default: annotated actions per class)",
    )
    parser.add_argument("--videos", nargs="+", metavar="ID", help="videos to draw timelines of")
    parser.add_argument(
        "--num-timelines",
        type=int,
        default=3,
        metavar="N",
        help="without --videos: from a badly to a well detected one (default: 3)",
    )
    parser.add_argument(
        "--formats",
        nargs="+",
        choices=FORMATS,
        default=["png"],
        help="of the pictures beside the report (default: png)",
    )
    return parser.parse_args()


def result_names(paths: Sequence[str], names: Sequence[str] | None) -> list[str]:
    """Tell results apart: as told, by file name, or by path where file names are the same.

    Raises:
        ValueError: If the number of names is wrong, or two results have one name.
    """
    if names is None:
        names = [Path(path).name for path in paths]
        if len(set(names)) < len(names):
            names = list(paths)
    if len(names) != len(paths):
        raise ValueError(f"--names needs a name per result file: {len(paths)}, got {len(names)}")
    if len(set(names)) < len(names):
        raise ValueError("two results have the same name; choose different --names")
    return list(names)


def choose_videos(
    truth: GroundTruth, results: Mapping[str, Sequence[Mapping]], count: int
) -> list[str]:
    """Take videos with some actions, evenly from the worst to the best detected.

    How well a video is detected is the mean, over its actions, of the highest tIoU with one of its
    best detections of that class, twice as many as there are actions.

    Args:
        truth: Annotated actions.
        results: Detections by video.
        count: How many, at most.
    """
    sizes = np.bincount(truth.videos, minlength=len(truth.video_ids))
    suitable = (sizes >= READABLE[0]) & (sizes <= READABLE[1])
    if not suitable.any():
        suitable = sizes > 0
    order = np.argsort(truth.videos, kind="stable")
    ends = np.cumsum(sizes)
    rated = []
    for index in np.flatnonzero(suitable):
        rows = order[ends[index] - sizes[index] : ends[index]]
        found = sorted(results.get(truth.video_ids[index], ()), key=lambda one: -one["score"])
        found = found[: 2 * len(rows)]
        best = []
        for row in rows:
            label = truth.classes[truth.labels[row]]
            own = [one for one in found if str(one["label"]) == label]
            action = {"segment": truth.segments[row]}
            best.append(max((best_overlap(d["segment"], [action]) for d in own), default=0.0))
        rated.append((float(np.mean(best)), truth.video_ids[index]))
    rated.sort()
    count = min(count, len(rated))
    places = np.linspace(0, len(rated) - 1, count + 2)[1:-1] if count < len(rated) else range(count)
    return [rated[round(place)][1] for place in places]


def draw_timelines(
    args: argparse.Namespace, truth: GroundTruth, paths: Mapping[str, str]
) -> list[Section]:
    """Sections of the videos that were asked for or chosen.

    Raises:
        ValueError: If a video is not in the ground truth.
    """
    if not args.videos and args.num_timelines < 1:
        return []
    database, name = read_section(args.ground_truth, "database", "the ground truth")
    results = {key: read_section(path, "results", "results")[0] for key, path in paths.items()}
    videos = args.videos or choose_videos(truth, next(iter(results.values())), args.num_timelines)
    sections = []
    for video in videos:
        if video not in database:
            raise ValueError(f"--videos: {name} has no video '{video}'; check the id")
        entry = database[video]
        kept = [
            a for a in entry.get("annotations") or [] if str(a["label"]) not in args.ignore_labels
        ]
        found = {key: result.get(video, []) for key, result in results.items()}
        sections.append(timeline_section({**entry, "annotations": kept}, found, video))
    return sections


def overview(diagnoses: Mapping[str, Diagnosis]) -> Table:
    """What to print: a row per result, numbers in percent."""
    table = Table(title="percent", title_justify="left", title_style="")
    table.add_column("result")
    for title in ("mAP", "mAP_N", "missed", "worst bin (mAP_N)", "costliest error (mAP_N points)"):
        table.add_column(title, justify="right")
    for name, one in diagnoses.items():
        bins = [
            (value, f"{c.bins.title.lower()} {bin_name}")
            for c in one.characteristics
            for bin_name, value in zip(c.bins.names, c.map_n, strict=True)
            if not np.isnan(value)
        ]
        value, where = min(bins)
        impact = one.false_positives.impact
        error = DETECTION_TYPES[1:][int(impact.argmax())]
        table.add_row(
            Text(name),
            f"{100 * one.mean_ap:.2f}",
            f"{100 * one.map_n:.2f}",
            f"{100 * one.missed:.1f}",
            f"{where} {100 * value:.1f}",
            f"{error} {100 * impact.max():+.1f}",
        )
    return table


def main() -> None:
    """Diagnose, draw, write."""
    args = parse_args()
    names = result_names(args.predictions, args.names)
    if len(names) > MAX_RESULTS:
        raise ValueError(f"at most {MAX_RESULTS} results are compared, got {len(names)}")
    default = ACTIVITYNET_TIOU if "activitynet" in args.bins else "0.5"
    thresholds = parse_tiou(args.tiou or default)
    truth = load_ground_truth(
        args.ground_truth,
        args.subset,
        args.ignore_labels,
        resolve_block_list(args.block_list),
        not args.keep_duplicates,
    )
    durations = load_durations(args.ground_truth, truth)
    paths = dict(zip(names, args.predictions, strict=True))
    diagnoses = {
        name: diagnose_loaded(
            truth,
            durations,
            path,
            thresholds,
            bins=args.bins,
            normalizer=args.normalizer,
            num_bands=args.num_bands,
        )
        for name, path in paths.items()
    }
    files = write_report(
        args.out,
        diagnoses,
        ground_truth=Path(args.ground_truth).name,
        timelines=draw_timelines(args, truth, paths),
        formats=args.formats,
    )
    console = Console()
    if not console.is_terminal:
        console.width = 200
    console.print(overview(diagnoses))
    print(f"{files[0]} and {len(files) - 1} other files")


if __name__ == "__main__":
    sys.exit(run_cli(main))
