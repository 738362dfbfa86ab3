"""Pictures of a diagnosis: sensitivity to characteristics, and types of error."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.patches import Patch

from ..evaluation.diagnosis_profiles import DETECTION_TYPES
from ..evaluation.diagnosis_result import Diagnosis
from .bin_bars import (
    BASE_LINE,
    FONT,
    HALO,
    SMALL_FONT,
    add_heading,
    add_result_legend,
    check_results,
    clean,
    column_width,
    draw_bins,
    new_figure,
    result_styles,
    short_name,
)

# Okabe and Ito's palette; background is grey.
TYPE_COLORS = ("#009E73", "#56B4E9", "#CC79A7", "#E69F00", "#D55E00", "#B8B8B8")


def draw_sensitivity(diagnoses: Mapping[str, Diagnosis], dpi: int = 130) -> Figure:
    """Draw mAP_N per bin of each characteristic, and how far the bins depart from the whole.

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
    change = max(2.0, 0.5 + len(columns) * (0.22 * len(diagnoses) + 0.3))
    figure = new_figure(1.6 + sum(columns) + change, 4.7 + 0.1 * len(diagnoses), dpi)
    grid = GridSpec(
        2, len(columns) + 1, figure, width_ratios=[*columns, change], height_ratios=[3.2, 1]
    )
    bases = {name: 100 * one.map_n for name, one in diagnoses.items()}
    draw_bins(figure, grid, diagnoses, lambda one: one.map_n, bases, "mAP$_N$ (%)")
    _draw_change(figure.add_subplot(grid[:, -1]), diagnoses)
    add_result_legend(figure, bases)
    add_heading(figure, "Sensitivity to characteristics of the actions", diagnoses)
    return figure


def _draw_change(axes: Axes, diagnoses: Mapping[str, Diagnosis]) -> None:
    """From the worst to the best bin, relative to all actions."""
    styles = result_styles(list(diagnoses))
    titles = [one.bins.title for one in next(iter(diagnoses.values())).characteristics]
    step = 0.86 / len(styles)
    axes.axhline(1, color="0.2", zorder=1, **BASE_LINE)
    high = 1.0
    for index, (name, style) in enumerate(styles.items()):
        for place, one in enumerate(diagnoses[name].characteristics):
            change = diagnoses[name].relative_change(one)
            if np.isnan(change).all():
                continue
            x = place - 0.43 + (index + 0.5) * step
            ends = float(np.nanmin(change)), float(np.nanmax(change))
            high = max(high, ends[1])
            axes.plot([x, x], ends, color=style["facecolor"], linewidth=5, solid_capstyle="butt")
            places = zip(ends, (-3, 3), ("top", "bottom"), strict=True)
            for end, offset, side in list(places)[ends[0] == ends[1] :]:
                axes.annotate(
                    f"{end:.2f}" if len(styles) < 3 else f"{end:.1f}",
                    (x, end),
                    xytext=(0, offset),
                    textcoords="offset points",
                    ha="center",
                    va=side,
                    fontsize=SMALL_FONT,
                    path_effects=HALO,
                )
    axes.set_ylim(-0.1 * high, 1.1 * high)
    axes.set_yticks(np.arange(0, 1.1 * high, 0.5 if high > 1.6 else 0.25))
    axes.set_xlim(-0.6, len(titles) - 0.4)
    axes.set_xticks(range(len(titles)), titles)
    axes.set_title("Worst to best bin", fontsize=FONT, fontweight="bold")
    axes.set_ylabel("mAP$_N$ relative to all actions", fontsize=FONT)
    clean(axes, "y")


def draw_false_positives(diagnoses: Mapping[str, Diagnosis], dpi: int = 130) -> Figure:
    """Draw what the best detections are, band by band, and what each type of error costs.

    Args:
        diagnoses: Results by name, all of one ground truth.
        dpi: Pixels per inch.

    Returns:
        The figure, a row per result.

    Raises:
        ValueError: If the results cannot be compared.
    """
    check_results(diagnoses)
    figure = new_figure(9.2, 1.15 + 2.75 * len(diagnoses), dpi)
    grid = GridSpec(len(diagnoses), 2, figure, width_ratios=[2.1, 1])
    gains = [100 * one.false_positives.impact for one in diagnoses.values()]
    span = min(0.0, *map(np.min, gains)), max(0.8, *map(np.max, gains))
    for row, (name, diagnosis) in enumerate(diagnoses.items()):
        profile = figure.add_subplot(grid[row, 0])
        _draw_profile(profile, diagnosis)
        if len(diagnoses) > 1:
            title = profile.set_title("x", fontsize=FONT, fontweight="bold")
            title.set_parse_math(False)
            title.set_text(short_name(figure, name, 5.0))
        impact = figure.add_subplot(grid[row, 1])
        _draw_impact(impact, gains[row], span)
        if row == 0:
            impact.set_title("Gain without this error", fontsize=FONT, fontweight="bold")
    figure.legend(
        [Patch(facecolor=color) for color in TYPE_COLORS],
        DETECTION_TYPES,
        loc="outside lower center",
        ncols=6,
        fontsize=FONT - 0.5,
        frameon=False,
        handlelength=1.4,
        columnspacing=1.4,
    )
    add_heading(figure, "What the best detections are, and what each error costs", diagnoses)
    return figure


def _draw_profile(axes: Axes, diagnosis: Diagnosis) -> None:
    profile = diagnosis.false_positives
    shares = 100 * np.nan_to_num(profile.shares)
    places = range(len(shares))
    bottom = np.zeros(len(shares))
    for heights, color in zip(shares.T, TYPE_COLORS, strict=True):
        axes.bar(places, heights, 0.86, bottom, color=color, edgecolor="white", linewidth=0.4)
        for place in np.flatnonzero(heights >= 6):
            axes.text(
                place,
                bottom[place] + heights[place] / 2,
                f"{heights[place]:.0f}",
                ha="center",
                va="center_baseline",
                fontsize=SMALL_FONT,
            )
        bottom += heights
    totals = profile.counts.sum(axis=1)
    axes.set_xticks(places, [f"{i + 1}G\n{total:,.0f}" for i, total in enumerate(totals)])
    axes.set_xlim(-0.6, len(shares) - 0.4)
    axes.set_ylim(0, 100)
    axes.set_ylabel("detections (%)", fontsize=FONT)
    axes.set_xlabel("rank (G: annotated actions of the class), detections in it", fontsize=FONT)
    clean(axes, "y")


def _draw_impact(axes: Axes, gain: np.ndarray, span: tuple[float, float]) -> None:
    places = np.arange(len(gain))[::-1]
    axes.barh(places, gain, 0.72, color=TYPE_COLORS[1:], zorder=2)
    for place, value in zip(places, gain, strict=True):
        axes.annotate(
            f"{value:+.1f}",
            (max(value, 0), place),
            xytext=(3, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=SMALL_FONT + 0.5,
        )
    axes.set_yticks(places, DETECTION_TYPES[1:])
    axes.set_xlim(1.2 * span[0], 1.2 * span[1])
    axes.set_xlabel("mAP$_N$ (points)", fontsize=FONT)
    clean(axes, "x")
