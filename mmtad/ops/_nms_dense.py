"""Compiled suppression for small groups: every selected segment is compared with all that are left.

Quadratic in the size of a group, but without the sorting, searching and heap of
:mod:`mmtad.ops._nms_kernels`, and so faster up to about a hundred segments. The result is the same.
"""

import math

import numpy as np

from ._nms_kernels import GAUSSIAN, LENGTH_EPS, LINEAR, compile_loop


@compile_loop
def _members(groups, num_groups):
    """Indices group by group, each in the order given, and where each group starts."""
    bounds = np.zeros(num_groups + 1, np.int64)
    for group in groups:
        bounds[group + 1] += 1
    for group in range(num_groups):
        bounds[group + 1] += bounds[group]
    fill, order = bounds.copy(), np.empty(len(groups), np.int64)
    for i, group in enumerate(groups):
        order[fill[group]] = i
        fill[group] += 1
    return order, bounds


@compile_loop
def suppress_dense(
    starts,
    ends,
    scores,
    groups,
    num_groups,
    method,
    iou_threshold,
    iou_slope,
    sigma,
    min_score,
    max_per_group,
):
    """Run one of the three suppressions within each group on its own.

    Args:
        starts: ``[N]`` starts.
        ends: ``[N]`` ends in the same unit.
        scores: ``[N]`` scores >= 0.
        groups: ``[N]`` int64 groups of 0 to ``num_groups - 1``.
        num_groups: Number of groups.
        method: ``HARD``, ``LINEAR`` or ``GAUSSIAN``.
        iou_threshold: Least overlap that counts.
        iou_slope: Added to it per length of the better segment.
        sigma: Width of ``GAUSSIAN``.
        min_score: Segments whose score is or falls below are dropped.
        max_per_group: At most this many segments are kept per group.

    Returns:
        ``[N]`` lowered scores, -1 for what is dropped.
    """
    order, bounds = _members(groups, num_groups)
    starts, ends, scores = starts[order], ends[order], scores[order]
    one, lengths = scores.dtype.type(1), ends - starts + scores.dtype.type(LENGTH_EPS)
    lowered = np.full(len(starts), -one, scores.dtype)
    for group in range(num_groups):
        base, size, best = bounds[group], bounds[group + 1] - bounds[group], -1
        for j in range(base, base + size):
            if scores[j] >= min_score and (best < 0 or scores[j] > scores[best]):
                best = j
        for _ in range(max_per_group):
            if best < 0:
                break
            start, end, length = starts[best], ends[best], lengths[best]
            lowered[order[best]] = scores[best]
            least = iou_threshold + iou_slope * length
            # What is left moves together, in its order, so that of equal scores the first leads.
            to, selected, best = base, best, -1
            for j in range(base, base + size):
                score = scores[j]
                if j == selected or score < min_score:
                    continue
                inter = min(end, ends[j]) - max(start, starts[j])
                if inter > 0:
                    iou = inter / (length + lengths[j] - inter)
                    if iou >= least:
                        if method == GAUSSIAN:
                            score *= math.exp(-(iou * iou) / sigma)
                        elif method == LINEAR:
                            score *= one - iou
                        else:
                            continue
                        if score < min_score:
                            continue
                starts[to], ends[to], lengths[to] = starts[j], ends[j], lengths[j]
                scores[to], order[to] = score, order[j]
                if best < 0 or score > scores[best]:
                    best = to
                to += 1
            size = to - base
    return lowered
