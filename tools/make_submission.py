"""Turn result files into the file that the server of a challenge takes, and check it.

activitynet   RESULTS                 detections of ActivityNet-1.3
epic          VERBS NOUNS             EPIC-Kitchens-100: verbs and nouns are paired into actions
epic          ACTIONS                 the same, with labels "<verb> <noun>"
ego4d         DETECTIONS [RETRIEVAL]  Moment Queries of Ego4D; RETRIEVAL may hold other results for
                                      recall@kx, such as those of a gentler suppression
"""

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

from mmtad.apis.cli import run_cli
from mmtad.evaluation import (
    load_ground_truth,
    make_activitynet_submission,
    make_ego4d_submission,
    make_epic_submission,
    pair_verbs_and_nouns,
)

EXAMPLES = """examples:
  python tools/make_submission.py activitynet predictions.json --out submission.json \\
      --videos activitynet.json --subset testing
  python tools/make_submission.py epic verbs.json nouns.json --out test.json --sls 2 3 4 \\
      --verb-classes EPIC_100_verb_classes.csv --noun-classes EPIC_100_noun_classes.csv
  python tools/make_submission.py ego4d predictions.json --out submission.json \\
      --videos ego4d_mq.json --subset test
"""


def read_class_names(path: str) -> list[str]:
    """Names in the order of their ids, from ``EPIC_100_verb_classes.csv`` or its like.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no columns ``id`` and ``key``, or the ids are not 0, 1, 2, ...
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} does not exist; give the official table of classes")
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"id", "key"} <= rows[0].keys():
        raise ValueError(f"{path} has no columns 'id' and 'key'; give the official table")
    if [row["id"] for row in rows] != [str(number) for number in range(len(rows))]:
        raise ValueError(f"the ids of {path} are not 0, 1, 2, ...; give the official table")
    return [row["key"] for row in rows]


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("challenge", choices=["activitynet", "epic", "ego4d"], help="which server")
    add("results", nargs="+", metavar="RESULTS", help="result files, see above")
    add("--out", required=True, metavar="FILE", help="JSON file to write")
    add(
        "--videos",
        metavar="GT",
        help="annotation file: the submission holds exactly the videos of its --subset, and labels "
        "that occur in the file (default: those of the results)",
    )
    add("--subset", help="subset of --videos (default: all its videos)")
    add("--external-data", metavar="TEXT", help="activitynet: which other data was used")
    add("--verb-classes", metavar="CSV", help="epic: EPIC_100_verb_classes.csv")
    add("--noun-classes", metavar="CSV", help="epic: EPIC_100_noun_classes.csv")
    add(
        "--sls",
        nargs=3,
        type=int,
        metavar=("PT", "TL", "TD"),
        help="epic: supervision levels of pre-training, training labels and training data, 0 to 5, "
        "as the challenge defines them",
    )
    add(
        "--pair-iou",
        type=float,
        default=0.5,
        help="epic: least tIoU of a verb and a noun of one action (default: %(default)s)",
    )
    add(
        "--max-per-video",
        type=int,
        default=10_000,
        help="epic: largest number of actions of a video (default: %(default)s)",
    )
    args = parser.parse_args()
    if len(args.results) > (1 if args.challenge == "activitynet" else 2):
        parser.error(f"{args.challenge} takes fewer result files than {len(args.results)}")
    for option in ("verb_classes", "noun_classes", "sls"):
        if (getattr(args, option) is None) == (args.challenge == "epic"):
            needs = "needs" if args.challenge == "epic" else "takes no"
            parser.error(f"{args.challenge} {needs} --{option.replace('_', '-')}")
    return args


def make_epic(args: argparse.Namespace, videos: list[str] | None) -> dict[str, Any]:
    """Pair verbs and nouns if they come in two files, and give names their ids."""
    actions: Any = args.results[0]
    if len(args.results) == 2:
        paired = pair_verbs_and_nouns(
            *args.results, iou_threshold=args.pair_iou, max_per_video=args.max_per_video
        )
        actions = {"results": paired}
    levels = dict(zip(("sls_pt", "sls_tl", "sls_td"), args.sls, strict=True))
    verbs, nouns = read_class_names(args.verb_classes), read_class_names(args.noun_classes)
    return make_epic_submission(actions, verbs, nouns, videos=videos, **levels)


def main() -> None:
    """Make, check and write the file."""
    args = parse_args()
    videos = labels = None
    if args.videos:
        truth = load_ground_truth(args.videos, args.subset)
        videos, labels = truth.video_ids, truth.known_labels or None
    if args.challenge == "epic":
        content = make_epic(args, videos)
    elif args.challenge == "ego4d":
        content = make_ego4d_submission(*args.results, videos=videos, labels=labels)
    else:
        content = make_activitynet_submission(args.results[0], videos, args.external_data, labels)
    path = Path(args.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    for key in ("results", "detect_results", "retrieve_results"):
        if key in content:
            total = sum(map(len, content[key].values()))
            print(f"{key}: {total:,} detections on {len(content[key]):,} videos")
    print(f"wrote {path}")


if __name__ == "__main__":
    sys.exit(run_cli(main))
