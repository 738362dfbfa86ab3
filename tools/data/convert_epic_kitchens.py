"""Convert the annotation of EPIC-Kitchens-100 into JSON files for verbs, nouns and actions.

Recognised are the official EPIC_100_train.csv, EPIC_100_validation.csv and
EPIC_100_test_timestamps.csv, and the tables of the official detection baseline (training.csv,
validation.csv, test_timestamps.csv, whose frames count at 30 per second). File names tell the
subset. Class names come from EPIC_100_verb_classes.csv and EPIC_100_noun_classes.csv, durations
from EPIC_100_video_info.csv. All may be compressed (.gz).

Three files are written: epic_verb.json (97 classes), epic_noun.json (300 classes) and
epic_action.json, whose labels are "<verb> <noun>" and whose annotations hold the ids of both.
"""

import sys
from pathlib import Path

from mmtad.apis.cli import run_cli
from mmtad.apis.conversion import conversion_parser, finish, read_sources, run_conversion
from mmtad.datasets.benchmarks import Converted
from mmtad.datasets.benchmarks.epic_kitchens import (
    TARGETS,
    action_classes,
    epic_benchmark,
    label_sources,
    read_classes,
    unseen_classes,
)

EXAMPLES = """example, in a copy of the official repository of annotations:
  python tools/data/convert_epic_kitchens.py EPIC_100_train.csv EPIC_100_validation.csv \\
      EPIC_100_test_timestamps.csv --verb-classes EPIC_100_verb_classes.csv \\
      --noun-classes EPIC_100_noun_classes.csv --video-info EPIC_100_video_info.csv
"""


def print_unseen(converted: Converted, target: str) -> None:
    """Say which classes a training never shows."""
    unseen = unseen_classes(converted)
    if "train" in converted.counts and unseen:
        names = ", ".join(unseen[:20]) + (", ..." if len(unseen) > 20 else "")
        total = len(converted.classes)
        print(f"{len(unseen)} of {total} {target} classes have no instance in train: {names}")


def main() -> None:
    """Convert and report."""
    parser = conversion_parser(__doc__, EXAMPLES)
    parser.add_argument("--verb-classes", required=True, metavar="FILE", help="names by id")
    parser.add_argument("--noun-classes", required=True, metavar="FILE", help="names by id")
    parser.add_argument(
        "--out",
        default="data/epic_kitchens100/annotations",
        metavar="DIR",
        help="folder to write the three files to (default: %(default)s)",
    )
    args = parser.parse_args()
    verbs = read_classes(args.verb_classes, "verb")
    nouns = read_classes(args.noun_classes, "noun")
    sources = read_sources(args.sources, epic_benchmark("verb", verbs))
    results = []
    for target in TARGETS:
        labelled = label_sources(sources, target, verbs, nouns)
        classes = {"verb": verbs, "noun": nouns}.get(target)
        benchmark = epic_benchmark(target, classes or action_classes(sources, verbs, nouns))
        converted = run_conversion(benchmark, args, labelled)
        results.append((converted, Path(args.out) / f"epic_{target}.json"))
    finish(results, args.allow_other_counts)
    for target, (converted, _) in zip(TARGETS, results, strict=True):
        print_unseen(converted, target)


if __name__ == "__main__":
    sys.exit(run_cli(main))
