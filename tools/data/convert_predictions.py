"""Convert detections or proposals in text files of THUMOS14 into a result file of this project.

Detections: a line is "video start end class_id score". Proposals: "video start end", or "video
start end score"; without scores they are ranked as in the file. Files may be compressed (.gz).
tools/evaluate.py evaluates what is written.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from mmtad.apis.cli import run_cli
from mmtad.evaluation import read_json, read_text_results, write_results
from mmtad.postprocessing import THUMOS14_CLASS_IDS

EXAMPLES = """examples:
  python tools/data/convert_predictions.py CBR_THUMOS-14_IoU0.5.txt cbr.json --reversed swap
  python tools/data/convert_predictions.py run.txt run.json --classes detclasslist.txt
  python tools/data/convert_predictions.py test_proposals_from_TURN.txt turn.json --proposals \\
      --fps thumos14.json
"""


def read_class_names(source: str) -> dict[int, str]:
    """Names of classes by id.

    Args:
        source: ``"thumos14"``, or a text file with lines ``id name``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is not an id and a name, or an id is given twice.
    """
    if source == "thumos14":
        return {number: name for name, number in THUMOS14_CLASS_IDS.items()}
    path = Path(source)
    if not path.is_file():
        raise FileNotFoundError(f"{source} does not exist; give 'thumos14' or a file 'id name'")
    names: dict[int, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        words = line.split(maxsplit=1)
        if not words:
            continue
        if len(words) != 2 or not words[0].isdigit():
            raise ValueError(f"{source}, line {number} is {line!r}; expected an id and a name")
        if int(words[0]) in names:
            raise ValueError(f"{source}, line {number} gives the id {words[0]} again")
        names[int(words[0])] = words[1].strip()
    return names


def read_frame_rates(source: str) -> float | Mapping[str, float]:
    """A number, or the frame rates of the videos of an annotation file.

    Raises:
        FileNotFoundError: If it is no number and there is no such file.
        ValueError: If the annotation has no videos.
    """
    try:
        return float(source)
    except ValueError:
        content = read_json(source)
    database = content.get("database") if isinstance(content, Mapping) else None
    if not isinstance(database, Mapping):
        raise ValueError(f"{source} has no key 'database'; give an annotation file or a number")
    return {video: float(info["fps"]) for video, info in database.items() if "fps" in info}


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="TEXT", help="text file to convert")
    parser.add_argument("output", metavar="RESULTS", help="JSON file to write")
    parser.add_argument(
        "--classes",
        default="thumos14",
        metavar="FILE",
        help="names of the class ids: 'thumos14' for the ids 7 to 97 of the challenge (default), "
        "or a text file with lines 'id name'",
    )
    parser.add_argument("--proposals", action="store_true", help="the file holds proposals")
    parser.add_argument(
        "--fps",
        metavar="RATE",
        help="times are frames of videos of this rate; an annotation file gives the rate of every "
        "video as 'fps' (default: times are seconds)",
    )
    parser.add_argument(
        "--reversed",
        choices=["error", "swap", "empty", "drop"],
        default="error",
        help="segments that end before they start: refuse the file (default), swap their ends as "
        "the THUMOS14 kit does, count them as misses of zero length, or drop them",
    )
    return parser.parse_args()


def main() -> None:
    """Convert, and say what was found."""
    args = parse_args()
    results = read_text_results(
        args.source,
        None if args.proposals else read_class_names(args.classes),
        fps=None if args.fps is None else read_frame_rates(args.fps),
        reversed_segments=args.reversed,
    )
    write_results(args.output, results)
    total = sum(map(len, results.values()))
    what = "proposals" if args.proposals else "detections"
    print(f"wrote {total:,} {what} on {len(results):,} videos to {args.output}")
    if not args.proposals:
        counts = Counter(one["label"] for found in results.values() for one in found)
        for label, count in sorted(counts.items()):
            print(f"  {label:24} {count:,}")


if __name__ == "__main__":
    sys.exit(run_cli(main))
