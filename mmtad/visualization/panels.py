"""What a timeline shows of one video, before anything is drawn: lanes of segments and captions."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite


@dataclass
class Block:
    """The lanes of one side (ground truth or predictions) of one video.

    Args:
        name: Shown beside the lanes.
        lanes: Items per lane, from top to bottom; no two of a lane overlap.
        hidden: Number of items that found no lane.
        empty_text: Shown where there is no lane.
    """

    name: str
    lanes: list[list[dict]]
    hidden: int
    empty_text: str

    @property
    def rows(self) -> int:
        """Height in lanes; a block without items takes one for its text."""
        return max(len(self.lanes), 1)


@dataclass
class Panel:
    """One video: its id, a caption with counts, its seconds and its blocks from top to bottom."""

    title: str
    note: str
    duration: float
    blocks: list[Block]


@dataclass(frozen=True)
class Limits:
    """What is shown.

    Args:
        min_score: Predictions below are left out.
        top_k: Most predictions of a video, the best ones; None for all.
        max_lanes: Most lanes of a block.
        min_share: Part of the time axis that a segment takes at least, so that it can be seen.
    """

    min_score: float = 0.0
    top_k: int | None = None
    max_lanes: int = 8
    min_share: float = 0.0


def stack_lanes(
    items: Sequence[Mapping], max_lanes: int, min_width: float = 0.0
) -> tuple[list[list[Mapping]], int]:
    """Lay segments in lanes in which none overlap; the first items get the upper lanes.

    Args:
        items: Mappings with ``segment`` (start, end) in seconds, the most important first.
        max_lanes: Segments that find no place in that many lanes are left out.
        min_width: Seconds that a segment takes at least.

    Returns:
        The lanes, each a list of items, and the number of items left out.
    """
    lanes: list[list[Mapping]] = []
    taken: list[list[tuple[float, float]]] = []
    hidden = 0
    for item in items:
        start, end = item["segment"]
        span = (start, max(end, start + min_width))
        places = (_free_place(spans, span) for spans in taken)
        index, place = next(
            ((i, p) for i, p in enumerate(places) if p is not None), (len(taken), 0)
        )
        if index == max_lanes:
            hidden += 1
            continue
        if index == len(taken):
            lanes.append([])
            taken.append([])
        lanes[index].append(item)
        taken[index].insert(place, span)
    return lanes, hidden


def _free_place(spans: list[tuple[float, float]], span: tuple[float, float]) -> int | None:
    """Where to insert a span into sorted spans that do not overlap; None where it overlaps one."""
    place = bisect_left(spans, span)
    if place > 0 and spans[place - 1][1] > span[0]:
        return None
    if place < len(spans) and span[1] > spans[place][0]:
        return None
    return place


def make_panel(
    video_id: str,
    predictions: Sequence[Mapping],
    annotations: Sequence[Mapping] | None,
    annotated: bool,
    duration: float | None,
    limits: Limits,
) -> Panel:
    """Choose what is shown of one video.

    Args:
        video_id: Title of the panel.
        predictions: ``[{"segment", "label", "score"}]``, segments in seconds.
        annotations: ``[{"segment", "label"}]``, or None without ground truth for this video.
        annotated: Whether the panel has a block for the ground truth.
        duration: Seconds of the video, if known; a segment that ends later makes the axis longer.
        limits: What is shown.

    Raises:
        ValueError: If an entry lacks a field or its numbers are none.
    """
    truth = sorted(_read(annotations or [], video_id, False), key=lambda item: item["segment"])
    predictions = _read(predictions, video_id, True)
    ends = [item["segment"][1] for item in (*truth, *predictions)]
    duration = max(float(duration or 0.0), *ends, 0.0) or 1.0
    min_width = limits.min_share * duration

    total = len(predictions)
    ranked = sorted(predictions, key=lambda item: -item["score"])
    shown = [item for item in ranked if item["score"] >= limits.min_score][: limits.top_k]
    lanes, hidden = stack_lanes(shown, limits.max_lanes, min_width)
    empty = "no predictions"
    if total:
        empty = f"none of {total} predictions has a score of {limits.min_score:g} or more"
    blocks = [Block("predictions", lanes, hidden, empty)]
    notes = [_count(len(shown) - hidden, total, "prediction")]

    if annotated:
        lanes, hidden = stack_lanes(truth, limits.max_lanes, min_width)
        empty = "not annotated" if annotations is None else "no annotated action"
        blocks.insert(0, Block("ground truth", lanes, hidden, empty))
        notes.insert(0, _count(len(truth) - hidden, len(truth), "action"))
    return Panel(video_id, ", ".join(notes), duration, blocks)


def _read(items: Sequence[Mapping], video_id: str, scored: bool) -> list[dict]:
    """Copy entries as (start, end) floats, a one-line label and, for predictions, a score."""
    entries = []
    for item in items:
        try:
            start, end = (float(value) for value in item["segment"])
            entry = {"segment": (start, end), "label": " ".join(str(item["label"]).split())}
            if scored:
                entry["score"] = float(item["score"])
            finite = isfinite(end - start) and isfinite(entry.get("score", 0.0))
        except (KeyError, TypeError, ValueError):
            finite = False
        if not finite or start > end:
            fields = "'segment' (start, end), 'label'" + (" and 'score'" if scored else "")
            raise ValueError(f"video '{video_id}' has the entry {item!r}; expected {fields}")
        entries.append(entry)
    return entries


def _count(shown: int, total: int, noun: str) -> str:
    number = str(total or "no") if shown == total else f"{shown} of {total}"
    return f"{number} {noun}" + ("" if total == 1 else "s")
