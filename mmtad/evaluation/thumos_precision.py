"""Average precision without interpolation, and with segments that excuse a false positive.

The evaluation kit of the THUMOS14 challenge (http://crcv.ucf.edu/THUMOS14) sums the precision at
every true positive, instead of the precision envelope, and leaves out false positives that touch a
segment annotated as Ambiguous. Two ways to match are in use under its name:

- ``"detections"``: the detections of a class are visited by falling score; each claims the
  annotated action that it overlaps most. It is a true positive if the tIoU reaches the threshold
  and nothing has claimed that action before; there is no second choice.
- ``"annotations"``: the kit itself. The annotated actions of a class and video are visited in the
  order of the annotation; each takes the free detection that overlaps it most, whatever its score,
  if the tIoU exceeds the threshold.
"""

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from .average_precision import (
    BoolArray,
    FloatArray,
    IntArray,
    RankedDetections,
    check_tiou_thresholds,
    rank_detections,
)

MATCHINGS = ("detections", "annotations")


def plain_average_precision(matched: BoolArray, counted: BoolArray, num_gt: int) -> FloatArray:
    """Mean over the annotated actions of the precision at the true positive of each.

    Args:
        matched: ``[N, T]`` whether the detection of rank i (by falling score) is a true positive at
            threshold t.
        counted: ``[N]`` whether it counts as a false positive where it is not matched.
        num_gt: Number of annotated actions of the class, at least 1.

    Returns:
        ``[T]`` fractions; 0 where there is no detection.
    """
    rank = np.cumsum(matched | counted[:, None], axis=0)
    precision = np.cumsum(matched, axis=0) / np.maximum(rank, 1)
    return np.where(matched, precision, 0.0).sum(axis=0) / num_gt


def thumos_average_precision(
    gt_videos: IntArray,
    gt_labels: IntArray,
    gt_segments: FloatArray,
    pred_videos: IntArray,
    pred_labels: IntArray,
    pred_segments: FloatArray,
    pred_scores: FloatArray,
    ambiguous_videos: IntArray,
    ambiguous_segments: FloatArray,
    tiou_thresholds: ArrayLike,
    num_classes: int,
    matching: str = "detections",
) -> FloatArray:
    """AP of every class at every threshold, as the THUMOS14 challenge defines it.

    Args:
        gt_videos: ``[M]``, and the arguments up to ``pred_scores`` as in
            :func:`mmtad.evaluation.average_precision`.
        gt_labels: ``[M]``.
        gt_segments: ``[M, 2]``.
        pred_videos: ``[N]``.
        pred_labels: ``[N]``.
        pred_segments: ``[N, 2]``.
        pred_scores: ``[N]``.
        ambiguous_videos: ``[A]`` index of the video of each segment that excuses false positives of
            every class.
        ambiguous_segments: ``[A, 2]`` start and end in seconds.
        tiou_thresholds: ``[T]`` fractions in (0, 1].
        num_classes: K.
        matching: ``"detections"`` or ``"annotations"``, see above.

    Returns:
        ``[K, T]`` fractions; NaN for a class without annotated action.

    Raises:
        ValueError: If a threshold is out of range or the matching unknown.
    """
    if matching not in MATCHINGS:
        raise ValueError(f"matching must be one of {MATCHINGS}, got {matching!r}")
    thresholds = check_tiou_thresholds(tiou_thresholds)
    ranked = rank_detections(
        gt_videos, gt_labels, gt_segments, pred_videos, pred_labels, pred_segments, pred_scores
    )
    match = _match_by_detection if matching == "detections" else _match_by_annotation
    matched = match(ranked, thresholds)
    counted = ~_touches(ranked, ambiguous_videos, ambiguous_segments)
    bounds = ranked.class_bounds(num_classes)
    num_gt = np.bincount(gt_labels, minlength=num_classes)
    ap = np.full((num_classes, len(thresholds)), np.nan)
    for k in np.flatnonzero(num_gt):
        rows = slice(bounds[k], bounds[k + 1])
        ap[k] = plain_average_precision(matched[rows], counted[rows], int(num_gt[k]))
    return ap


def _match_by_detection(ranked: RankedDetections, thresholds: FloatArray) -> BoolArray:
    return _claim(ranked.segments, ranked.first, ranked.last, ranked.gt_segments, thresholds)


def _match_by_annotation(ranked: RankedDetections, thresholds: FloatArray) -> BoolArray:
    # The rows of a group of annotated actions tell which detections may match it: those with the
    # same first and last row. Sorting them together (stable) keeps the falling scores.
    possible = np.flatnonzero(ranked.last > ranked.first)
    candidates = possible[np.argsort(ranked.first[possible], kind="stable")]
    matched = np.zeros((len(ranked.segments), len(thresholds)), dtype=np.bool_)
    _take(
        ranked.segments,
        candidates,
        ranked.first[candidates],
        ranked.last[candidates],
        ranked.gt_segments,
        thresholds,
        matched,
    )
    return matched


def _touches(ranked: RankedDetections, videos: IntArray, segments: FloatArray) -> BoolArray:
    """``[N]`` whether a detection shares some time with one of the segments of its video."""
    order = np.argsort(videos, kind="stable")
    keys = np.where(ranked.videos < 0, -1, ranked.videos)
    return _overlap_any(
        ranked.segments,
        np.searchsorted(videos[order], keys, side="left"),
        np.searchsorted(videos[order], keys, side="right"),
        np.ascontiguousarray(segments[order], dtype=np.float64),
    )


@njit(cache=True, nogil=True)
def _tiou(start, end, gt_start, gt_end):  # pragma: no cover - compiled
    inter = max(min(end, gt_end) - max(start, gt_start), 0.0)
    union = (gt_end - gt_start) + (end - start) - inter
    return inter / union if union > 0 else 0.0


@njit(cache=True, nogil=True)
def _claim(segments, first, last, gt_segments, thresholds):  # pragma: no cover - compiled
    matched = np.zeros((len(segments), len(thresholds)), dtype=np.bool_)
    taken = np.zeros((len(gt_segments), len(thresholds)), dtype=np.bool_)
    for i in range(len(segments)):
        best, highest = -1, 0.0
        for j in range(first[i], last[i]):
            overlap = _tiou(segments[i, 0], segments[i, 1], gt_segments[j, 0], gt_segments[j, 1])
            if overlap > highest:
                best, highest = j, overlap
        for t in range(len(thresholds)):
            if best >= 0 and highest >= thresholds[t] and not taken[best, t]:
                matched[i, t] = True
                taken[best, t] = True
    return matched


@njit(cache=True, nogil=True)
def _take(
    segments, candidates, first, last, gt_segments, thresholds, matched
):  # pragma: no cover - compiled
    """Fill ``matched``; ``candidates`` are detections by group and falling score."""
    begin = 0
    while begin < len(candidates):
        end = begin
        while end < len(candidates) and first[end] == first[begin]:
            end += 1
        for j in range(first[begin], last[begin]):
            for t in range(len(thresholds)):
                best, highest = -1, thresholds[t]
                for c in range(begin, end):
                    i = candidates[c]
                    overlap = _tiou(
                        segments[i, 0], segments[i, 1], gt_segments[j, 0], gt_segments[j, 1]
                    )
                    if overlap > highest and not matched[i, t]:
                        best, highest = i, overlap
                if best >= 0:
                    matched[best, t] = True
        begin = end


@njit(cache=True, nogil=True)
def _overlap_any(segments, first, last, others):  # pragma: no cover - compiled
    found = np.zeros(len(segments), dtype=np.bool_)
    for i in range(len(segments)):
        for j in range(first[i], last[i]):
            if min(segments[i, 1], others[j, 1]) > max(segments[i, 0], others[j, 0]):
                found[i] = True
                break
    return found
