"""What the pictures of a diagnosis share: bars per bin and result, headings, legends."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from ..evaluation.detection import format_tiou
from ..evaluation.diagnosis_bins import Bins
from ..evaluation.diagnosis_result import BinResult, Diagnosis
from .class_styles import COLORS, HATCHES
from .timeline import shorten

FONT, SMALL_FONT = 9, 7.5
MAX_RESULTS = 6
GRID = {"color": "0.88", "linewidth": 0.6}
BASE_LINE = {"linestyle": (0, (4, 2)), "linewidth": 1.1}
HALO = [withStroke(linewidth=2.2, foreground="white")]


def new_figure(width: float, height: float, dpi: int) -> Figure:
    """A figure with its own canvas, without global state; sizes in inches."""
    figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def check_results(diagnoses: Mapping[str, Diagnosis]) -> None:
    """Make sure that results can stand side by side.

    Raises:
        ValueError: If there are none or more than six, or their thresholds, actions or bins differ.
    """
    if not 0 < len(diagnoses) <= MAX_RESULTS:
        raise ValueError(
            f"a picture compares 1 to {MAX_RESULTS} results, got {len(diagnoses)}; choose some"
        )
    keys = {
        (one.tiou_thresholds, one.num_actions, tuple(c.bins for c in one.characteristics))
        for one in diagnoses.values()
    }
    if len(keys) > 1:
        raise ValueError(
            "results can be compared only with the same ground truth, tIoU thresholds and bins"
        )


def describe_tiou(thresholds: Sequence[float]) -> str:
    """The thresholds in a few words."""
    if len(thresholds) == 1:
        return f"tIoU {format_tiou(thresholds[0])}"
    low, high = format_tiou(min(thresholds)), format_tiou(max(thresholds))
    return f"mean over {len(thresholds)} tIoU thresholds from {low} to {high}"


def short_name(figure: Figure, name: str, inches: float, size: float = FONT) -> str:
    """A name on one line, cut in its middle where it is too wide."""
    renderer = figure.canvas.get_renderer()
    text = " ".join(str(name).split())
    return shorten(text, inches * figure.dpi, FontProperties(size=size), renderer)


def text_inches(figure: Figure, text: str, size: float = FONT) -> float:
    """Width of a text."""
    renderer = figure.canvas.get_renderer()
    width = renderer.get_text_width_height_descent(text, FontProperties(size=size), False)[0]
    return width / figure.dpi


def add_heading(figure: Figure, title: str, diagnoses: Mapping[str, Diagnosis]) -> None:
    """Put the title, the thresholds and, if it is only one, the name of the result on top."""
    first = next(iter(diagnoses.values()))
    details = f"{describe_tiou(first.tiou_thresholds)}, {first.num_actions:,} annotated actions"
    if len(diagnoses) == 1:
        name = short_name(figure, next(iter(diagnoses)), figure.get_figwidth() - 5)
        details = f"{name} · {details}"
    text = figure.suptitle(f"{title}\n{details}", fontsize=FONT + 1)
    text.set_parse_math(False)


def result_styles(names: Sequence[str]) -> dict[str, dict]:
    """Fill of the bars of each result: a colour, and a hatch that survives a grey print."""
    return {
        name: {"facecolor": color, "hatch": hatch or None, "edgecolor": "white", "linewidth": 0}
        for name, color, hatch in zip(names, COLORS, (*HATCHES, "--", "||"), strict=False)
    }


def add_result_legend(figure: Figure, bases: Mapping[str, float]) -> None:
    """Name the results below a figure, with their value over all actions, the dashed line.

    Args:
        figure: A figure with bars per result.
        bases: Percent of all actions by name of the result.
    """
    columns = 1
    if len(bases) == 1:
        handles = [Line2D([], [], color="0.2", **BASE_LINE)]
        texts = [f"all actions: {next(iter(bases.values())):.1f} %"]
    else:
        handles = [Patch(**style) for style in result_styles(list(bases)).values()]
        room = figure.get_figwidth()
        texts = [
            f"{short_name(figure, name, room - 3.4)} (all actions, dashed: {base:.1f} %)"
            for name, base in bases.items()
        ]
        widest = max(text_inches(figure, text) for text in texts)
        columns = max(1, min(len(texts), int(room / (widest + 0.8)), 3))
    legend = figure.legend(
        handles,
        ["x"] * len(handles),
        loc="outside lower center",
        ncols=columns,
        fontsize=FONT,
        frameon=False,
        handlelength=2.4,
    )
    for text, words in zip(legend.get_texts(), texts, strict=True):
        text.set_parse_math(False)
        text.set_text(words)


def bin_ticks(bins: Bins) -> list[str]:
    """Labels of the bins: name and range; coverage in percent."""
    if bins.characteristic == "coverage":
        edges = [f"{100 * edge:g}" for edge in bins.edges]
        ranges = [f"{low}–{high}" for low, high in zip(edges, edges[1:], strict=False)]
    else:
        ranges = bins.ranges()
    return [f"{name}\n{text}" for name, text in zip(bins.names, ranges, strict=True)]


def axis_label(bins: Bins) -> str:
    """Characteristic and unit of the ticks."""
    units = {"coverage": "% of the video", "length": "s", "num_instances": "per video"}
    return f"{bins.title} ({units[bins.characteristic]})"


def column_width(one: BinResult, num_results: int) -> float:
    """Inches of a characteristic that leave room for its label and the numbers above its bars."""
    per_bar = 0.3 if num_results < 3 else 0.2 if num_results < 5 else 0.15
    return max(1.6, len(one.counts) * max(0.56, per_bar * num_results + 0.08))


def draw_bins(
    figure: Figure,
    grid: GridSpec,
    diagnoses: Mapping[str, Diagnosis],
    value: Callable[[BinResult], np.ndarray],
    bases: Mapping[str, float],
    ylabel: str,
) -> None:
    """Bars per bin and result in percent, a column per characteristic, shares of actions below.

    Args:
        figure: Where to draw.
        grid: Two rows, and at least as many columns as there are characteristics.
        diagnoses: Results by name.
        value: Fractions ``[B]`` that the bars show.
        bases: Percent of all actions by name, shown as lines.
        ylabel: What the bars are.
    """
    styles = result_styles(list(diagnoses))
    first = next(iter(diagnoses.values()))
    values = {
        name: [100 * value(one) for one in diagnosis.characteristics]
        for name, diagnosis in diagnoses.items()
    }
    highest = max(float(np.nanmax(v, initial=0)) for columns in values.values() for v in columns)
    top = min(max(highest, *bases.values(), 5) * 1.15, 112)
    width = 0.84 / len(styles)
    leftmost = None
    for column, one in enumerate(first.characteristics):
        axes = figure.add_subplot(grid[0, column], sharey=leftmost)
        for index, (name, style) in enumerate(styles.items()):
            color = style["facecolor"] if len(styles) > 1 else "0.2"
            axes.axhline(bases[name], color=color, zorder=1, **BASE_LINE)
            places = np.arange(len(one.counts)) - 0.42 + (index + 0.5) * width
            _draw_bars(axes, places, values[name][column], width, style, len(styles))
        _finish(axes, one, top, ylabel if column == 0 else "")
        _draw_shares(figure.add_subplot(grid[1, column]), one, column == 0)
        leftmost = leftmost or axes


def _draw_bars(
    axes: Axes,
    places: np.ndarray,
    values: np.ndarray,
    width: float,
    style: dict,
    num_results: int,
) -> None:
    axes.bar(places, np.nan_to_num(values), width * 0.94, zorder=2, **style)
    for place, number in zip(places, values, strict=True):
        empty = np.isnan(number)
        axes.annotate(
            "–" if empty else f"{number:.1f}" if num_results < 3 else f"{number:.0f}",
            (place, 0 if empty else number),
            xytext=(0, 2.5),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=SMALL_FONT,
            rotation=90 if num_results > 4 else 0,
            zorder=4,
            path_effects=HALO,
        )


def _finish(axes: Axes, one: BinResult, top: float, ylabel: str) -> None:
    step = 20 if top > 50 else 10 if top > 22 else 5
    axes.set_ylim(0, top)
    axes.set_yticks([tick for tick in range(0, 101, step) if tick < top])
    axes.set_xlim(-0.6, len(one.counts) - 0.4)
    axes.set_xticks(range(len(one.counts)), [""] * len(one.counts))
    axes.set_title(one.bins.title, fontsize=FONT, fontweight="bold")
    axes.tick_params(axis="y", labelleft=bool(ylabel))
    axes.set_ylabel(ylabel, fontsize=FONT)
    clean(axes, "y")


def _draw_shares(axes: Axes, one: BinResult, leftmost: bool) -> None:
    """How the annotated actions are spread over the bins."""
    shares = 100 * one.shares
    axes.bar(range(len(shares)), shares, 0.84, color="0.72", zorder=2)
    for place, share in enumerate(shares):
        axes.annotate(
            f"{share:.0f}" if share >= 1 or share == 0 else f"{share:.1f}".replace("0.0", "<0.1"),
            (place, share),
            xytext=(0, 1.5),
            textcoords="offset points",
            ha="center",
            fontsize=SMALL_FONT,
        )
    axes.set_ylim(0, 130)
    axes.set_yticks([0, 50, 100])
    axes.set_xlim(-0.6, len(shares) - 0.4)
    axes.set_xticks(range(len(shares)), bin_ticks(one.bins))
    axes.set_xlabel(axis_label(one.bins), fontsize=FONT)
    axes.tick_params(axis="y", labelleft=leftmost)
    axes.set_ylabel("actions (%)" if leftmost else "", fontsize=FONT)
    clean(axes, "y")


def clean(axes: Axes, values: str) -> None:
    """Grid lines for the axis of the values, no ticks on the other, no frame."""
    axes.tick_params(axis="x", labelsize=FONT - 1, length=3 if values == "x" else 0)
    axes.tick_params(axis="y", labelsize=FONT - 1, length=3 if values == "y" else 0)
    axes.grid(axis=values, **GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
