"""Fusion of the segments that several detectors found in one video."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ._nms_kernels import compile_loop


def fuse_segments(
    segments: Tensor,
    scores: Tensor,
    labels: Tensor,
    sources: Tensor,
    weights: Sequence[float],
    iou_threshold: float = 0.5,
) -> tuple[Tensor, Tensor, Tensor]:
    """Turn segments that several detectors agree on into one.

    `Weighted boxes fusion <https://arxiv.org/abs/1910.13302>`_ along time. By falling ``weight *
    score``, a segment joins the cluster of its class whose mean it overlaps most, if by the
    threshold or more, else it opens one. A cluster becomes one segment: boundaries are the mean
    weighted with ``weight * score``; the score is the weighted mean over the detectors of the best
    score that each has in the cluster, 0 where it has none. (The paper takes the mean over all
    boxes; with detections after a soft-NMS, whose repetitions have low scores, that would punish a
    detector for repeating itself.)

    Args:
        segments: ``[N, 2]`` start and end in any unit.
        scores: ``[N]``, >= 0.
        labels: int64 ``[N]`` classes, which do not touch each other.
        sources: int64 ``[N]`` detectors, 0 to S - 1.
        weights: ``[S]`` weights of the detectors, > 0.
        iou_threshold: Least tIoU with the mean of a cluster to join it, in (0, 1].

    Returns:
        float64 segments ``[M, 2]`` and scores ``[M]``, descending, and int64 labels ``[M]``.

    Raises:
        ValueError: If shapes do not fit, a value is not finite, a score is negative, a source has
            no weight or an option is out of range.
    """
    n = len(segments)
    if segments.shape != (n, 2) or not scores.shape == labels.shape == sources.shape == (n,):
        shapes = [tuple(x.shape) for x in (segments, scores, labels, sources)]
        raise ValueError(f"segments [N, 2], scores, labels and sources [N] differ: {shapes}")
    if not 0 < iou_threshold <= 1:
        raise ValueError(f"iou_threshold must be in (0, 1], got {iou_threshold}")
    share = np.asarray(weights, dtype=np.float64)
    if share.ndim != 1 or not (np.isfinite(share).all() and (share > 0).all()):
        raise ValueError(f"weights must be positive, got {weights}")
    source = sources.cpu().numpy().astype(np.int64)
    if n and not 0 <= source.min() <= source.max() < len(share):
        raise ValueError(f"sources must be 0 to {len(share) - 1}, got {source.max()}")
    pairs = segments.detach().cpu().double().numpy()
    score = scores.detach().cpu().double().numpy()
    if not (np.isfinite(pairs).all() and np.isfinite(score).all() and (score >= 0).all()):
        raise ValueError("segments and scores must be finite and scores >= 0 to be fused")
    label = labels.cpu().numpy().astype(np.int64)
    order = np.lexsort((-score * share[source], label))
    (starts, ends), score = pairs[order].T.copy(), score[order]
    fused, best, members = _cluster(
        starts, ends, score, label[order], source[order], share, float(iou_threshold)
    )
    total = best @ (share / share.sum())
    order = np.argsort(-total, kind="stable")
    return (
        torch.from_numpy(fused[order]),
        torch.from_numpy(total[order]),
        torch.from_numpy(members[order]),
    )


@compile_loop
def _cluster(starts, ends, scores, labels, sources, weights, iou_threshold):
    """Greedy clusters of segments that come class by class and by falling weighted score.

    Returns:
        Mean segments ``[M, 2]``, the best score of each source ``[M, S]`` and labels ``[M]``.
    """
    n = len(starts)
    fused, total = np.empty((n, 2), np.float64), np.zeros(n, np.float64)
    best, members = np.zeros((n, len(weights)), np.float64), np.empty(n, np.int64)
    first = count = 0  # the clusters of the present class are first to count - 1
    for i in range(n):
        if i > 0 and labels[i] != labels[i - 1]:
            first = count
        closest, overlap = -1, 0.0
        for c in range(first, count):
            inter = min(ends[i], fused[c, 1]) - max(starts[i], fused[c, 0])
            if inter <= 0:
                continue
            iou = inter / ((ends[i] - starts[i]) + (fused[c, 1] - fused[c, 0]) - inter)
            if iou >= iou_threshold and iou > overlap:
                closest, overlap = c, iou
        weight = weights[sources[i]] * scores[i]
        if closest < 0:
            closest = count
            fused[count, 0], fused[count, 1], members[count] = starts[i], ends[i], labels[i]
            total[count] = weight
            count += 1
        elif weight > 0:
            # The mean moves by the share of the newcomer.
            total[closest] += weight
            share = weight / total[closest]
            fused[closest, 0] += share * (starts[i] - fused[closest, 0])
            fused[closest, 1] += share * (ends[i] - fused[closest, 1])
        best[closest, sources[i]] = max(best[closest, sources[i]], scores[i])
    return fused[:count], best[:count], members[:count]
