"""Pictures of attention: how diverse it is from layer to layer, and the maps themselves."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from .bin_bars import FONT, MAX_RESULTS, clean, new_figure, short_name, text_inches
from .class_styles import COLORS

TITLES = {
    "encoder": "Encoder self-attention",
    "decoder": "Decoder self-attention",
    "cross": "Decoder cross-attention",
}
# What looks, and what is looked at.
AXES = {
    "encoder": ("step that looks", "step looked at"),
    "decoder": ("query that looks", "query looked at"),
    "cross": ("query that looks", "step looked at"),
}
MARKERS = ("o", "s", "^", "D", "v", "P")
Layers = Mapping[str, Sequence[float]]


def _check(results: Mapping, content: str) -> None:
    if not 0 < len(results) <= MAX_RESULTS:
        raise ValueError(
            f"a picture compares 1 to {MAX_RESULTS} models, got {len(results)}; choose some"
        )
    if not any(len(layers) for layers in results.values()):
        raise ValueError(f"none of the models has {content}")


def draw_diversity(
    results: Mapping[str, Layers],
    deviations: Mapping[str, Layers] | None = None,
    centre: str = "median",
    dpi: int = 150,
) -> Figure:
    """Draw d(A) against the layer, a panel per kind of attention and a line per model.

    As figure 4 of `LTP <https://arxiv.org/abs/2408.13152>`_.

    Args:
        results: By model, kind (``"encoder"``, ``"decoder"``, ``"cross"``) and layer; see
            :func:`mmtad.ops.attention_diversity.attention_diversity`.
        deviations: Standard deviations over windows in the same layout, drawn as bands; None for
            none.
        centre: Which centre d(A) was measured from, for the label.
        dpi: Pixels per inch.

    Returns:
        The figure.

    Raises:
        ValueError: If there are no models, more than six, or none with a layer.
    """
    _check(results, "attention layers")
    kinds = [kind for kind in TITLES if any(kind in layers for layers in results.values())]
    figure = new_figure(max(0.7 + 2.7 * len(kinds), 4.6), 3.1 + 0.2 * len(results), dpi)
    panels = figure.subplots(1, len(kinds), squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        for index, (name, layers) in enumerate(results.items()):
            values = np.asarray(layers.get(kind, ()), dtype=float)
            places = np.arange(1, len(values) + 1)
            style = _line(index)
            axes.plot(places, values, zorder=3, **style)
            spread = np.asarray((deviations or {}).get(name, {}).get(kind, ()), dtype=float)
            if len(spread) == len(values) > 0:
                low, high = np.maximum(values - spread, 0), values + spread
                band = dict(color=style["color"], alpha=0.15, linewidth=0, zorder=2)
                if len(values) == 1:  # a band of one layer has no width
                    places, low, high = places + [-0.08, 0.08], low.repeat(2), high.repeat(2)
                axes.fill_between(places, low, high, **band)
        axes.set_title(TITLES[kind], fontsize=FONT, fontweight="bold")
        axes.set_xlabel("layer", fontsize=FONT)
        depth = max(len(layers.get(kind, ())) for layers in results.values())
        axes.set_xlim(0.7, depth + 0.3)
        axes.set_xticks(range(1, depth + 1))
        top = max(axes.get_ylim()[1], 1e-3)
        axes.set_ylim(0, top)
        axes.set_yticks(_ticks(top, 6))
        clean(axes, "y")
    panels[0].set_ylabel(f"diversity d(A), {centre} as centre", fontsize=FONT)
    handles = [Line2D([], [], **_line(index)) for index in range(len(results))]
    _add_legend(figure, handles, list(results))
    bands = "\nbands: one standard deviation over windows" if deviations else ""
    figure.suptitle(f"Diversity of attention by layer{bands}", fontsize=FONT + 1)
    return figure


def _line(index: int) -> dict:
    return dict(color=COLORS[index], marker=MARKERS[index], markersize=5, linewidth=1.6)


def _add_legend(figure: Figure, handles: list[Line2D], names: list[str]) -> None:
    room = figure.get_figwidth()
    texts = [short_name(figure, name, room - 1.2) for name in names]
    widest = max(text_inches(figure, text) for text in texts)
    legend = figure.legend(
        handles,
        ["x"] * len(handles),
        loc="outside lower center",
        ncols=max(1, min(len(texts), int(room / (widest + 0.7)))),
        fontsize=FONT,
        frameon=False,
    )
    for text, words in zip(legend.get_texts(), texts, strict=True):
        text.set_parse_math(False)
        text.set_text(words)


def draw_attention_maps(
    maps: Mapping[str, Sequence[np.ndarray]],
    kind: str,
    title: str = "one window",
    seconds_per_step: float | None = None,
    dpi: int = 150,
) -> Figure:
    """Draw attention maps side by side, a row per model and a column per layer.

    As figure 5 of `LTP <https://arxiv.org/abs/2408.13152>`_. All maps share one scale, whose top is
    the value that one weight in two hundred exceeds. A collapse shows as vertical lines: whatever
    looks, looks at the same few places.

    Args:
        maps: By model, the maps ``[R, C]`` of its layers without padding.
        kind: ``"encoder"``, ``"decoder"`` or ``"cross"``.
        title: What the maps are of.
        seconds_per_step: Label steps in seconds; None labels them by index.
        dpi: Pixels per inch.

    Returns:
        The figure.

    Raises:
        ValueError: If the kind is unknown, or there are no models, more than six, or no map.
    """
    if kind not in TITLES:
        raise ValueError(f"kind is one of {', '.join(TITLES)}, got {kind!r}")
    _check(maps, f"maps of {TITLES[kind].lower()}")
    columns = max(len(layers) for layers in maps.values())
    every = np.concatenate([np.ravel(one) for layers in maps.values() for one in layers])
    top = max(float(np.quantile(every, 0.995)), 1e-6)
    norm = Normalize(0, top)
    figure = new_figure(1.5 + 2.0 * columns, 1.05 + 2.05 * len(maps), dpi)
    grid = figure.subplots(len(maps), columns, squeeze=False)
    image = None
    looks = f"{AXES[kind][0]}{_unit(kind, 0, seconds_per_step)}"
    for number, (name, layers) in enumerate(maps.items()):
        for index, axes in enumerate(grid[number]):
            if index >= len(layers):
                axes.remove()
                continue
            image = _draw_map(axes, np.asarray(layers[index]), kind, norm, seconds_per_step)
            lowest = not any(index < len(below) for below in list(maps.values())[number + 1 :])
            axes.tick_params(labelleft=index == 0)
            if not lowest:
                axes.set_xticklabels([])
            if number == 0 or index >= len(next(iter(maps.values()))):
                axes.set_title(f"layer {index + 1}", fontsize=FONT)
        label = grid[number, 0].set_ylabel("x", fontsize=FONT)
        label.set_parse_math(False)
        words = short_name(figure, name, 1.9)
        label.set_text(f"{words}\n{looks}" if len(maps) > 1 else looks)
    looked_at = f"{AXES[kind][1]}{_unit(kind, 1, seconds_per_step)}"
    figure.supxlabel(looked_at, fontsize=FONT)
    bar = figure.colorbar(image, ax=figure.axes, aspect=18 * len(maps), extend="max", pad=0.02)
    bar.set_label("attention weight, mean over heads", fontsize=FONT)
    bar.ax.tick_params(labelsize=FONT - 1)
    heading = figure.suptitle("x", fontsize=FONT + 1)
    heading.set_parse_math(False)
    if len(maps) == 1:
        title = f"{next(iter(maps))}, {title}"
    words = short_name(figure, title, figure.get_figwidth() - 0.4)
    heading.set_text(f"{TITLES[kind]}\n{words}")
    return figure


def _ticks(top: float, count: int) -> list[float]:
    """Round numbers from 0 up to the end of an axis."""
    return [tick for tick in MaxNLocator(count).tick_values(0, top) if tick <= top]


def _unit(kind: str, side: int, seconds_per_step: float | None) -> str:
    return " (s)" if seconds_per_step and AXES[kind][side].startswith("step") else ""


def _draw_map(
    axes: Axes, values: np.ndarray, kind: str, norm: Normalize, seconds: float | None
) -> AxesImage:
    rows, columns = values.shape
    scale = [seconds if seconds and AXES[kind][side].startswith("step") else 1.0 for side in (0, 1)]
    extent = (0, columns * scale[1], rows * scale[0], 0)
    image = axes.imshow(
        values,
        cmap=colormaps["viridis"],
        norm=norm,
        extent=extent,
        aspect="auto",
        interpolation="nearest",
    )
    axes.set_box_aspect(1)  # also of queries and steps, whose units differ
    axes.set_xticks(_ticks(extent[1], 4))
    axes.set_yticks(_ticks(extent[2], 4))
    axes.tick_params(labelsize=FONT - 1, length=3)
    return image
