"""Turn the weights of another project into a checkpoint of this one.

Reads VideoMAE, VideoMAEv2, MMAction2, ActionFormer and OpenTAD files without running code from
them, renames the weights, and writes {state_dict, meta} with the name and hash of the file that was
read. With --config the model of that config is built on the CPU and compared first: weights that do
not fit it are not written.
"""

import argparse
import sys

from mmtad.apis.cli import run_cli
from mmtad.checkpoints import known_sources
from mmtad.checkpoints.conversion import (
    check_fit,
    check_target,
    convert_checkpoint,
    write_checkpoint,
)
from mmtad.checkpoints.key_tables import get_source

EXAMPLES = """examples:
  python tools/convert_checkpoint.py vit_g_hybrid_pt_1200e_k710_ft.pth checkpoints/vit-g.pth \\
      --source videomae --half
  python tools/convert_checkpoint.py adatad_thumos_s.pth checkpoints/adatad-s.pth \\
      --source opentad_adatad --config configs/adatad/CONFIG.py
  python tools/convert_checkpoint.py --list
"""


class ListSources(argparse.Action):
    """``--list``: show the sources and leave."""

    def __call__(self, parser, *args) -> None:
        """Print one line a source."""
        width = max(map(len, known_sources()))
        for name in known_sources():
            print(f"{name:{width}}  {get_source(name).about}")
        parser.exit()


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", metavar="IN", help="checkpoint file of the other project")
    parser.add_argument("output", metavar="OUT", help="checkpoint file to write")
    parser.add_argument("--source", help="the project that it comes from, see --list")
    parser.add_argument("--config", help="config of the model that the weights are for")
    parser.add_argument(
        "--min-match",
        type=float,
        default=1.0,
        help="smallest share of the model's weights that must be met, 0 to 1 (default: 1)",
    )
    parser.add_argument("--half", action="store_true", help="store weights in half precision")
    parser.add_argument(
        "--adapter-indices",
        type=int,
        nargs="+",
        metavar="N",
        help="blocks that OpenTAD's side placement tapped (default: the last ones)",
    )
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")
    parser.add_argument("--list", action=ListSources, nargs=0, help="show the sources and leave")
    return parser.parse_args()


def main() -> None:
    """Read, rename, compare, write."""
    args = parse_args()
    check_target(args.output, args.force, args.input)
    checkpoint = convert_checkpoint(
        args.input, args.source, args.half, adapter_indices=args.adapter_indices
    )
    if args.config:
        print(check_fit(build(args.config), checkpoint, args.min_match))
    write_checkpoint(checkpoint, args.output, args.force, args.input)
    meta = checkpoint["meta"]
    print(f"{args.output}: {len(checkpoint['state_dict'])} entries of {meta['source']}")
    if not args.config:
        print("not compared with a model; give --config to know that the weights fit one")


def build(config: str):
    """Build the model of a config with random weights, on the CPU."""
    from mmengine.registry import init_default_scope

    from mmtad.apis.cli import read_config
    from mmtad.registry import MODELS

    cfg = read_config(config)
    if "model" not in cfg:
        raise ValueError(f"the config {config} has no model to compare the weights with")
    init_default_scope(cfg.get("default_scope", "mmtad"))
    return MODELS.build(cfg.model)


if __name__ == "__main__":
    sys.exit(run_cli(main))
