"""Convert the annotation of ActivityNet-1.3 into the JSON that mmtad reads, and check its counts.

Recognised are the official activity_net.v1-3.min.json, ActivityNet-style JSON, BMN's
anet_anno_action.json (it names no subsets: give its video_info_new.csv by --video-info), and the
tables of TSP, *_tsp_groundtruth.csv and *_metadata.csv, whose file names tell the subset. All may
be compressed (.gz). Ids lose the "v_" that names of files carry.

Many videos have left the web. --available names the features or videos that you have; the ids of
the others are written to unavailable.txt, a block list for configs and for tools/evaluate.py.
"""

import sys
from pathlib import Path

from mmtad.apis.cli import run_cli
from mmtad.apis.conversion import conversion_parser, finish, run_conversion
from mmtad.datasets.benchmarks import ACTIVITYNET, Converted
from mmtad.datasets.benchmarks.activitynet import available_ids

EXAMPLES = """examples:
  python tools/data/convert_activitynet.py activity_net.v1-3.min.json
  python tools/data/convert_activitynet.py activity_net.v1-3.min.json \\
      --available data/activitynet/features/tsp
  python tools/data/convert_activitynet.py anet_anno_action.json --video-info video_info_new.csv
"""


def write_unavailable(converted: Converted, there: set[str], path: Path) -> None:
    """Write the ids of the database that are not there, one per line."""
    missing = sorted(converted.database.keys() - there)
    path.write_text("".join(f"{video_id}\n" for video_id in missing))
    print(f"wrote {path}: {len(missing):,} of {len(converted.database):,} videos are not there")


def main() -> None:
    """Convert and report."""
    parser = conversion_parser(__doc__, EXAMPLES)
    parser.add_argument(
        "--out",
        default="data/activitynet/annotations/activitynet.json",
        metavar="FILE",
        help="file to write (default: %(default)s)",
    )
    parser.add_argument(
        "--available",
        metavar="PATH",
        help="folder of features or videos, or a file of BMN: ids that it lacks are written beside "
        "the annotation as unavailable.txt, for block_list",
    )
    args = parser.parse_args()
    there = available_ids(args.available) if args.available else None
    converted = run_conversion(ACTIVITYNET, args)
    finish([(converted, args.out)], args.allow_other_counts)
    if there is not None:
        write_unavailable(converted, there, Path(args.out).with_name("unavailable.txt"))


if __name__ == "__main__":
    sys.exit(run_cli(main))
