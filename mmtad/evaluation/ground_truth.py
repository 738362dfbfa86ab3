"""Annotated actions as checked arrays."""

import logging
import math
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mmengine.logging import print_log

from .average_precision import FloatArray, IntArray
from .files import Source, read_section

DUPLICATE_TOLERANCE = 1e-3  # seconds; the value of the public ActionFormer and OpenTAD evaluators
AMBIGUOUS = "Ambiguous"  # THUMOS14's label of what may or may not be one of its classes: no class


@dataclass(frozen=True)
class GroundTruth:
    """Annotated actions of the evaluated videos.

    Args:
        name: Where they come from, for messages.
        video_ids: The V evaluated videos, those without action included.
        classes: The K labels that occur, sorted by name.
        videos: ``[M]`` index into ``video_ids``.
        labels: ``[M]`` index into ``classes``.
        segments: ``[M, 2]`` start and end in seconds.
        ignored_labels: Labels left out on purpose, also of the predictions; always ``Ambiguous``.
        blocked_videos: Videos left out on purpose, also of the predictions.
        ignored_videos: ``[A]`` index into ``video_ids`` of each segment with an ignored label.
        ignored_segments: ``[A, 2]`` start and end of these segments in seconds.
        known_labels: Labels of all subsets, evaluated or not, but for the ignored ones.
        subsets: Names of the evaluated subsets.
    """

    name: str
    video_ids: list[str]
    classes: list[str]
    videos: IntArray
    labels: IntArray
    segments: FloatArray
    ignored_labels: frozenset[str] = frozenset()
    blocked_videos: frozenset[str] = frozenset()
    ignored_videos: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    ignored_segments: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))
    known_labels: frozenset[str] = frozenset()
    subsets: tuple[str, ...] = ()

    def require_actions(self, measure: str) -> None:
        """Make sure that something is annotated.

        Raises:
            ValueError: If no evaluated video has an annotated action.
        """
        if not self.classes:
            raise ValueError(
                f"{self.name} has no annotated action in its {len(self.video_ids)} evaluated "
                f"videos, so {measure} is undefined; choose a subset with annotations"
            )


def load_ground_truth(
    source: Source,
    subset: str | None = None,
    ignore_labels: Collection[str] = (),
    blocked_videos: Collection[str] = (),
    drop_duplicates: bool = True,
) -> GroundTruth:
    """Read and check an ActivityNet-style annotation.

    Annotations of zero length are left out, as no detection can overlap them; how many is logged.
    Those labelled ``Ambiguous`` are no class and kept aside, as THUMOS14 has it. Numbers may be
    given as text (``"12.5"``), as some THUMOS14 files do.

    Args:
        source: Path (``.json`` or ``.json.gz``) or dict: ``{"database": {video_id: {"subset",
            "annotations": [{"segment": [start, end], "label": name}]}}}``, segments in seconds.
        subset: Name of the subset to evaluate; None takes all videos.
        ignore_labels: Labels to leave out beside ``Ambiguous``. Defaults to none.
        blocked_videos: Videos to leave out. Defaults to none.
        drop_duplicates: Count annotations of one video once if they have the same label and both
            ends within 0.001 s, as the public ActionFormer and OpenTAD evaluators do. False keeps
            all, as the official ActivityNet evaluation does.

    Returns:
        The annotated actions.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is not JSON or not of this layout, the subset is unknown, no video is
            left, or a segment is reversed, not finite or not a pair of numbers.
    """
    database, name = read_section(source, "database", "the ground truth")
    _check_names(ignore_labels, "ignore_labels")
    _check_names(blocked_videos, "blocked_videos")
    blocked, ignored = frozenset(blocked_videos), frozenset({AMBIGUOUS, *ignore_labels})
    video_ids = [video for video in _select(database, subset, name) if video not in blocked]
    if not video_ids:
        raise ValueError(
            f"no video is left of {name} (subset {subset!r}, {len(blocked)} blocked videos); "
            "check the file, the subset and the block list"
        )
    rows: list[tuple[int, str, float, float]] = []
    aside: list[tuple[int, float, float]] = []
    empty = duplicates = 0
    for index, video in enumerate(video_ids):
        kept: dict[str, _Segments] = defaultdict(_Segments)
        for annotation in _annotations(database[video], video, name):
            label, start, end = _parse(annotation, video, name)
            if label in ignored:
                aside.append((index, start, end))
            elif start == end:
                empty += 1
            elif drop_duplicates and not kept[label].add_new(start, end):
                duplicates += 1
            else:
                rows.append((index, label, start, end))
    if empty or duplicates:
        print_log(
            f"{name}: left out {empty} annotations of zero length and {duplicates} duplicates",
            logger="current",
            level=logging.INFO,
        )
    classes = sorted({row[1] for row in rows})
    class_index = {label: i for i, label in enumerate(classes)}
    return GroundTruth(
        name=name,
        video_ids=video_ids,
        classes=classes,
        videos=np.array([row[0] for row in rows], dtype=np.int64),
        labels=np.array([class_index[row[1]] for row in rows], dtype=np.int64),
        segments=np.array([row[2:] for row in rows], dtype=np.float64).reshape(-1, 2),
        ignored_labels=ignored,
        blocked_videos=blocked,
        ignored_videos=np.array([row[0] for row in aside], dtype=np.int64),
        ignored_segments=np.array([row[1:] for row in aside], dtype=np.float64).reshape(-1, 2),
        known_labels=_labels(database, ignored),
        subsets=tuple(sorted({str(database[video].get("subset")) for video in video_ids})),
    )


def _check_names(names: Collection[str], argument: str) -> None:
    if isinstance(names, str):
        raise ValueError(
            f"{argument} takes a list of names, got the text {names!r}; write [{names!r}]"
        )


def _select(database: Mapping[str, Any], subset: str | None, name: str) -> list[str]:
    for video, info in database.items():
        if not isinstance(info, Mapping):
            raise ValueError(
                f"{name}: video '{video}' holds a {type(info).__name__}; "
                "expected an object with the keys 'subset' and 'annotations'"
            )
    if subset is None:
        return list(database)
    chosen = [video for video, info in database.items() if info.get("subset") == subset]
    if database and not chosen:
        present = sorted({repr(info.get("subset")) for info in database.values()})
        raise ValueError(f"{name} has no subset {subset!r}; choose one of {', '.join(present)}")
    return chosen


def _labels(database: Mapping[str, Any], ignored: Collection[str]) -> frozenset[str]:
    """Labels of all videos; what is malformed where nobody evaluates is passed over."""
    lists = [info.get("annotations") for info in database.values()]
    found = {
        str(annotation["label"])
        for annotations in lists
        if isinstance(annotations, list | tuple)
        for annotation in annotations
        if isinstance(annotation, Mapping) and "label" in annotation
    }
    return frozenset(found.difference(ignored))


def _annotations(info: Mapping[str, Any], video: str, name: str) -> list[Any]:
    annotations = info.get("annotations") or []
    if not isinstance(annotations, list | tuple):
        raise ValueError(
            f"{name}: 'annotations' of video '{video}' is a {type(annotations).__name__}; "
            "expected a list"
        )
    return list(annotations)


def _parse(annotation: Any, video: str, name: str) -> tuple[str, float, float]:
    try:
        label = str(annotation["label"])
        start, end = (float(value) for value in annotation["segment"])
        if not isinstance(annotation["label"], str | int | float):
            raise TypeError
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{name}: video '{video}' has the annotation {annotation!r}; "
            "expected {'segment': [start, end] in seconds, 'label': name}"
        ) from error
    if not (np.isfinite(start) and np.isfinite(end)):
        raise ValueError(
            f"{name}: video '{video}' has the segment [{start}, {end}] ('{label}'); "
            "replace it by finite seconds or remove it"
        )
    if end < start:
        raise ValueError(
            f"{name}: video '{video}' has the reversed segment [{start}, {end}] ('{label}'); "
            "swap its ends or remove it"
        )
    return label, start, end


class _Segments:
    """Segments of one label and video; finds those close to another without visiting them all."""

    def __init__(self) -> None:
        self.by_start: dict[int, list[tuple[float, float]]] = {}

    def add_new(self, start: float, end: float) -> bool:
        """Add a segment unless both its ends are within the tolerance of one that is there."""
        place = math.floor(start / (2 * DUPLICATE_TOLERANCE))
        for near in (place - 1, place, place + 1):
            for other_start, other_end in self.by_start.get(near, ()):
                if (
                    abs(start - other_start) <= DUPLICATE_TOLERANCE
                    and abs(end - other_end) <= DUPLICATE_TOLERANCE
                ):
                    return False
        self.by_start.setdefault(place, []).append((start, end))
        return True
