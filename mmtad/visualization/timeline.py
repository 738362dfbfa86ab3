"""Ground truth above predictions on one time axis, one panel a video."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from .class_styles import ClassStyle, add_legend, class_styles
from .panels import Limits, Panel, make_panel

# Inches, and points for the fonts.
WIDTH, LEFT, RIGHT = 12.0, 1.15, 0.35
LANE, BLOCK_GAP, TITLE, TICKS, XLABEL = 0.26, 0.12, 0.34, 0.3, 0.2
FONT, SMALL_FONT = 9, 7
AXIS = WIDTH - LEFT - RIGHT
MIN_BAR = 0.017
MAX_VIDEOS = 60

Paint = Callable[[dict], tuple[dict, dict]]


def panel_height(panel: Panel) -> float:
    """Inches."""
    rows = sum(block.rows for block in panel.blocks)
    return rows * LANE + (len(panel.blocks) + 1) * BLOCK_GAP


def shorten(text: str, limit: float, font: FontProperties, renderer) -> str:
    """Cut out the middle of a text until it is at most ``limit`` pixels wide."""
    keep = len(text)
    short = text
    while keep > 8 and _text_width(short, font, renderer) > limit:
        keep -= 2
        short = text[: keep // 2] + "…" + text[len(text) - keep // 2 :]
    return short


def _text_width(text: str, font: FontProperties, renderer) -> float:
    return renderer.get_text_width_height_descent(text, font, False)[0]


def class_paint(styles: Mapping[str, ClassStyle]) -> Paint:
    """Colour and hatch by class, opacity by score."""

    def paint(item: dict) -> tuple[dict, dict]:
        score = item.get("score")
        alpha = 1.0 if score is None else 0.1 + 0.9 * min(max(score, 0.0), 1.0)
        style = styles[item["label"]]
        return style.patch_options(alpha), style.text_options(alpha)

    return paint


def _draw_bar(axes: Axes, item: dict, row: float, paint: Paint, duration: float, renderer) -> None:
    pixels = axes.bbox.width / duration
    start, end = (min(max(value, 0.0), duration) for value in item["segment"])
    width = max(end - start, MIN_BAR * axes.get_figure().dpi / pixels)
    start = max(min(start, duration - width), 0.0)
    score = item.get("score")
    patch_options, text_options = paint(item)
    axes.add_patch(Rectangle((start, row + 0.08), width, 0.84, clip_on=False, **patch_options))
    label = item["label"]
    texts = [label] if score is None else [f"{label} {score:.2f}", f"{score:.2f}"]
    font = FontProperties(size=SMALL_FONT)
    for text in texts:
        if _text_width(text, font, renderer) + 8 <= width * pixels:
            axes.text(
                start + width / 2,
                row + 0.5,
                text,
                fontproperties=font,
                ha="center",
                va="center_baseline",
                parse_math=False,
                **text_options,
            )
            return


def draw_panel(axes: Axes, panel: Panel, paint: Paint, renderer) -> None:
    """Draw one video into axes that have their final size.

    Args:
        axes: As high as :func:`panel_height` says.
        panel: What to show.
        paint: Options of the patch and of the text on it, for each item.
        renderer: Measures texts.
    """
    gap = BLOCK_GAP / LANE
    row, ticks, names = gap, [], []
    for index, block in enumerate(panel.blocks):
        if index:
            axes.axhline(row - gap / 2, color="0.7", linewidth=0.6)
        ticks.append(row + block.rows / 2)
        names.append(block.name + (f"\n(+{block.hidden} hidden)" if block.hidden else ""))
        for lane in block.lanes:
            for item in lane:
                _draw_bar(axes, item, row, paint, panel.duration, renderer)
            row += 1
        if not block.lanes:
            axes.text(
                0.5,
                row + 0.5,
                block.empty_text,
                transform=axes.get_yaxis_transform(),
                fontsize=SMALL_FONT + 1,
                color="0.4",
                style="italic",
                ha="center",
                va="center",
            )
            row += 1
        row += gap
    axes.set(xlim=(0, panel.duration), ylim=(row, 0))
    axes.set_yticks(ticks, names, fontsize=FONT)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=FONT - 1)
    axes.xaxis.set_major_locator(MaxNLocator(12))
    axes.grid(axis="x", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    note = axes.set_title(panel.note, loc="right", fontsize=FONT - 1, color="0.35")
    free = axes.bbox.width - 0.2 * axes.get_figure().dpi
    free -= note.get_window_extent(renderer).width
    font = FontProperties(size=FONT + 1, weight="bold")
    title = shorten(panel.title, free, font, renderer)
    axes.set_title(title, loc="left", fontproperties=font, parse_math=False)


def draw_timeline(
    ground_truth: Mapping[str, Mapping] | None,
    predictions: Mapping[str, Sequence[dict]],
    path: str | Path | None = None,
    *,
    video_ids: Sequence[str] | None = None,
    durations: Mapping[str, float] | None = None,
    min_score: float = 0.1,
    top_k: int | None = None,
    max_lanes: int = 8,
    dpi: int = 120,
) -> Figure:
    """Draw the actions of some videos: a panel a video, ground truth above predictions, in seconds.

    Colour (and hatch, beyond seven classes) is the class, opacity the score. Segments that overlap
    are stacked; the uppermost lane of predictions holds the best ones. The title of a panel counts
    what is shown.

    Args:
        ground_truth: ``{video_id: {"duration", "annotations": [{"segment", "label"}]}}``, segments
            in seconds. None draws predictions only.
        predictions: ``{video_id: [{"segment", "label", "score"}]}``, segments in seconds. A video
            that is missing here counts as one without predictions.
        path: Picture to write; None writes nothing.
        video_ids: Videos to draw, in this order. By default all of both arguments.
        durations: Seconds per video, for videos without ground truth. By default the latest end.
        min_score: Predictions below are not shown.
        top_k: Most predictions shown per video, the best ones; None for no limit.
        max_lanes: Most lanes of a block; what does not fit is counted beside the block.
        dpi: Pixels per inch; the picture is 12 inches wide.

    Returns:
        The figure.

    Raises:
        ValueError: If there is no video to draw, more than 60, or one that neither argument knows,
            or an entry is malformed.
    """
    truth = ground_truth or {}
    video_ids = list(video_ids if video_ids is not None else dict.fromkeys([*truth, *predictions]))
    _check(video_ids, truth, predictions)
    limits = Limits(min_score, top_k, max_lanes, min_share=MIN_BAR / AXIS)
    panels = [
        make_panel(
            video_id,
            predictions.get(video_id, []),
            truth[video_id].get("annotations", []) if video_id in truth else None,
            ground_truth is not None,
            truth.get(video_id, {}).get("duration") or (durations or {}).get(video_id),
            limits,
        )
        for video_id in video_ids
    ]
    figure = _draw_figure(panels, min_score, dpi)
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
    return figure


def _draw_figure(panels: Sequence[Panel], min_score: float, dpi: int) -> Figure:
    items = [item for p in panels for b in p.blocks for lane in b.lanes for item in lane]
    styles = class_styles(item["label"] for item in items)
    title = "colour: class, opacity of predictions: score"
    if min_score > 0:
        title += f" (shown from {min_score:g})"
    figure = Figure(figsize=(WIDTH, 4), dpi=dpi)
    renderer = FigureCanvasAgg(figure).get_renderer()
    legend = add_legend(figure, styles, title)[1] + 0.05 if styles else 0.1
    height = sum(TITLE + panel_height(panel) + TICKS for panel in panels) + XLABEL + legend
    figure.set_size_inches(WIDTH, height)
    top = height
    for panel in panels:
        top -= TITLE + panel_height(panel)
        axes = figure.add_axes(
            (LEFT / WIDTH, top / height, AXIS / WIDTH, panel_height(panel) / height)
        )
        draw_panel(axes, panel, class_paint(styles), renderer)
        top -= TICKS
    axes.set_xlabel("time (s)", fontsize=FONT)
    return figure


def _check(video_ids: Sequence[str], truth: Mapping, predictions: Mapping) -> None:
    if not 0 < len(video_ids) <= MAX_VIDEOS:
        raise ValueError(
            f"a timeline shows 1 to {MAX_VIDEOS} videos, got {len(video_ids)}; name some of them"
        )
    unknown = [v for v in video_ids if v not in truth and v not in predictions]
    if unknown:
        raise ValueError(
            f"video '{unknown[0]}' is neither in the ground truth nor in the predictions"
        )
