"""Tables of ``miniature.py``: variants, their layers, and the claims."""

import statistics
from collections.abc import Sequence

from miniature_group import Group
from miniature_groups import GROUPS
from rich import box
from rich.table import Table


def make_tables(name: str, results: Sequence[dict], style: box.Box) -> list[Table]:
    """Tables of the finished runs of a group; those without a row are left out."""
    group = GROUPS[name]
    found = {
        variant: runs
        for variant in group.variants
        if (runs := [one for one in results if one["variant"] == variant])
    }
    tables = (make(group, found, style) for make in (_variants, _layers, _claims))
    return [table for table in tables if table.row_count]


def mean_and_std(values: Sequence[float], digits: int = 1) -> str:
    """Two figures; the deviation is that of a sample."""
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


def _variants(group: Group, found: dict[str, list[dict]], style: box.Box) -> Table:
    """What each variant is, reaches and costs."""
    table = Table(title=group.about, box=style)
    table.add_column("variant", no_wrap=True)
    table.add_column("what it is")
    has_backbone = group.pretrain is not None
    sizes = ("trained", "in backbone") if has_backbone else ("trained",)
    for column in ("seeds", *group.metrics, *sizes, "s", "CPU s"):
        table.add_column(column, justify="right")
    keys = ("trained", "trained_in_backbone")[: len(sizes)]
    for variant, runs in found.items():
        table.add_row(
            variant,
            group.variants[variant].about,
            str(len(runs)),
            *(mean_and_std([100 * one["metrics"][key] for one in runs]) for key in group.metrics),
            *(f"{runs[0][key]:,}" for key in keys),
            *(f"{statistics.mean(r[k] for r in runs):.0f}" for k in ("seconds", "cpu_seconds")),
        )
    return table


def _layers(group: Group, found: dict[str, list[dict]], style: box.Box) -> Table:
    """Metrics of layers, where a group has them."""
    prefix = group.layer_metrics
    names = [] if prefix is None else _names(found, prefix)
    table = Table(title=prefix, box=style)
    for column in ("variant", *(name.removeprefix(prefix).strip("/") for name in names)):
        table.add_column(column, justify="left" if column == "variant" else "right")
    for variant, runs in found.items() if names else ():
        values = [
            [one["metrics"][name] for one in runs if name in one["metrics"]] for name in names
        ]
        if any(values):
            table.add_row(variant, *(mean_and_std(v, 2) if v else "–" for v in values))
    return table


def _names(found: dict[str, list[dict]], prefix: str) -> list[str]:
    """Metrics that begin so, of all runs, in their order."""
    names = (name for runs in found.values() for one in runs for name in one["metrics"])
    return sorted({name for name in names if name.startswith(prefix)})


def _claims(group: Group, found: dict[str, list[dict]], style: box.Box) -> Table:
    """Differences seed by seed."""
    table = Table(title="Claims, seed by seed", box=style)
    for column in ("claim", "variants", "metric", "difference", "holds in"):
        table.add_column(
            column, justify="right" if column in ("difference", "holds in") else "left"
        )
    metrics = {(name, one["seed"]): one["metrics"] for name, runs in found.items() for one in runs}
    for claim in group.claims:
        (better, metric), (worse, worse_metric) = claim.sides
        is_layer = group.layer_metrics is not None and metric.startswith(group.layer_metrics)
        pairs = [
            (metrics[better, seed][metric], metrics[worse, seed][worse_metric])
            for name, seed in metrics
            if name == better and metric in metrics[better, seed]
            if worse_metric in metrics.get((worse, seed), ())
        ]
        if pairs:
            gains = [(1 if is_layer else 100) * (high - low) for high, low in pairs]
            table.add_row(
                claim.text,
                better if better == worse else f"{better} > {worse}",
                metric if metric == worse_metric else f"{metric} > {worse_metric}",
                mean_and_std(gains, 2 if is_layer else 1),
                f"{sum(gain > 0 for gain in gains)} of {len(gains)}",
            )
    return table
