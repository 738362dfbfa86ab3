"""Pictures of what a detector misses, by bin and by pairs of bins."""

from collections.abc import Mapping

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.image import AxesImage

from ..evaluation.diagnosis_result import Diagnosis, PairResult
from .bin_bars import (
    FONT,
    SMALL_FONT,
    add_heading,
    add_result_legend,
    axis_label,
    bin_ticks,
    check_results,
    column_width,
    draw_bins,
    new_figure,
    short_name,
)


def draw_false_negatives(diagnoses: Mapping[str, Diagnosis], dpi: int = 130) -> Figure:
    """Draw the share of missed actions per bin of each characteristic.

    Args:
        diagnoses: Results by name, all of one ground truth with the same bins.
        dpi: Pixels per inch.

    Returns:
        The figure.

    Raises:
        ValueError: If the results cannot be compared.
    """
    check_results(diagnoses)
    first = next(iter(diagnoses.values()))
    columns = [column_width(one, len(diagnoses)) for one in first.characteristics]
    width = max(1.2 + sum(columns), 5.6)
    figure = new_figure(width, 4.5 + 0.1 * len(diagnoses), dpi)
    grid = GridSpec(2, len(columns), figure, width_ratios=columns, height_ratios=[3.2, 1])
    bases = {name: 100 * one.missed for name, one in diagnoses.items()}
    draw_bins(figure, grid, diagnoses, lambda one: one.missed, bases, "missed actions (%)")
    add_result_legend(figure, bases)
    add_heading(figure, "Missed actions by characteristic", diagnoses)
    return figure


def draw_missed_pairs(diagnoses: Mapping[str, Diagnosis], dpi: int = 130) -> Figure:
    """Draw the share of missed actions per pair of characteristics, a row per result.

    Args:
        diagnoses: Results by name, with bins of two or more characteristics.
        dpi: Pixels per inch.

    Returns:
        The figure; each cell tells percent missed and, below, annotated actions.

    Raises:
        ValueError: If the results cannot be compared, or have no pair.
    """
    check_results(diagnoses)
    first = next(iter(diagnoses.values()))
    if not first.pairs:
        raise ValueError("pairs need bins of two or more characteristics")
    columns = [max(1.6, 0.62 * pair.counts.shape[1]) for pair in first.pairs]
    height = max(pair.counts.shape[0] for pair in first.pairs)
    rows = len(diagnoses)
    figure = new_figure(2.4 + sum(columns), 1.0 + rows * (0.85 + 0.46 * height), dpi)
    grid = GridSpec(rows, len(columns), figure, width_ratios=columns)
    image = None
    for row, (name, diagnosis) in enumerate(diagnoses.items()):
        for column, pair in enumerate(diagnosis.pairs):
            axes = figure.add_subplot(grid[row, column])
            image = _draw_pair(axes, pair)
            if column == 0 and rows > 1:
                title = axes.set_title("x", fontsize=FONT, fontweight="bold", loc="left")
                title.set_parse_math(False)
                title.set_text(short_name(figure, name, 0.7 * figure.get_figwidth()))
                title.set_in_layout(False)  # it may reach over the neighbours
    bar = figure.colorbar(image, ax=figure.axes, shrink=0.7 if rows == 1 else 0.4, aspect=20)
    bar.set_label("missed actions (%)", fontsize=FONT)
    bar.ax.tick_params(labelsize=FONT - 1)
    add_heading(figure, "Missed actions by pairs of characteristics", diagnoses)
    return figure


def _draw_pair(axes: Axes, pair: PairResult) -> AxesImage:
    colors, norm = colormaps["Blues"].with_extremes(bad="0.93"), Normalize(0, 100)
    percent = 100 * pair.missed
    masked = np.ma.masked_invalid(percent)
    image = axes.imshow(masked, cmap=colors, norm=norm, aspect="auto", origin="lower")
    for (row, column), count in np.ndenumerate(pair.counts):
        if not count:
            axes.text(column, row, "–", ha="center", va="center", fontsize=FONT, color="0.4")
            continue
        options = {"ha": "center", "color": "white" if percent[row, column] > 62 else "black"}
        share = f"{percent[row, column]:.0f}"
        axes.text(column, row + 0.02, share, va="bottom", fontsize=FONT, **options)
        axes.text(column, row - 0.08, f"of {count:,}", va="top", fontsize=SMALL_FONT - 1, **options)
    rows, columns = pair.bins
    axes.set_xticks(range(len(columns.names)), bin_ticks(columns), fontsize=FONT - 1)
    axes.set_yticks(range(len(rows.names)), bin_ticks(rows), fontsize=FONT - 1)
    axes.set_xlabel(axis_label(columns), fontsize=FONT)
    axes.set_ylabel(axis_label(rows), fontsize=FONT)
    axes.set_xticks(np.arange(len(columns.names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows.names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.2)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    return image
