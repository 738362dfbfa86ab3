"""Several results for one video, every detection coloured by how well it fits an action.

As in the appendix of AdaTAD (`End-to-End Temporal Action Detection with 1B Parameters Across 1000
Frames <https://arxiv.org/abs/2311.17241>`_).
"""

from collections.abc import Mapping, Sequence

from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .class_styles import HATCHES
from .panels import Block, Limits, Panel, make_panel
from .timeline import (
    FONT,
    MIN_BAR,
    RIGHT,
    TICKS,
    TITLE,
    WIDTH,
    XLABEL,
    Paint,
    draw_panel,
    panel_height,
)

# Inches.
NAMES, BAR_ROOM, BAR_WIDTH = 1.75, 0.95, 0.16
# Yellow fits nothing, dark violet fits well: even steps for every eye, and dark on white paper.
COLORS = colormaps["viridis_r"]
OTHER = "xxxx"
NAME_LENGTH = 24


def best_overlap(segment: Sequence[float], actions: Sequence[Mapping]) -> float:
    """Highest tIoU of a segment with one of some actions.

    Args:
        segment: Start and end in seconds.
        actions: Entries with ``segment``.

    Returns:
        Fraction; 0 without actions.
    """
    start, end = segment
    best = 0.0
    for action in actions:
        first, last = (float(value) for value in action["segment"])
        inter = min(end, last) - max(start, first)
        if inter > 0:
            best = max(best, inter / ((end - start) + (last - first) - inter))
    return best


def file_name(video_id: str) -> str:
    """A video id without characters that a file name can not hold."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in video_id)


def draw_overlap_timeline(
    annotation: Mapping,
    results: Mapping[str, Sequence[Mapping]],
    video_id: str,
    *,
    top_k: int | None = None,
    max_lanes: int = 8,
    dpi: int = 130,
) -> Figure:
    """Draw the annotated actions of one video above the best detections of each result.

    The colour of a detection is its highest tIoU with an annotated action of its class. Where the
    video has several classes they are told apart by hatches.

    Args:
        annotation: ``{"duration", "annotations": [{"segment", "label"}]}``, seconds.
        results: Detections ``[{"segment", "label", "score"}]`` of this video by name of the result.
        video_id: Title.
        top_k: Most detections shown of each result, the best ones. Defaults to twice the number of
            annotated actions, at least 10.
        max_lanes: Most lanes per result; what does not fit is counted beside them.
        dpi: Pixels per inch; the picture is 12 inches wide.

    Returns:
        The figure.

    Raises:
        ValueError: If there is no result, or an entry is malformed.
    """
    if not results:
        raise ValueError(f"there is no result to draw for video '{video_id}'; give one or more")
    actions = annotation.get("annotations") or []
    if top_k is None:
        top_k = max(10, 2 * len(actions))
    panel = _make_panel(annotation, results, video_id, top_k, max_lanes)
    truth: dict[str, list[Mapping]] = {}
    for action in actions:
        truth.setdefault(" ".join(str(action["label"]).split()), []).append(action)
    shown = {item["label"] for b in panel.blocks for lane in b.lanes for item in lane}
    hatches = {label: HATCHES[i % (len(HATCHES) - 1)] for i, label in enumerate(sorted(truth))}

    legend = 0.24 if shown else 0.02
    height = TITLE + panel_height(panel) + TICKS + XLABEL + legend
    figure = Figure(figsize=(WIDTH, height), dpi=dpi)
    renderer = FigureCanvasAgg(figure).get_renderer()
    axis = WIDTH - NAMES - BAR_ROOM - RIGHT
    bottom = (XLABEL + TICKS + legend) / height
    axes = figure.add_axes(
        (NAMES / WIDTH, bottom, axis / WIDTH, panel_height(panel) / height), label="timeline"
    )
    draw_panel(axes, panel, overlap_paint(truth, hatches), renderer)
    axes.set_xlabel("time (s)", fontsize=FONT)
    _add_colorbar(figure, bottom, panel_height(panel) / height)
    if shown:
        _add_classes(figure, hatches, bool(shown - truth.keys()))
    return figure


def _make_panel(
    annotation: Mapping,
    results: Mapping[str, Sequence[Mapping]],
    video_id: str,
    top_k: int,
    max_lanes: int,
) -> Panel:
    """The ground truth, then a block per result, on one time axis."""
    axis = WIDTH - NAMES - BAR_ROOM - RIGHT
    limits = Limits(float("-inf"), top_k, max_lanes, MIN_BAR / axis)
    actions = annotation.get("annotations") or []
    duration = annotation.get("duration")
    for found in results.values():  # the longest axis that one of them needs
        duration = make_panel(video_id, found, actions, True, duration, limits).duration
    blocks: list[Block] = []
    counts = []
    for name, found in results.items():
        panel = make_panel(video_id, found, actions, True, duration, limits)
        own = panel.blocks[-1]
        own.name = _two_lines(name)
        counts.append(f"{sum(map(len, own.lanes))} of {len(found)}")
        blocks += [own] if blocks else panel.blocks
    number = f"{len(actions)} action{'' if len(actions) == 1 else 's'}"
    note = f"{number}; best detections: {', '.join(counts)}"
    return Panel(video_id, note, float(duration or 1.0), blocks)


def _two_lines(name: str) -> str:
    """A name in at most two lines, cut in its middle where it is too long, broken at a mark."""
    name = " ".join(str(name).split()) or "result"
    if len(name) > 2 * NAME_LENGTH - 4:
        name = f"{name[: NAME_LENGTH - 3]}…{name[4 - NAME_LENGTH :]}"
    if len(name) <= NAME_LENGTH:
        return name
    places = [i + 1 for i, mark in enumerate(name) if mark in " -_./…"]
    places = [i for i in places if i <= NAME_LENGTH and len(name) - i <= NAME_LENGTH]
    place = min(places, key=lambda i: abs(2 * i - len(name)), default=len(name) // 2)
    return f"{name[:place]}\n{name[place:]}"


def overlap_paint(truth: Mapping[str, Sequence[Mapping]], hatches: Mapping[str, str]) -> Paint:
    """Actions in grey, detections by their best tIoU with an action of their class.

    Args:
        truth: Annotated actions by class.
        hatches: Hatch of each of these classes.
    """

    def paint(item: dict) -> tuple[dict, dict]:
        label = item["label"]
        fill = (0.82, 0.82, 0.82, 1.0)
        if "score" in item:
            fill = COLORS(best_overlap(item["segment"], truth.get(label, ())))
        red, green, blue = fill[:3]
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        hatch = hatches.get(label, OTHER)
        text = {"color": "white" if dark else "black"}
        if hatch:
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.6}
            text = {"color": "black", "bbox": box}
        edge = tuple(0.6 * value for value in (red, green, blue))
        if hatch and dark:  # hatches have the colour of the edge
            edge = tuple(0.5 + 0.5 * value for value in (red, green, blue))
        patch = {"facecolor": fill, "edgecolor": edge, "hatch": hatch or None, "linewidth": 0.7}
        return patch, text

    return paint


def _add_colorbar(figure: Figure, bottom: float, height: float) -> None:
    high = min(height, 2.2 / figure.get_figheight())
    place = (1 - (BAR_ROOM - 0.05) / WIDTH, bottom + (height - high) / 2, BAR_WIDTH / WIDTH, high)
    axes = figure.add_axes(place, label="colours")
    bar = figure.colorbar(ScalarMappable(Normalize(0, 1), COLORS), cax=axes)
    small = high * figure.get_figheight() < 1.1
    bar.set_ticks([0, 1] if small else [0, 0.25, 0.5, 0.75, 1])
    bar.ax.tick_params(labelsize=FONT - 1, length=2)
    bar.set_label("best tIoU", fontsize=FONT)


def _add_classes(figure: Figure, hatches: Mapping[str, str], others: bool) -> None:
    entries = [*hatches.items(), *([("a class not in this video", OTHER)] if others else [])]
    options = {"facecolor": "0.9", "edgecolor": "0.35", "linewidth": 0.7}
    legend = figure.legend(
        [Patch(hatch=hatch or None, **options) for _, hatch in entries],
        ["x"] * len(entries),
        loc="lower center",
        ncols=min(len(entries), 5),
        fontsize=FONT - 1,
        frameon=False,
        handlelength=2,
        borderaxespad=0.1,
    )
    for text, (name, _) in zip(legend.get_texts(), entries, strict=True):
        text.set_parse_math(False)
        text.set_text(name)
