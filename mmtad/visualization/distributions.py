"""Pictures of what a data set holds: lengths of actions, coverage, actions per video."""

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from ..datasets.statistics import Distributions
from .class_styles import COLORS

_BINS = 24
_SKEWED = 0.1  # a median coverage below this asks for a logarithmic axis


def draw_distributions(sets: Mapping[str, Distributions], title: str = "") -> Figure:
    """Draw three histograms, in which each data set adds up to 100 %; dashes mark the medians.

    Args:
        sets: Distributions by the name of the data set; at least one holds an action.
        title: Text above.

    Returns:
        A figure; ``savefig`` writes it.

    Raises:
        ValueError: If there is no action at all.
    """
    kept = {name: one for name, one in sets.items() if len(one.lengths)}
    if not kept:
        raise ValueError("there is no action to draw the distributions of")
    figure = Figure(figsize=(13, 3.4 + 0.2 * len(kept)), layout="constrained")
    lengths, coverage, instances = figure.subplots(1, 3)
    values = {name: one.lengths for name, one in kept.items()}
    _histogram(lengths, values, _log_bins(values), "actions", lambda x: f"{x:.3g} s")
    _log_axis(lengths, "length of an action (s)", lambda x: f"{x:g}")

    values = {name: one.coverage for name, one in kept.items()}
    skewed = np.median(np.concatenate(list(values.values()))) < _SKEWED
    bins = _log_bins(values) if skewed else np.linspace(0, 1, _BINS + 1)
    _histogram(coverage, values, bins, "actions", _percent)
    label = "share of its video that an action takes"
    if skewed:
        _log_axis(coverage, label, _percent)
    else:
        coverage.set_xlabel(label)
        coverage.xaxis.set_major_formatter(PercentFormatter(1))

    values = {name: one.instances[one.instances > 0] for name, one in kept.items()}
    _histogram(instances, values, _doubling_bins(values), "videos", lambda x: f"{x:g} per video")
    _log_axis(instances, "actions per video", lambda x: f"{x:g}", base=2)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def _histogram(
    ax: Axes,
    values: Mapping[str, np.ndarray],
    bins: np.ndarray,
    unit: str,
    spell: Callable[[float], str],
) -> None:
    for color, (name, one) in zip(COLORS, values.items(), strict=False):
        weights, median = np.full(len(one), 1 / len(one)), float(np.median(one))
        text = f"{name}: {len(one):,} {unit}, median {spell(median)}"
        ax.hist(one, bins, weights=weights, color=color, alpha=0.25)
        ax.hist(one, bins, weights=weights, color=color, histtype="step", linewidth=1.4, label=text)
        ax.axvline(median, color=color, linewidth=1.2, linestyle="--")
    ax.set_ylabel(f"share of the {unit}")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.spines[["top", "right"]].set_visible(False)
    ax.margins(x=0.01)
    ax.legend(fontsize=9, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), borderpad=0)


def _log_axis(ax: Axes, label: str, spell: Callable[[float], str], base: int = 10) -> None:
    ax.set_xscale("log", base=base)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: spell(value)))
    ax.set_xlabel(label)


def _percent(value: float) -> str:
    return f"{100 * value:.2g}%" if value < 0.995 else "100%"


def _log_bins(values: Mapping[str, np.ndarray]) -> np.ndarray:
    joined = np.concatenate(list(values.values()))
    low, high = float(joined.min()), float(joined.max())
    return np.geomspace(low * 0.999, max(high, 1.5 * low) * 1.001, _BINS + 1)


def _doubling_bins(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """1, 2, 3 to 4, 5 to 8, ...: as wide as each other on a logarithmic axis."""
    high = max(int(one.max()) for one in values.values())
    return 2.0 ** np.arange(-1, np.ceil(np.log2(max(high, 1))) + 1) + 0.5
