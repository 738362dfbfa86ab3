"""Measure how diverse the attention of detectors with queries is, layer by layer, and draw it.

Diversity d(A) is 0 where all steps or queries attend alike, the collapse that Self-DETR cures:
docs/attention.md. Windows are those of the config's test; several models are compared, each on the
windows of its own config.

The table shows d(A) and in brackets d(A) / ||A||, which does not grow just because a map looks at
few places. Also writes diversity.json (numbers), diversity.png (d(A) by layer, a line per model)
and, with the maps of the first window, a row per model, maps_encoder.png, maps_decoder.png and
maps_cross.png.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader

from mmtad.apis.cli import add_config_overrides, read_config, run_cli
from mmtad.apis.model_setup import build_model, choose_device
from mmtad.checkpoints import load_checkpoint_safely
from mmtad.engine import AttentionSummary
from mmtad.models.layers.attention_recorder import record_attention
from mmtad.ops.attention_diversity import CENTRES
from mmtad.registry import DATASETS
from mmtad.visualization.attention_plots import TITLES, draw_attention_maps, draw_diversity

EXAMPLES = """examples:
  python tools/analysis/attention_diversity.py \\
      configs/dab_detr/dab-detr_i3d_128x4_120e_thumos14.py dab_detr.pth \\
      --compare configs/self_detr/self-detr_i3d_128x4_120e_thumos14.py self_detr.pth \\
      --names DAB-DETR Self-DETR --out attention
  python tools/analysis/attention_diversity.py CONFIG none --random-features 16 --out attention
"""


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("config", metavar="CONFIG", help="config of a detector with queries")
    add("checkpoint", metavar="CHECKPOINT", help="its checkpoint; none for untrained weights")
    add(
        "--compare",
        nargs=2,
        action="append",
        default=[],
        metavar=("CONFIG", "CHECKPOINT"),
        help="another model; up to five times",
    )
    add("--names", nargs="+", help="what to call the models (default: names of the configs)")
    add("--out", required=True, metavar="DIR", help="folder for numbers and pictures")
    add(
        "--num-windows",
        type=int,
        default=64,
        metavar="N",
        help="look at the first N windows of the test (default: %(default)s)",
    )
    add(
        "--random-features",
        type=int,
        metavar="N",
        help="instead, N windows of random features: no data are needed, and what comes out tells "
        "about the model alone",
    )
    add(
        "--centre",
        choices=CENTRES,
        default=CENTRES[0],
        help="row that maps are compared with: the median (default) or mean of each column",
    )
    add(
        "--heads",
        choices=["average", "each"],
        default="average",
        help="d(A) of the mean over heads (default), or the mean over heads of d(A)",
    )
    add("--batch-size", type=int, default=8, help="windows at a time (default: %(default)s)")
    add("--device", help="for example cuda:1 (default: the GPU if there is one)")
    add("--dpi", type=int, default=150, help="pixels per inch of the pictures")
    add_config_overrides(parser)
    args = parser.parse_args()
    for name in ("num_windows", "random_features", "batch_size", "dpi"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    return args


def model_names(configs: Sequence[str], names: Sequence[str] | None) -> list[str]:
    """Tell models apart: as told, or by the name of the config, with a number where it repeats.

    Raises:
        ValueError: If the number of names is wrong, or two models have one name.
    """
    if names is None:
        stems = [Path(config).stem for config in configs]
        return [
            stem if stems.count(stem) == 1 else f"{stem} ({stems[: index + 1].count(stem)})"
            for index, stem in enumerate(stems)
        ]
    if len(names) != len(configs):
        raise ValueError(f"--names needs a name per model: {len(configs)}, got {len(names)}")
    if len(set(names)) < len(names):
        raise ValueError("two models have the same name; choose different --names")
    return list(names)


def feature_size(cfg: Config) -> tuple[int, int]:
    """Channels and steps of the features that a config's test takes.

    Raises:
        ValueError: If the config is not on features of a known size.
    """
    length = cfg.get("test_dataloader", {}).get("dataset", {}).get("window_size")
    channels = cfg.model.get("projection", {}).get("in_channels")
    if cfg.model.get("backbone") or not length or not channels:
        raise ValueError(
            f"--random-features needs a detector on features; {cfg.filename} has a video encoder, "
            "or no test_dataloader.dataset.window_size, or no model.projection.in_channels"
        )
    return channels if isinstance(channels, int) else sum(channels), length


def random_batches(size: tuple[int, int], count: int, batch_size: int) -> Iterator[dict[str, Any]]:
    """Windows of random features, the same for every model of one size."""
    generator = torch.Generator().manual_seed(0)
    for start in range(0, count, batch_size):
        shape = (min(batch_size, count - start), *size)
        yield dict(inputs=list(torch.randn(shape, generator=generator)))


def window_batches(cfg: Config, count: int, batch_size: int) -> Iterator[dict[str, Any]]:
    """The first windows of a config's test.

    Raises:
        ValueError: If the config has no test data, or no window can be read.
    """
    if not cfg.get("test_dataloader"):
        raise ValueError(f"{cfg.filename} has no test_dataloader; use --random-features")
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    subset = torch.utils.data.Subset(dataset, range(min(count, len(dataset))))
    found = False
    for batch in DataLoader(subset, batch_size=batch_size, collate_fn=pseudo_collate):
        good = [i for i, x in enumerate(batch["data_samples"]) if x.get("error") is None]
        if good:
            found = True
            yield {key: [values[i] for i in good] for key, values in batch.items()}
    if not found:
        raise ValueError(f"none of the first {len(subset)} windows of {cfg.filename} can be read")


@torch.inference_mode()
def measure(
    cfg: Config, checkpoint: str, args: argparse.Namespace
) -> tuple[AttentionSummary, str, float | None]:
    """Run one model over its windows.

    Returns:
        The summary, what the first window is, and its seconds per step, or None if unknown.
    """
    device = choose_device(args.device)
    size = feature_size(cfg) if args.random_features else None
    untrained = checkpoint.lower() == "none"
    summary, caption, seconds = AttentionSummary(args.centre, args.heads), "", None
    with DefaultScope.overwrite_default_scope(cfg.get("default_scope") or "mmtad"):
        torch.manual_seed(0)  # of untrained weights
        weights = None if untrained else load_checkpoint_safely(checkpoint)
        model = build_model(cfg, weights, checkpoint).to(device)
        if size:
            batches = random_batches(size, args.random_features, args.batch_size)
        else:
            batches = window_batches(cfg, args.num_windows, args.batch_size)
        with record_attention(model) as record:
            for batch in batches:
                data = model.data_preprocessor(batch, False)
                if not caption:
                    caption, seconds = describe(data.get("data_samples"))
                model(data["inputs"], data["masks"], mode="tensor")
                summary.add(record.maps)
                record.clear()
    return summary, caption, seconds


def describe(samples: Sequence[Any] | None) -> tuple[str, float | None]:
    """What the first window of a batch is, and its seconds per step."""
    if not samples:
        return "a window of random features", None
    grid = samples[0].get("grid")
    if grid is None:
        return f"video {samples[0].get('video_id')}", None
    return f"video {samples[0].get('video_id')} from {max(grid.origin, 0):.1f} s", grid.step


def draw(
    summaries: dict[str, AttentionSummary], caption: str, seconds: float | None, out: Path, dpi: int
) -> None:
    """Write the pictures."""
    first = next(iter(summaries.values()))
    means = {name: one.means() for name, one in summaries.items()}
    spread = {name: one.deviations() for name, one in summaries.items()}
    draw_diversity(means, spread, first.centre, dpi).savefig(out / "diversity.png")
    for kind in TITLES:
        maps = {n: one.examples[kind] for n, one in summaries.items() if kind in one.examples}
        if maps:
            figure = draw_attention_maps(maps, kind, caption, seconds, dpi)
            figure.savefig(out / f"maps_{kind}.png")


def make_table(summaries: dict[str, AttentionSummary]) -> Table:
    """Rows of kinds and layers, a column per model."""
    first = next(iter(summaries.values()))
    of_heads = "the mean over heads" if first.heads == "average" else "each head"
    table = Table(
        title=f"diversity d(A), {first.centre} as centre, of {of_heads}\n"
        "mean ± deviation over windows (mean of d(A) / ||A||)",
        title_justify="left",
    )
    for header in ("attention", "layer", *summaries):
        table.add_column(header, justify="left" if header == "attention" else "right")
    means = [one.means() for one in summaries.values()]
    spread = [one.deviations() for one in summaries.values()]
    shares = [one.relative_means() for one in summaries.values()]
    for kind, title in TITLES.items():
        for layer in range(max(len(one.get(kind, ())) for one in means)):
            cells = [
                f"{mean[kind][layer]:.3f} ± {deviation[kind][layer]:.3f} ({share[kind][layer]:.2f})"
                if layer < len(mean.get(kind, ()))
                else "–"
                for mean, deviation, share in zip(means, spread, shares, strict=True)
            ]
            table.add_row(title if layer == 0 else "", str(layer + 1), *cells)
    return table


def main() -> None:
    """Measure, print, draw, write."""
    args = parse_args()
    MMLogger.get_current_instance().setLevel("WARNING")  # not how every weight started
    pairs = [(args.config, args.checkpoint), *args.compare]
    names = model_names([config for config, _ in pairs], args.names)
    results, summaries = {}, {}
    captions: dict[str, None] = {}
    steps = set()
    for name, (config, checkpoint) in zip(names, pairs, strict=True):
        cfg = read_config(config)
        if args.cfg_options:
            cfg.merge_from_dict(args.cfg_options)
        summary, caption, seconds = measure(cfg, checkpoint, args)
        summaries[name] = summary
        captions[caption] = None
        steps.add(seconds)
        results[name] = dict(config=config, checkpoint=checkpoint, **summary.numbers())
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    settings = dict(centre=args.centre, heads=args.heads, random_features=args.random_features)
    content = json.dumps(dict(settings=settings, results=results), indent=2)
    (out / "diversity.json").write_text(content + "\n", encoding="utf-8")
    seconds = steps.pop() if len(steps) == 1 else None  # else axes would have two scales
    draw(summaries, "; ".join(captions), seconds, out, args.dpi)
    console = Console()
    if not console.is_terminal:
        console.width = 240
    console.print(make_table(summaries))
    console.print(f"{out}: diversity.json and {len(list(out.glob('*.png')))} pictures")


if __name__ == "__main__":
    sys.exit(run_cli(main))
