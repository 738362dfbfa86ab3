"""How many annotated actions the best ranked detections find, on plain arrays.

Two measures share one matching: an action is found at rank r if the detection of rank r is the
first, by falling score, whose tIoU with it reaches the threshold. Detections are not used up: one
may find several actions.
"""

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from .average_precision import BoolArray, FloatArray, IntArray, check_tiou_thresholds


def first_hits(
    gt_keys: IntArray,
    gt_segments: FloatArray,
    pred_keys: IntArray,
    pred_segments: FloatArray,
    pred_scores: FloatArray,
    tiou_thresholds: ArrayLike,
) -> IntArray:
    """Rank of the first detection that finds each action, among the detections of its group.

    Detections of equal score keep the order in which they are given.

    Args:
        gt_keys: ``[M]`` group of each action, >= 0: its video, or its class and video.
        gt_segments: ``[M, 2]`` start and end in seconds.
        pred_keys: ``[N]`` group of each detection; -1 is no group.
        pred_segments: ``[N, 2]`` start and end in seconds.
        pred_scores: ``[N]``, finite; any scale.
        tiou_thresholds: ``[T]`` fractions in (0, 1].

    Returns:
        ``[M, T]`` ranks from 0; the largest int64 where no detection finds the action.

    Raises:
        ValueError: If a threshold is out of range.
    """
    thresholds = check_tiou_thresholds(tiou_thresholds)
    order = np.lexsort((-pred_scores, pred_keys))
    keys = pred_keys[order]
    return _first_hits(
        np.ascontiguousarray(gt_segments, dtype=np.float64),
        np.searchsorted(keys, gt_keys, side="left"),
        np.searchsorted(keys, gt_keys, side="right"),
        np.ascontiguousarray(pred_segments[order], dtype=np.float64),
        thresholds,
    )


def proposal_budgets(counts: IntArray, max_proposals: int) -> IntArray:
    """How many proposals of every video count when videos have AN proposals on average.

    The ActivityNet evaluation lets every video contribute the same share of its proposals, so that
    a video with more proposals spends more. Shares are rounded down in floating point as there:
    29 % of 100 proposals are 28.

    Args:
        counts: ``[V]`` number of proposals of each video with annotated actions.
        max_proposals: A, the largest AN.

    Returns:
        ``[V, A]``, for AN = 1 to A.
    """
    if not counts.sum():
        return np.zeros((len(counts), max_proposals), dtype=np.int64)
    ratio = max_proposals * float(len(counts)) / counts.sum()
    kept = np.minimum((counts * ratio).astype(np.int64), counts)
    # The order of these operations decides how shares round, and with it the fourth digit of AR.
    numbers = np.arange(1, max_proposals + 1)
    shares = numbers / max_proposals * (max_proposals * float(len(counts)) / max(kept.sum(), 1))
    return np.minimum((kept[:, None] * shares).astype(np.int64), kept[:, None])


def average_recall(
    hits: IntArray,
    gt_videos: IntArray,
    budgets: IntArray,
    gt_labels: IntArray | None = None,
    num_classes: int = 1,
) -> FloatArray:
    """Fraction of the actions of each class that the proposals within each budget find.

    Args:
        hits: ``[M, T]`` from :func:`first_hits`, grouped by video.
        gt_videos: ``[M]`` row of ``budgets`` of each action.
        budgets: ``[V, A]`` from :func:`proposal_budgets`, rising with AN.
        gt_labels: ``[M]`` class index of each action, in [0, num_classes); None for one class.
        num_classes: K.

    Returns:
        ``[K, T, A]`` fractions; the mean over T is AR@AN for AN = 1 to A. NaN for a class without
        annotated action.
    """
    labels = np.zeros(len(hits), dtype=np.int64) if gt_labels is None else gt_labels
    num_thresholds, numbers = hits.shape[1], budgets.shape[1]
    # The first AN that finds an action finds it from there on: count first ones, then add up.
    first = _first_budgets(hits, gt_videos, np.ascontiguousarray(budgets))
    rows = labels[:, None] * num_thresholds + np.arange(num_thresholds)
    counts = np.bincount(
        (rows * (numbers + 1) + first).ravel(),
        minlength=num_classes * num_thresholds * (numbers + 1),
    ).reshape(num_classes, num_thresholds, numbers + 1)
    num_gt = np.bincount(labels, minlength=num_classes)
    with np.errstate(invalid="ignore"):
        return counts[..., :-1].cumsum(axis=-1) / num_gt[:, None, None]


def area_under_curve(curve: FloatArray) -> float:
    """Area under AR over AN from 1 to A by the trapezoidal rule, divided by A.

    A curve that is 1 everywhere has the area (A - 1) / A: 0.99 for A = 100, as in the ActivityNet
    evaluation.

    Args:
        curve: ``[A]`` AR at AN = 1 to A.
    """
    return float((curve[1:] + curve[:-1]).sum() / 2 / len(curve))


def recall_at_kx(
    hits: IntArray, gt_keys: IntArray, gt_labels: IntArray, top_k: ArrayLike, num_classes: int
) -> FloatArray:
    """Fraction of the actions found by k detections per action of the same class and video.

    Args:
        hits: ``[M, T]`` from :func:`first_hits`, grouped by class and video.
        gt_keys: ``[M]`` the groups.
        gt_labels: ``[M]`` class index, in [0, num_classes).
        top_k: ``[k]`` whole numbers of detections per action.
        num_classes: C.

    Returns:
        ``[C, T, k]`` fractions; NaN for a class without annotated action.
    """
    _, group, sizes = np.unique(gt_keys, return_inverse=True, return_counts=True)
    num_gt = np.bincount(gt_labels, minlength=num_classes)
    numbers = np.atleast_1d(np.asarray(top_k, dtype=np.int64))
    recall = np.empty((num_classes, hits.shape[1], len(numbers)))
    for column, k in enumerate(numbers):
        found: BoolArray = hits < (k * sizes[group])[:, None]
        for t in range(hits.shape[1]):
            recall[:, t, column] = np.bincount(gt_labels, found[:, t], minlength=num_classes)
    with np.errstate(invalid="ignore"):
        return recall / num_gt[:, None, None]


@njit(cache=True, nogil=True)
def _first_hits(gt_segments, first, last, segments, thresholds):  # pragma: no cover - compiled
    hits = np.full((len(gt_segments), len(thresholds)), np.iinfo(np.int64).max, dtype=np.int64)
    for j in range(len(gt_segments)):
        start, end = gt_segments[j, 0], gt_segments[j, 1]
        missing = len(thresholds)
        for i in range(first[j], last[j]):
            inter = max(min(end, segments[i, 1]) - max(start, segments[i, 0]), 0.0)
            union = (end - start) + (segments[i, 1] - segments[i, 0]) - inter
            overlap = inter / union if union > 0 else 0.0
            for t in range(len(thresholds)):
                if overlap >= thresholds[t] and hits[j, t] > i - first[j]:
                    hits[j, t] = i - first[j]
                    missing -= 1
            if missing == 0:
                break
    return hits


@njit(cache=True, nogil=True)
def _first_budgets(hits, gt_videos, budgets):  # pragma: no cover - compiled
    """``[M, T]`` first column of ``budgets`` above the rank of each hit; their number if none."""
    first = np.empty(hits.shape, dtype=np.int64)
    for m in range(hits.shape[0]):
        for t in range(hits.shape[1]):
            first[m, t] = np.searchsorted(budgets[gt_videos[m]], hits[m, t], side="right")
    return first
