"""Detections as checked arrays."""

import logging
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from mmengine.logging import print_log

from .average_precision import FloatArray, IntArray
from .files import Source, read_section
from .ground_truth import GroundTruth

_LABEL_TYPES = (str, int, float, np.integer)  # numbers may name classes too


@dataclass(frozen=True)
class Predictions:
    """Detections in the order of their file.

    Args:
        videos: ``[N]`` index of the video in the ground truth, -1 if it is not there.
        labels: ``[N]`` class index of the ground truth, -1 if it is not there.
        segments: ``[N, 2]`` start and end in seconds.
        scores: ``[N]``.
    """

    videos: IntArray
    labels: IntArray
    segments: FloatArray
    scores: FloatArray


def load_predictions(
    source: Source, ground_truth: GroundTruth, outside: str = "count as false positives"
) -> Predictions:
    """Read and check detections in the ActivityNet result format.

    Detections with a label that the ground truth does not have are kept with label -1, those on
    videos outside the ground truth with video -1; both are counted in the log, and so are evaluated
    videos that the results do not mention. Ignored labels and blocked videos of the ground truth
    are left out.

    Args:
        source: Path (``.json`` or ``.json.gz``) or dict: ``{"results": {video_id: [{"segment":
            [start, end], "label": name, "score": float}]}}``, segments in seconds.
        ground_truth: What the detections are compared with.
        outside: What becomes of detections on videos outside the ground truth, for the log.

    Returns:
        The detections.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is not JSON or not of this layout, or a segment or score is not a finite
            number, or a segment is reversed (the message names the video), or not a single video
            or label is in the ground truth.
    """
    results, name = read_results(source, ground_truth.blocked_videos)
    segments, scores, names = read_columns(results, name)
    videos = _video_indices(results, ground_truth, name, outside)
    class_index = {label: i for i, label in enumerate(ground_truth.classes)}
    labels = np.array([class_index.get(label, -1) for label in names], dtype=np.int64)
    _report_unknown(names, labels, name, ground_truth)
    return Predictions(videos, labels, segments, scores)


def load_proposals(source: Source, ground_truth: GroundTruth) -> Predictions:
    """Read and check proposals: results whose labels, if they have any, are not looked at.

    Args:
        source: Path (``.json`` or ``.json.gz``) or dict: ``{"results": {video_id: [{"segment":
            [start, end], "score": float}]}}``, segments in seconds.
        ground_truth: What the proposals are compared with.

    Returns:
        The proposals, all with label 0.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: As :func:`load_predictions`.
    """
    results, name = read_results(source, ground_truth.blocked_videos)
    segments, scores, _ = read_columns(results, name, labelled=False)
    videos = _video_indices(results, ground_truth, name, "are left out")
    return Predictions(videos, np.zeros(len(videos), dtype=np.int64), segments, scores)


def read_results(
    source: Source, blocked_videos: Collection[str] = (), default_name: str = "the predictions"
) -> tuple[Mapping[str, Any], str]:
    """Take the lists of detections by video out of a result file.

    Args:
        source: Path (``.json`` or ``.json.gz``) or dict: ``{"results": {video_id: [...]}}``.
        blocked_videos: Videos to leave out.
        default_name: What messages call a source that is not a file.

    Returns:
        The lists by video, and the name of the source for messages.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is not JSON or not of this layout.
    """
    results, name = read_section(source, "results", default_name)
    for video, detections in results.items():
        if not isinstance(detections, list | tuple):
            raise ValueError(
                f"{name}: video '{video}' holds a {type(detections).__name__}; "
                "expected a list of detections"
            )
    if blocked_videos:
        results = {v: d for v, d in results.items() if v not in blocked_videos}
    return results, name


def _video_indices(
    results: Mapping[str, Any], ground_truth: GroundTruth, name: str, fate: str
) -> IntArray:
    """``[N]`` index of the video of each detection; says what happens to unknown videos."""
    video_index = {video: i for i, video in enumerate(ground_truth.video_ids)}
    per_video = np.array([video_index.get(video, -1) for video in results], dtype=np.int64)
    counts = np.array([len(detections) for detections in results.values()], dtype=np.int64)
    outside = int((per_video < 0).sum())
    if counts.sum() and outside == len(results):
        other = next(iter(results))
        raise ValueError(
            f"none of the {len(results)} videos of {name} ('{other}', ...) is among the "
            f"{len(ground_truth.video_ids)} evaluated videos of {ground_truth.name} "
            f"('{ground_truth.video_ids[0]}', ...); check the subset and how the ids are written"
        )
    if outside:
        _warn(
            f"{name}: {outside} of {len(results)} videos are not in the ground truth; "
            f"their detections {fate}"
        )
    _report_missing(results, ground_truth, name)
    return np.repeat(per_video, counts)


def read_columns(
    results: Mapping[str, Any], name: str, labelled: bool = True
) -> tuple[FloatArray, FloatArray, list[str]]:
    """Turn the lists of all videos into arrays, checked all at once.

    Args:
        results: Lists of detections by video.
        name: Where they come from, for messages.
        labelled: Whether every detection needs a label.

    Returns:
        Segments ``[N, 2]`` in seconds, scores ``[N]`` and label names (none if not ``labelled``).

    Raises:
        ValueError: If a detection is not valid; the message names the video.
    """
    flat = list(chain.from_iterable(results.values()))
    try:
        segments = np.array([detection["segment"] for detection in flat])
        scores = np.array([detection["score"] for detection in flat])
        labels = [detection["label"] for detection in flat] if labelled else []
    except (KeyError, TypeError, ValueError, IndexError):
        segments, scores, labels = np.zeros(0), np.zeros(0), []  # the culprit is named below
    if not flat:
        return np.zeros((0, 2)), np.zeros(0), []
    valid = (
        segments.shape == (len(flat), 2)
        and scores.shape == (len(flat),)
        and segments.dtype.kind in "fiu"
        and scores.dtype.kind in "fiu"
        and bool(np.isfinite(segments).all())
        and bool(np.isfinite(scores).all())
        and bool((segments[:, 0] <= segments[:, 1]).all())
        and all(issubclass(kind, _LABEL_TYPES) for kind in set(map(type, labels)))
    )
    if not valid:
        for video, detections in results.items():
            for detection in detections:
                _check_detection(detection, video, name, labelled)
        raise ValueError(f"{name}: segments or scores are not numbers")
    return segments.astype(np.float64), scores.astype(np.float64), list(map(str, labels))


def _check_detection(detection: Any, video: str, name: str, labelled: bool) -> None:
    """Say in words what is wrong with a detection, if anything is."""
    where = f"{name}: video '{video}'"
    keys = ("segment", "label", "score") if labelled else ("segment", "score")
    if not isinstance(detection, Mapping):
        raise ValueError(
            f"{where} has the detection {detection!r}; expected an object with the keys "
            f"{', '.join(map(repr, keys))}"
        )
    missing = [key for key in keys if key not in detection]
    if missing:
        raise ValueError(
            f"{where} has a detection without '{missing[0]}': {dict(detection)!r}; add it"
        )
    segment, score = detection["segment"], detection["score"]
    try:
        numbers = np.array(segment)
        is_pair = numbers.shape == (2,) and numbers.dtype.kind in "fiu"
    except ValueError:
        is_pair = False
    if not is_pair:
        raise ValueError(
            f"{where} has the segment {segment!r}; expected [start, end] as numbers in seconds"
        )
    if not np.isfinite(numbers).all():
        raise ValueError(f"{where} has the segment {segment!r}; replace it by finite seconds")
    if numbers[0] > numbers[1]:
        raise ValueError(
            f"{where} has the reversed segment {segment!r}; swap its ends or remove it"
        )
    if np.ndim(score) or np.array(score).dtype.kind not in "fiu" or not np.isfinite(score):
        raise ValueError(f"{where} has the score {score!r}; expected a finite number")
    if labelled and not isinstance(detection["label"], _LABEL_TYPES):
        raise ValueError(f"{where} has the label {detection['label']!r}; expected a name")


def _report_missing(results: Mapping[str, Any], ground_truth: GroundTruth, name: str) -> None:
    """Say which evaluated videos with actions the results do not mention."""
    ids = ground_truth.video_ids
    missing = [ids[i] for i in np.unique(ground_truth.videos) if ids[i] not in results]
    if not missing:
        return
    more = len(ground_truth.subsets) > 1
    remedy = f"; was one of the subsets {', '.join(ground_truth.subsets)} meant?" if more else ""
    _warn(
        f"{name} has no entry for {len(missing)} of {len(ids)} evaluated videos "
        f"('{missing[0]}', ...), so that their actions count as missed{remedy}"
    )


def _report_unknown(
    names: list[str], labels: IntArray, name: str, ground_truth: GroundTruth
) -> None:
    """Say which labels the evaluated videos do not have.

    Raises:
        ValueError: If no detection has a label that any video of the ground truth has.
    """
    known, ignored = ground_truth.known_labels, ground_truth.ignored_labels
    if names and known and (known | ignored).isdisjoint(names):
        raise ValueError(
            f"none of the labels of {name} ('{names[0]}', ...) is among the {len(known)} labels of "
            f"{ground_truth.name} ('{min(known)}', ...); write labels as the ground truth does"
        )
    counts = Counter(names[i] for i in np.flatnonzero(labels < 0))
    for label in ignored:
        counts.pop(label, None)
    if counts:
        shown = ", ".join(repr(label) for label, _ in counts.most_common(3))
        _warn(
            f"{sum(counts.values())} of {len(names)} detections carry one of {len(counts)} labels "
            f"that the ground truth does not have ({shown}{', ...' if len(counts) > 3 else ''}) "
            "and are left out"
        )


def _warn(message: str) -> None:
    print_log(message, logger="current", level=logging.WARNING)
