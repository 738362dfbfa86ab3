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
LENGTH_EPS = 1e-6


def compile_loop(function: Callable) -> Callable:
    """Compile without the GIL; keep the machine code on disk if any folder for it is writable."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return numba.njit(nogil=True)(function)


@compile_loop
def _length_runs(starts, ends, by_start, groups, num_groups):
    """Sort segments into runs of one group and similar length, each by ascending start.

    Returns:
        ``(order, bounds, reach, first)``: the segments run by run, the limits of the runs, the
        largest end met so far in the run (ascending, so it can be bisected), and the first run of
        each group.
    """
    n, bins = len(starts), 2 * _EXPONENT + 1
    keys = np.empty(n, np.int64)
    fill = np.zeros(num_groups * bins + 1, np.int64)
    for i in range(n):
        length = ends[i] - starts[i]
        exponent = math.frexp(length)[1] if length > 0 else -_EXPONENT
        keys[i] = groups[i] * bins + min(max(exponent, -_EXPONENT), _EXPONENT) + _EXPONENT
        fill[keys[i] + 1] += 1
    bounds = np.zeros(min(n, num_groups * bins) + 1, np.int64)
    first = np.zeros(num_groups + 1, np.int64)
    runs = 0
    for key in range(num_groups * bins):
        if fill[key + 1] > 0:
            runs += 1
            bounds[runs] = bounds[runs - 1] + fill[key + 1]
            first[key // bins + 1] = runs
        fill[key + 1] += fill[key]
    order = np.empty(n, np.int64)
    for i in by_start:
        order[fill[keys[i]]] = i
        fill[keys[i]] += 1
    reach = np.empty_like(ends)
    for run in range(runs):
        furthest = ends[order[bounds[run]]]
        for j in range(bounds[run], bounds[run + 1]):
            furthest = max(furthest, ends[order[j]])
            reach[j] = furthest
    return order, bounds[: runs + 1], reach, first


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
def _lower(top, begin, stop, arrays, method, least, sigma, min_score):
    """Lower what overlaps ``top`` in ``begin`` to ``stop``, a part of a run by ascending start."""
    starts, ends, lengths, scores, alive = arrays
    start, end, length, one = starts[top], ends[top], lengths[top], scores.dtype.type(1)
    for j in range(begin, stop):
        if starts[j] >= end:
            break
        inter = min(end, ends[j]) - max(start, starts[j])
        if not alive[j] or inter <= 0:
            continue
        iou = inter / (length + lengths[j] - inter)
        if iou < least:
            continue
        if method == GAUSSIAN:
            scores[j] *= math.exp(-(iou * iou) / sigma)
        elif method == LINEAR:
            scores[j] *= one - iou
        else:
            alive[j] = False
        if scores[j] < min_score:
            alive[j] = False


@compile_loop
def suppress(
    starts,
    ends,
    scores,
    by_start,
    groups,
    num_groups,
    method,
    iou_threshold,
    iou_slope,
    sigma,
    min_score,
    max_per_group,
    max_total,
):
    """Run one of the three suppressions within each group on its own.

    Args:
        starts: ``[N]`` starts.
        ends: ``[N]`` ends in the same unit.
        scores: ``[N]`` scores >= 0.
        by_start: ``[N]`` int64, the segments by ascending start.
        groups: ``[N]`` int64 groups, each of 0 to ``num_groups - 1`` with at least one segment.
        num_groups: Number of groups.
        method: ``HARD``, ``LINEAR`` or ``GAUSSIAN``.
        iou_threshold: Least overlap that counts.
        iou_slope: Added to it per length of the better segment.
        sigma: Width of ``GAUSSIAN``.
        min_score: Segments whose score is or falls below are dropped.
        max_per_group: At most this many segments are kept per group.
        max_total: At most this many segments are kept.

    Returns:
        ``(kept, scores)``: indices of the kept segments and their lowered scores, which descend
        (equal scores: lowest index first).
    """
    order, bounds, reach, first = _length_runs(starts, ends, by_start, groups, num_groups)
    starts, ends, scores = starts[order], ends[order], scores[order]
    lengths = ends - starts + scores.dtype.type(LENGTH_EPS)
    keys = scores.copy()
    alive = scores >= min_score
    arrays = (starts, ends, lengths, scores, alive)
    heap = np.flatnonzero(alive)
    size = len(heap)
    for position in range(size // 2 - 1, -1, -1):
        _sink(heap, size, position, keys, order)
    room = np.full(num_groups, max_per_group)
    max_total = min(max_total, size)
    kept, kept_scores = np.empty(max_total, np.int64), np.empty(max_total, scores.dtype)
    count = 0
    while size > 0 and count < max_total:
        top = heap[0]
        group = groups[order[top]]
        selected = alive[top] and scores[top] == keys[top] and room[group] > 0
        if alive[top] and scores[top] < keys[top]:
            keys[top] = scores[top]
        else:
            size -= 1
            heap[0] = heap[size]
        _sink(heap, size, 0, keys, order)
        if not selected:
            continue
        alive[top] = False
        kept[count], kept_scores[count] = order[top], scores[top]
        count += 1
        room[group] -= 1
        least = iou_threshold + iou_slope * lengths[top]
        for run in range(first[group], first[group + 1]):
            stop = bounds[run + 1]
            begin = _first_beyond(reach, bounds[run], stop, starts[top])
            _lower(top, begin, stop, arrays, method, least, sigma, min_score)
    return kept[:count], kept_scores[:count]


@compile_loop
def vote(kept_starts, kept_ends, starts, ends, scores, by_start, iou_threshold, iou_weighted):
    """Weighted mean boundaries of the segments around each kept one.

    Args:
        kept_starts: ``[M]`` starts of the segments to refine.
        kept_ends: ``[M]`` their ends.
        starts: ``[N]`` starts of the voters.
        ends: ``[N]`` their ends.
        scores: ``[N]`` their scores.
        by_start: ``[N]`` int64, the voters by ascending start.
        iou_threshold: Least overlap of a voter, above 0.
        iou_weighted: Weigh a vote by score and overlap instead of score alone.

    Returns:
        ``[M, 2]`` float64 refined segments; one without a voter of positive weight stays as it is.
    """
    one_group = np.zeros(len(starts), np.int64)
    order, bounds, reach, _ = _length_runs(starts, ends, by_start, one_group, 1)
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
