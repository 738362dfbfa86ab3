"""Make the synthetic features: videos as [T, C] arrays, whose actions are told by a cue far away.

A segment looks like one of a few appearances; which action it is, and whether it is one at all,
follows from the last short cue before it, which may be most of the video away. There are no
pictures and nothing to pre-train: a small detector learns it in a minute or two on a CPU.

The folder holds annotations.json (ActivityNet format, subsets "train" and "test") and features/
with a .npy file per video. The same arguments give the same files; a finished folder is used again.

    python tools/data/make_synthetic_features.py --out data/synthetic-features
    python tools/train.py configs/quickstart/dab-detr_synthetic-features.py
"""

import argparse
import sys

from mmtad.apis.cli import run_cli
from mmtad.datasets.synthetic_features import (
    APPEARANCES,
    CUES,
    SyntheticFeatureSpec,
    class_names,
    make_dataset,
)


def parse_args() -> argparse.Namespace:
    """Read the command line; the defaults are those of ``SyntheticFeatureSpec``."""
    spec = SyntheticFeatureSpec()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--out", default="data/synthetic-features", help="folder to write (default: %(default)s)")
    add("--seed", type=int, default=spec.seed, help="another seed, other videos (%(default)s)")
    add("--train", type=int, default=spec.train_videos, help="training videos (%(default)s)")
    add("--test", type=int, default=spec.test_videos, help="test videos (%(default)s)")
    add("--channels", type=int, default=spec.channels, help="channels of a feature (%(default)s)")
    looks, cues = len(APPEARANCES), len(CUES)
    add("--appearances", type=int, default=spec.appearances, help=f"1 to {looks} (%(default)s)")
    add("--cues", type=int, default=spec.cues, help=f"different cues, 1 to {cues} (%(default)s)")
    add("--noise", type=float, default=spec.noise, help="its deviation in a channel (%(default)s)")
    return parser.parse_args()


def main() -> None:
    """Make the benchmark and say what it holds."""
    args = parse_args()
    spec = SyntheticFeatureSpec(
        seed=args.seed,
        train_videos=args.train,
        test_videos=args.test,
        channels=args.channels,
        appearances=args.appearances,
        cues=args.cues,
        noise=args.noise,
    )
    counts = make_dataset(args.out, spec)
    names = class_names(spec)
    print(
        f"{args.out}: {counts['videos']} videos of {counts['steps'] / counts['videos']:.0f} steps "
        f"on average, {counts['actions']} actions of {len(names)} classes ({', '.join(names)})"
    )


if __name__ == "__main__":
    sys.exit(run_cli(main))
