"""Convert the annotation of THUMOS14 into the JSON that mmtad reads, and check its counts.

Any of these layouts is recognised: the challenge's text files per class (a folder that holds
<class>_val.txt and <class>_test.txt, at any depth), the JSON files of ActionFormer, BasicTAD,
G-TAD, R-C3D, DETAD and RTD-Action, and the tables of G-TAD, AFSD and TSP. The text files, the
tables of G-TAD and AFSD and the JSON of G-TAD, R-C3D, DETAD and RTD-Action give no durations: name
a file that does by --video-info, or the folder of the videos by --videos.

Test videos that the field leaves out stay in the file; configs leave them out by block_list
(thumos14_213, _212, _211, _210: how many remain). Ambiguous stays too: training and evaluation
ignore it by default, and the evaluation of the THUMOS toolkit needs it.
"""

import sys

from mmtad.apis.cli import run_cli
from mmtad.apis.conversion import conversion_parser, finish, run_conversion
from mmtad.datasets.benchmarks import THUMOS14

EXAMPLES = """examples:
  python tools/data/convert_thumos14.py thumos14.json
  python tools/data/convert_thumos14.py TH14_Temporal_annotations_validation \\
      TH14_Temporal_annotations_test --videos data/thumos14/videos
  python tools/data/convert_thumos14.py val_Annotation_ours.csv test_Annotation_ours.csv \\
      --video-info val_video_info.csv test_video_info.csv
"""


def main() -> None:
    """Convert and report."""
    parser = conversion_parser(__doc__, EXAMPLES)
    parser.add_argument(
        "--out",
        default="data/thumos14/annotations/thumos14.json",
        metavar="FILE",
        help="file to write (default: %(default)s)",
    )
    parser.add_argument(
        "--drop-ambiguous", action="store_true", help="leave the label Ambiguous out of the file"
    )
    args = parser.parse_args()
    converted = run_conversion(THUMOS14, args, drop_ignored=args.drop_ambiguous)
    finish([(converted, args.out)], args.allow_other_counts)


if __name__ == "__main__":
    sys.exit(run_cli(main))
