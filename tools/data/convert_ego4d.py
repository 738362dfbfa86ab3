"""Convert Ego4D Moment Queries (or Goal-Step) into the JSON that mmtad reads.

Moment Queries: moments_train.json, moments_val.json and moments_test_unannotated.json as Ego4D
gives them out under its licence. A sample is a clip, named by its clip_uid; times are counted from
its start. Labels that are not primary, and clips of train and val that then have none, are left
out, as in the official evaluation. The ActivityNet-style JSON of ActionFormer or OpenTAD is read
too; ActionFormer's belongs to its features: both start up to half a second before the clip.

Goal-Step (--task goalstep): goalstep_train.json and goalstep_val.json, steps of whole videos.
"""

import sys
from dataclasses import replace

from mmtad.apis.cli import run_cli
from mmtad.apis.conversion import conversion_parser, finish, run_conversion
from mmtad.datasets.benchmarks import EGO4D_MQ, goalstep_benchmark
from mmtad.datasets.benchmarks.ego4d import LEVELS, read_label_map

EXAMPLES = """examples:
  python tools/data/convert_ego4d.py moments_train.json moments_val.json \\
      moments_test_unannotated.json --label-map ego4d_label_map.txt
  python tools/data/convert_ego4d.py --task goalstep goalstep_train.json goalstep_val.json \\
      --out data/ego4d/annotations/goalstep.json
"""


def main() -> None:
    """Convert and report."""
    parser = conversion_parser(__doc__, EXAMPLES)
    parser.add_argument(
        "--out",
        default="data/ego4d/annotations/ego4d_mq.json",
        metavar="FILE",
        help="file to write (default: %(default)s)",
    )
    parser.add_argument("--task", choices=["mq", "goalstep"], default="mq", help="(default: mq)")
    parser.add_argument(
        "--label-map",
        metavar="FILE",
        help="the 110 classes of Moment Queries in their order, lines of a number, a tab and a "
        "name; a label that it lacks is an error (default: the sorted labels of the files)",
    )
    parser.add_argument(
        "--keep-empty", action="store_true", help="keep clips of train and val without an action"
    )
    parser.add_argument(
        "--levels",
        choices=LEVELS,
        default="all",
        help="which steps of Goal-Step: the outer ones, those within them, or all (default)",
    )
    args = parser.parse_args()
    benchmark = EGO4D_MQ if args.task == "mq" else goalstep_benchmark(args.levels)
    if args.label_map:
        benchmark = replace(benchmark, classes=tuple(read_label_map(args.label_map)))
    if args.keep_empty:
        benchmark = replace(benchmark, needs_annotation=())
    finish([(run_conversion(benchmark, args), args.out)], args.allow_other_counts)


if __name__ == "__main__":
    sys.exit(run_cli(main))
