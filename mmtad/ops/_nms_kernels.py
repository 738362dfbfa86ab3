"""Compiled loops of :mod:`mmtad.ops.nms` on NumPy arrays; call that module, not this one.

Suppression by definition compares the selected segment with all others. Two observations make it
near linear on the segments of a long video and change no result:

* only segments that overlap the selected one lose score. Sorted by start, and grouped into runs of
  similar length so that one long segment does not blur the rest, those are a few neighbours found
  by bisection;
* scores only fall, so a heap may hold stale ones: a segment that comes to the top with an outdated
  score sinks, and one that comes up with its true score is the maximum.

One floating type is kept throughout (float32 in, float32 arithmetic).
"""

import math
from collections.abc import Callable

import numba
import numpy as np

HARD, LINEAR, GAUSSIAN = 0, 1, 2

# Segments are grouped by the binary exponent of their length, clipped to -30 and 30.
_EXPONENT = 30
# Added to lengths when overlaps are computed for suppression, as in all public code of the field.
_LENGTH_EPS = 1e-6


def compile_loop(function: Callable) -> Callable:
    """Compile without the GIL; keep the machine code on disk if any folder for it is writable."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return numba.njit(nogil=True)(function)


@compile_loop
def _length_runs(starts, ends):
    """Sort segments, given by ascending start, into runs of similar length.

    Returns:
        ``(order, bounds, reach)``: the positions of the segments run by run (starts ascend in
        each), the limits of the runs, and the largest end met so far in the run (ascending, so it
        can be bisected).
    """
    n = len(starts)
    bins = np.empty(n, np.int64)
    fill = np.zeros(2 * _EXPONENT + 2, np.int64)
    for i in range(n):
        length = ends[i] - starts[i]
        exponent = math.frexp(length)[1] if length > 0 else -_EXPONENT
        bins[i] = min(max(exponent, -_EXPONENT), _EXPONENT) + _EXPONENT
        fill[bins[i] + 1] += 1
    bounds = np.zeros(len(fill), np.int64)
    runs = 0
    for b in range(1, len(fill)):
        if fill[b] > 0:
            runs += 1
            bounds[runs] = bounds[runs - 1] + fill[b]
        fill[b] += fill[b - 1]
    order = np.empty(n, np.int64)
    for i in range(n):
        order[fill[bins[i]]] = i
        fill[bins[i]] += 1
    reach = np.empty_like(ends)
    for run in range(runs):
        furthest = ends[order[bounds[run]]]
        for j in range(bounds[run], bounds[run + 1]):
            furthest = max(furthest, ends[order[j]])
            reach[j] = furthest
    return order, bounds[: runs + 1], reach


@compile_loop
def _first_beyond(values, low, high, limit):
    """First position in ``values[low:high]``, which ascends, with a value above the limit."""
    while low < high:
        middle = (low + high) // 2
        if values[middle] > limit:
            high = middle
        else:
            low = middle + 1
    return low


@compile_loop
def _sink(heap, size, position, keys, ranks):
    """Restore the heap below a position: highest key first, among equal keys lowest rank first."""
    item = heap[position]
    while 2 * position + 1 < size:
        child = 2 * position + 1
        best = heap[child]
        if child + 1 < size:
            other = heap[child + 1]
            if keys[other] > keys[best] or (
                keys[other] == keys[best] and ranks[other] < ranks[best]
            ):
                child += 1
                best = other
        if keys[item] > keys[best] or (keys[item] == keys[best] and ranks[item] < ranks[best]):
            break
        heap[position] = best
        position = child
    heap[position] = item


@compile_loop
def _suppress(starts, ends, scores, ranks, method, iou_threshold, sigma, min_score, limit):
    """Suppress within one group, given by ascending start: kept ranks and their lowered scores."""
    order, bounds, reach = _length_runs(starts, ends)
    starts, ends, ranks = starts[order], ends[order], ranks[order]
    one = scores.dtype.type(1)
    scores = scores[order]
    keys = scores.copy()
    lengths = ends - starts + scores.dtype.type(_LENGTH_EPS)
    alive = scores >= min_score
    heap = np.flatnonzero(alive)
    size = len(heap)
    for position in range(size // 2 - 1, -1, -1):
        _sink(heap, size, position, keys, ranks)
    limit = min(limit, size)
    kept_ranks, kept_scores = np.empty(limit, ranks.dtype), np.empty(limit, scores.dtype)
    kept = 0
    while size > 0 and kept < limit:
        top = heap[0]
        if alive[top] and scores[top] < keys[top]:
            keys[top] = scores[top]
            _sink(heap, size, 0, keys, ranks)
            continue
        size -= 1
        heap[0] = heap[size]
        _sink(heap, size, 0, keys, ranks)
        if not alive[top]:
            continue
        alive[top] = False
        kept_ranks[kept], kept_scores[kept] = ranks[top], scores[top]
        kept += 1
        start, end, length = starts[top], ends[top], lengths[top]
        for run in range(len(bounds) - 1):
            stop = bounds[run + 1]
            for j in range(_first_beyond(reach, bounds[run], stop, start), stop):
                if starts[j] >= end:
                    break
                inter = min(end, ends[j]) - max(start, starts[j])
                if not alive[j] or inter <= 0:
                    continue
                iou = inter / (length + lengths[j] - inter)
                if method == GAUSSIAN:
                    scores[j] *= math.exp(-(iou * iou) / sigma)
                elif iou >= iou_threshold:
                    if method == LINEAR:
                        scores[j] *= one - iou
                    else:
                        alive[j] = False
                if scores[j] < min_score:
                    alive[j] = False
    return kept_ranks[:kept], kept_scores[:kept]


@compile_loop
def suppress_groups(
    starts, ends, scores, order, offsets, method, iou_threshold, sigma, min_score, limit
):
    """Run one of the three suppressions within each group on its own.

    Args:
        starts: ``[N]`` starts.
        ends: ``[N]`` ends in the same unit.
        scores: ``[N]`` scores >= 0.
        order: ``[N]`` int64, the segments group by group, in each by ascending start.
        offsets: ``[G + 1]`` int64, where the groups lie in ``order``.
        method: ``HARD``, ``LINEAR`` or ``GAUSSIAN``.
        iou_threshold: Least overlap that counts for ``HARD`` and ``LINEAR``.
        sigma: Width of ``GAUSSIAN``.
        min_score: Segments whose score is or falls below are dropped.
        limit: At most this many segments are kept per group.

    Returns:
        ``(kept, scores)``: indices of the kept segments group by group and their lowered scores,
        which descend in each group (equal scores: lowest index first).
    """
    kept = np.empty(len(order), np.int64)
    lowered = np.empty(len(order), scores.dtype)
    total = 0
    for group in range(len(offsets) - 1):
        members = order[offsets[group] : offsets[group + 1]]
        indices, values = _suppress(
            starts[members],
            ends[members],
            scores[members],
            members,
            method,
            iou_threshold,
            sigma,
            min_score,
            limit,
        )
        kept[total : total + len(indices)] = indices
        lowered[total : total + len(indices)] = values
        total += len(indices)
    return kept[:total], lowered[:total]


@compile_loop
def vote(kept_starts, kept_ends, starts, ends, scores, iou_threshold, iou_weighted):
    """Weighted mean boundaries of the segments around each kept one.

    Args:
        kept_starts: ``[M]`` starts of the segments to refine.
        kept_ends: ``[M]`` their ends.
        starts: ``[N]`` starts of the voters, ascending.
        ends: ``[N]`` their ends.
        scores: ``[N]`` their scores.
        iou_threshold: Least overlap of a voter, above 0.
        iou_weighted: Weigh a vote by score and overlap instead of score alone.

    Returns:
        ``[M, 2]`` float64 refined segments; one without a voter of positive weight stays as it is.
    """
    order, bounds, reach = _length_runs(starts, ends)
    starts, ends, scores = starts[order], ends[order], scores[order]
    refined = np.empty((len(kept_starts), 2), np.float64)
    for i in range(len(kept_starts)):
        start, end = kept_starts[i], kept_ends[i]
        total = sum_start = sum_end = 0.0
        for run in range(len(bounds) - 1):
            stop = bounds[run + 1]
            for j in range(_first_beyond(reach, bounds[run], stop, start), stop):
                if starts[j] >= end:
                    break
                inter = min(end, ends[j]) - max(start, starts[j])
                if inter <= 0:
                    continue
                iou = inter / ((end - start) + (ends[j] - starts[j]) - inter)
                if iou >= iou_threshold:
                    weight = np.float64(scores[j]) * (iou if iou_weighted else 1.0)
                    total += weight
                    sum_start += weight * starts[j]
                    sum_end += weight * ends[j]
        refined[i, 0] = sum_start / total if total > 0 else start
        refined[i, 1] = sum_end / total if total > 0 else end
    return refined
