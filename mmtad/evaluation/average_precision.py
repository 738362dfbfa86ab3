"""Interpolated average precision of temporal detections, on plain arrays.

The definition is that of the ActivityNet challenge (http://activity-net.org): the detections of a
class are visited by falling score; each takes the free annotated action of its video and class that
it overlaps most, if the tIoU reaches the threshold (true positive), else it is a false positive. AP
is the area under the precision envelope over recall.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def check_tiou_thresholds(tiou_thresholds: ArrayLike) -> FloatArray:
    """Turn thresholds into an array and make sure that each can be reached.

    Args:
        tiou_thresholds: One number or a sequence of numbers in (0, 1].

    Returns:
        ``[T]`` float64 in the given order.

    Raises:
        ValueError: If there is none, or one is outside (0, 1] or given twice.
    """
    thresholds = np.atleast_1d(np.asarray(tiou_thresholds, dtype=np.float64))
    if thresholds.ndim != 1 or not thresholds.size:
        raise ValueError(f"give at least one tIoU threshold, got {tiou_thresholds!r}")
    if not ((thresholds > 0) & (thresholds <= 1)).all():
        raise ValueError(
            f"tIoU thresholds are fractions above 0 and up to 1, got {thresholds.tolist()}"
        )
    if len(set(thresholds.tolist())) != thresholds.size:
        raise ValueError(f"a tIoU threshold is given twice: {thresholds.tolist()}")
    return thresholds


@dataclass(frozen=True)
class RankedDetections:
    """Detections by class and falling score, and the annotated actions that each may match.

    Args:
        order: ``[N]`` index of each ranked detection in the given order.
        labels: ``[N]`` class index, rising; -1 for a class without ground truth.
        videos: ``[N]`` index of the video; -1 for a video without ground truth.
        segments: ``[N, 2]`` start and end in seconds.
        first: ``[N]`` detection i may match the rows ``first[i]`` to ``last[i]`` (excluded) of
            ``gt_segments``, the actions of its class and video.
        last: ``[N]``.
        gt_segments: ``[M, 2]`` grouped by class and video, in the given order within a group.
    """

    order: IntArray
    labels: IntArray
    videos: IntArray
    segments: FloatArray
    first: IntArray
    last: IntArray
    gt_segments: FloatArray

    def class_bounds(self, num_classes: int) -> IntArray:
        """``[K + 1]``: the detections of class k are the rows ``bounds[k]`` to ``bounds[k+1]``."""
        return np.searchsorted(self.labels, np.arange(num_classes + 1), side="left")


def rank_detections(
    gt_videos: IntArray,
    gt_labels: IntArray,
    gt_segments: FloatArray,
    pred_videos: IntArray,
    pred_labels: IntArray,
    pred_segments: FloatArray,
    pred_scores: FloatArray,
) -> RankedDetections:
    """Sort detections and annotated actions; equals keep the order in which they are given.

    Args:
        gt_videos: ``[M]``, and the other arguments as in :func:`average_precision`.
        gt_labels: ``[M]``.
        gt_segments: ``[M, 2]``.
        pred_videos: ``[N]``.
        pred_labels: ``[N]``.
        pred_segments: ``[N, 2]``.
        pred_scores: ``[N]``.

    Returns:
        The sorted arrays.
    """
    num_videos = 1 + max(int(gt_videos.max(initial=-1)), int(pred_videos.max(initial=-1)))
    gt_keys = gt_labels * num_videos + gt_videos
    gt_order = np.argsort(gt_keys, kind="stable")
    gt_keys = gt_keys[gt_order]
    order = np.lexsort((-pred_scores, pred_labels))
    labels, videos = pred_labels[order], pred_videos[order]
    pred_keys = np.where((labels < 0) | (videos < 0), -1, labels * num_videos + videos)
    return RankedDetections(
        order=order,
        labels=labels,
        videos=videos,
        segments=np.ascontiguousarray(pred_segments[order], dtype=np.float64),
        first=np.searchsorted(gt_keys, pred_keys, side="left"),
        last=np.searchsorted(gt_keys, pred_keys, side="right"),
        gt_segments=np.ascontiguousarray(gt_segments[gt_order], dtype=np.float64),
    )


def interpolated_average_precision(matched: BoolArray, num_gt: int) -> FloatArray:
    """Area under the precision envelope of one class.

    ``AP = 1 / num_gt * sum over true positives i of max_{j >= i} precision(j)``.

    Args:
        matched: ``[N, T]`` whether the detection of rank i (by falling score) is a true positive at
            threshold t.
        num_gt: Number of annotated actions of the class, at least 1.

    Returns:
        ``[T]`` fractions; 0 where there is no detection.
    """
    rank = np.arange(1, len(matched) + 1, dtype=np.float64)[:, None]
    precision = np.cumsum(matched, axis=0) / rank
    envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    return np.where(matched, envelope, 0.0).sum(axis=0) / num_gt


def average_precision(
    gt_videos: IntArray,
    gt_labels: IntArray,
    gt_segments: FloatArray,
    pred_videos: IntArray,
    pred_labels: IntArray,
    pred_segments: FloatArray,
    pred_scores: FloatArray,
    tiou_thresholds: ArrayLike,
    num_classes: int,
) -> FloatArray:
    """AP of every class at every threshold.

    Detections of equal score keep the order in which they are given. Among annotated actions of
    equal tIoU the later one is taken. A zero-length segment overlaps nothing.

    Args:
        gt_videos: ``[M]`` index of the video of each annotated action, >= 0.
        gt_labels: ``[M]`` class index, in [0, num_classes).
        gt_segments: ``[M, 2]`` start and end in seconds.
        pred_videos: ``[N]`` index of the video of each detection; -1 is a video without ground
            truth, where every detection is a false positive.
        pred_labels: ``[N]`` class index; -1 is a class without ground truth, whose detections count
            nowhere.
        pred_segments: ``[N, 2]`` start and end in seconds.
        pred_scores: ``[N]``, finite; any scale.
        tiou_thresholds: ``[T]`` fractions in (0, 1].
        num_classes: K.

    Returns:
        ``[K, T]`` fractions; NaN for a class without annotated action.

    Raises:
        ValueError: If a threshold is out of range.
    """
    thresholds = check_tiou_thresholds(tiou_thresholds)
    ranked = rank_detections(
        gt_videos, gt_labels, gt_segments, pred_videos, pred_labels, pred_segments, pred_scores
    )
    matched = _match(ranked.segments, ranked.first, ranked.last, ranked.gt_segments, thresholds)
    bounds = ranked.class_bounds(num_classes)
    num_gt = np.bincount(gt_labels, minlength=num_classes)
    ap = np.full((num_classes, len(thresholds)), np.nan)
    for k in np.flatnonzero(num_gt):
        ap[k] = interpolated_average_precision(matched[bounds[k] : bounds[k + 1]], int(num_gt[k]))
    return ap


@njit(cache=True, nogil=True)
def _match(segments, first, last, gt_segments, thresholds):  # pragma: no cover - compiled
    """Match greedily; detection i may take the rows ``first[i]`` to ``last[i]`` of the truth.

    Returns ``[N, T]``, True where the detection is a true positive.
    """
    num_thresholds = len(thresholds)
    matched = np.zeros((len(segments), num_thresholds), dtype=np.bool_)
    taken = np.zeros((len(gt_segments), num_thresholds), dtype=np.bool_)
    overlaps = np.empty(len(gt_segments))
    for i in range(len(segments)):
        start, end = segments[i, 0], segments[i, 1]
        highest = 0.0
        for j in range(first[i], last[i]):
            inter = max(min(end, gt_segments[j, 1]) - max(start, gt_segments[j, 0]), 0.0)
            union = (gt_segments[j, 1] - gt_segments[j, 0]) + (end - start) - inter
            overlaps[j] = inter / union if union > 0 else 0.0
            highest = max(highest, overlaps[j])
        for t in range(num_thresholds):
            if highest < thresholds[t]:
                continue
            best = -1
            best_overlap = thresholds[t]
            for j in range(first[i], last[i]):
                if overlaps[j] >= best_overlap and not taken[j, t]:
                    best = j
                    best_overlap = overlaps[j]
            if best >= 0:
                matched[i, t] = True
                taken[best, t] = True
    return matched
