"""Which detection finds which annotated action, and the normalised average precision over it.

Both follow DETAD (`Diagnosing Error in Temporal Action Detectors
<https://arxiv.org/abs/1807.10706>`_); matching is that of
:func:`mmtad.evaluation.average_precision`.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .average_precision import BoolArray, FloatArray, IntArray
from .ground_truth import GroundTruth
from .predictions import Predictions

# What a detection is to an average precision.
TRUE, FALSE, LEFT_OUT = 1, 0, -1


@dataclass(frozen=True)
class Matches:
    """Detections of known classes, class by class and by falling score.

    Args:
        rows: ``[N]`` index into the detections as they were given.
        labels: ``[N]`` class index.
        ranks: ``[N]`` place within the class, from 0.
        bounds: ``[K + 1]``: class k holds the detections ``bounds[k]`` to ``bounds[k + 1]``.
        num_gt: ``[K]`` annotated actions of each class.
        actions: ``[N, T]`` index of the annotated action that the detection finds at each tIoU
            threshold, -1 for a false positive.
        best_tiou: ``[N]`` highest tIoU with an annotated action of the video, whatever its class.
        same_label: ``[N]`` whether an action of that tIoU has the detection's class.
        thresholds: ``[T]`` tIoU thresholds.
    """

    rows: IntArray
    labels: IntArray
    ranks: IntArray
    bounds: IntArray
    num_gt: IntArray
    actions: NDArray[np.int32]
    best_tiou: FloatArray
    same_label: BoolArray
    thresholds: FloatArray

    @property
    def found(self) -> BoolArray:
        """``[N, T]`` true positives."""
        return self.actions >= 0


def match(ground_truth: GroundTruth, detections: Predictions, thresholds: FloatArray) -> Matches:
    """Match detections to annotated actions and find what each overlaps most.

    Detections of a class that the ground truth does not have are left out. Detections of equal
    score keep their order.

    Args:
        ground_truth: Annotated actions.
        detections: What was detected.
        thresholds: ``[T]`` fractions in (0, 1].

    Returns:
        The detections with what they find.
    """
    num_classes, num_videos = len(ground_truth.classes), len(ground_truth.video_ids)
    order = np.lexsort((-detections.scores, detections.labels))
    order = order[detections.labels[order] >= 0]
    labels, videos = detections.labels[order], detections.videos[order]
    # Annotated actions by video, within a video by class: one video is one range of rows.
    gt_order = np.lexsort((ground_truth.labels, ground_truth.videos))
    starts = np.searchsorted(ground_truth.videos[gt_order], np.arange(num_videos + 1))
    known = videos >= 0
    actions, best_tiou, same_label = _match(
        np.ascontiguousarray(detections.segments[order]),
        labels,
        np.where(known, starts[videos], 0),
        np.where(known, starts[videos + 1], 0),
        np.ascontiguousarray(ground_truth.segments[gt_order]),
        ground_truth.labels[gt_order],
        gt_order,
        thresholds,
    )
    bounds = np.searchsorted(labels, np.arange(num_classes + 1))
    return Matches(
        rows=order,
        labels=labels,
        ranks=np.arange(len(order)) - bounds[labels],
        bounds=bounds,
        num_gt=np.bincount(ground_truth.labels, minlength=num_classes),
        actions=actions,
        best_tiou=best_tiou,
        same_label=same_label,
        thresholds=thresholds,
    )


@njit(cache=True, nogil=True)
def _match(
    segments, labels, first, last, gt_segments, gt_labels, gt_rows, thresholds
):  # pragma: no cover - compiled
    """Match greedily; detection i sees the rows ``first[i]`` to ``last[i]`` of the truth."""
    num_thresholds = len(thresholds)
    actions = np.full((len(segments), num_thresholds), -1, dtype=np.int32)
    best_tiou = np.zeros(len(segments))
    same_label = np.zeros(len(segments), dtype=np.bool_)
    taken = np.zeros((len(gt_segments), num_thresholds), dtype=np.bool_)
    overlaps = np.empty(len(gt_segments))
    for i in range(len(segments)):
        start, end = segments[i, 0], segments[i, 1]
        highest = 0.0
        for j in range(first[i], last[i]):
            inter = max(min(end, gt_segments[j, 1]) - max(start, gt_segments[j, 0]), 0.0)
            union = (gt_segments[j, 1] - gt_segments[j, 0]) + (end - start) - inter
            overlaps[j] = inter / union if union > 0 else 0.0
            same = gt_labels[j] == labels[i]
            if same:
                highest = max(highest, overlaps[j])
            if overlaps[j] > best_tiou[i]:
                best_tiou[i], same_label[i] = overlaps[j], same
            elif same and overlaps[j] == best_tiou[i]:
                same_label[i] = True
        for t in range(num_thresholds):
            if highest < thresholds[t]:
                continue
            best = -1
            best_overlap = thresholds[t]
            for j in range(first[i], last[i]):
                if gt_labels[j] == labels[i] and overlaps[j] >= best_overlap and not taken[j, t]:
                    best = j
                    best_overlap = overlaps[j]
            if best >= 0:
                actions[i, t] = gt_rows[best]
                taken[best, t] = True
    return actions, best_tiou, same_label


def normalized_average_precision(
    kinds: NDArray[np.int8], bounds: IntArray, num_gt: IntArray, normalizer: float | IntArray
) -> FloatArray:
    """Interpolated AP with normalised precision, comparable between sets of different size.

    ``precision = N * recall / (N * recall + false positives)`` with one N for all classes and all
    sets of actions, in place of the number of actions of the set.

    Args:
        kinds: ``[N, T]`` what each detection is: ``TRUE``, ``FALSE`` or ``LEFT_OUT``.
        bounds: ``[K + 1]`` rows of each class, sorted by falling score.
        num_gt: ``[K]`` annotated actions of each class.
        normalizer: N, above 0. The numbers of actions themselves, ``[K]``, give the usual AP.

    Returns:
        ``[K, T]`` fractions; NaN for a class without annotated action.
    """
    normalizers = np.broadcast_to(np.asarray(normalizer, dtype=np.float64), num_gt.shape)
    return _normalized_ap(np.ascontiguousarray(kinds), bounds, num_gt, normalizers.copy())


@njit(cache=True, nogil=True)
def _normalized_ap(kinds, bounds, num_gt, normalizers):  # pragma: no cover - compiled
    num_thresholds = kinds.shape[1]
    ap = np.full((len(num_gt), num_thresholds), np.nan)
    precision = np.empty(len(kinds))
    for k in range(len(num_gt)):
        if num_gt[k] == 0:
            continue
        for t in range(num_thresholds):
            found, wrong = 0, 0
            for i in range(bounds[k], bounds[k + 1]):
                if kinds[i, t] == 1:
                    weight = normalizers[k] * (found + 1) / num_gt[k]
                    precision[found] = weight / (weight + wrong)
                    found += 1
                elif kinds[i, t] == 0:
                    wrong += 1
            envelope, total = 0.0, 0.0
            for j in range(found - 1, -1, -1):
                envelope = max(envelope, precision[j])
                total += envelope
            ap[k, t] = total / num_gt[k]
    return ap


def normalized_precision(matches: Matches, normalizer: float) -> FloatArray:
    """Precision of the detections up to each one, normalised as above.

    Args:
        matches: Detections and what they find.
        normalizer: N, above 0.

    Returns:
        ``[N, T]`` fractions.
    """
    true = np.cumsum(matches.found, axis=0)
    before = np.concatenate([np.zeros((1, true.shape[1]), dtype=true.dtype), true])
    true = true - before[matches.bounds[matches.labels]]
    false = matches.ranks[:, None] + 1 - true
    weight = normalizer * true / matches.num_gt[matches.labels][:, None]
    return weight / (weight + false)
