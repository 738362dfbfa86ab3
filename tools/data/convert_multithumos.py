"""Convert the annotation of MultiTHUMOS into the JSON that mmtad reads, and check its counts.

Recognised are the official text files (a folder with Walk.txt, NoHuman.txt, ..., 65 classes), the
multithumos.json of "super-events" and ActivityNet-style JSON. Class numbers become names. The text
files give no durations: name files that do by --video-info, or the folder of the videos by
--videos. All 413 videos are those of THUMOS14.
"""

import sys

from mmtad.apis.cli import run_cli
from mmtad.apis.conversion import conversion_parser, finish, run_conversion
from mmtad.datasets.benchmarks import MULTITHUMOS

EXAMPLES = """examples:
  python tools/data/convert_multithumos.py multithumos.json
  python tools/data/convert_multithumos.py multithumos/annotations --videos data/thumos14/videos
"""


def main() -> None:
    """Convert and report."""
    parser = conversion_parser(__doc__, EXAMPLES)
    parser.add_argument(
        "--out",
        default="data/multithumos/annotations/multithumos.json",
        metavar="FILE",
        help="file to write (default: %(default)s)",
    )
    args = parser.parse_args()
    finish([(run_conversion(MULTITHUMOS, args), args.out)], args.allow_other_counts)


if __name__ == "__main__":
    sys.exit(run_cli(main))
