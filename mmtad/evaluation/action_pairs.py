"""Actions of EPIC-Kitchens-100 from the detections of a verb and of a noun detector."""

import heapq
from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit

from .average_precision import FloatArray, IntArray
from .files import Source
from .predictions import read_columns, read_results

ACTION_SEPARATOR = " "  # "take plate"; neither verbs nor nouns have a space


def pair_verbs_and_nouns(
    verbs: Source, nouns: Source, *, iou_threshold: float = 0.5, max_per_video: int = 10_000
) -> dict[str, list[dict[str, Any]]]:
    """Make action detections from verb and noun detections, video by video.

    A verb and a noun make an action if their tIoU reaches ``iou_threshold``. The action lasts from
    the mean of their starts to the mean of their ends; its score is the geometric mean of their
    scores. Best scores come first, and among actions of one name every verb detection and every
    noun detection is used once. The public ActionFormer and OpenTAD solutions average segments and
    multiply scores in the same way, but inside the models, where both look at the same point in
    time; the overlap stands for that here.

    Args:
        verbs: Results, path or dict: ``{"results": {video_id: [{"segment", "label", "score"}]}}``
            in seconds, scores not below 0.
        nouns: Results of the same videos; a video that is in one of the two has no action.
        iou_threshold: Least tIoU of a pair, in (0, 1].
        max_per_video: Largest number of actions of a video.

    Returns:
        ``{video_id: [{"segment", "label": "<verb> <noun>", "score"}]}`` by falling score.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file, an option or a score is invalid.
    """
    if not 0 < iou_threshold <= 1:
        raise ValueError(f"iou_threshold must be in (0, 1], got {iou_threshold}")
    if max_per_video < 1:
        raise ValueError(f"max_per_video must be at least 1, got {max_per_video}")
    verb_results, verb_name = read_results(verbs, default_name="the verb detections")
    noun_results, noun_name = read_results(nouns, default_name="the noun detections")
    empty: list[dict[str, Any]] = []
    results = {}
    for video in {**verb_results, **noun_results}:
        one = _rank({video: verb_results.get(video, empty)}, verb_name)
        other = _rank({video: noun_results.get(video, empty)}, noun_name)
        results[video] = _pair_video(one, other, iou_threshold, max_per_video)
    return results


def _rank(
    results: Mapping[str, Any], name: str
) -> tuple[FloatArray, FloatArray, list[str], IntArray]:
    """Segments, scores, label names and label numbers of a video by falling score."""
    segments, scores, labels = read_columns(results, name)
    if (scores < 0).any():
        raise ValueError(
            f"{name}: video '{next(iter(results))}' has the score {scores.min()}; scores below 0 "
            "have no geometric mean"
        )
    order = np.argsort(-scores, kind="stable")
    names = [labels[i] for i in order]
    numbers = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return segments[order], scores[order], names, numbers


def _pair_video(
    verbs: tuple[FloatArray, FloatArray, list[str], IntArray],
    nouns: tuple[FloatArray, FloatArray, list[str], IntArray],
    iou_threshold: float,
    max_per_video: int,
) -> list[dict[str, Any]]:
    verb_segments, verb_scores, verb_names, verb_numbers = verbs
    noun_segments, noun_scores, noun_names, noun_numbers = nouns
    if not verb_names or not noun_names:
        return []
    i, j = _pairs(
        verb_segments,
        verb_scores,
        verb_numbers,
        noun_segments,
        noun_scores,
        noun_numbers,
        iou_threshold,
        max_per_video,
    )
    segments = (verb_segments[i] + noun_segments[j]) / 2
    scores = np.sqrt(verb_scores[i] * noun_scores[j])
    return [
        {"segment": segment, "label": verb_names[a] + ACTION_SEPARATOR + noun_names[b], "score": s}
        for segment, a, b, s in zip(segments.tolist(), i, j, scores.tolist(), strict=True)
    ]


@njit(cache=True, nogil=True)
def _next(segments, row, others, begin, threshold):  # pragma: no cover - compiled
    """First of ``others`` from ``begin`` on that overlaps the segment enough; their number else."""
    start, end = segments[row, 0], segments[row, 1]
    for j in range(begin, len(others)):
        inter = min(end, others[j, 1]) - max(start, others[j, 0])
        if inter > 0:
            union = (end - start) + (others[j, 1] - others[j, 0]) - inter
            if inter >= threshold * union:
                return j
    return len(others)


@njit(cache=True, nogil=True)
def _pairs(
    verb_segments, verb_scores, verbs, noun_segments, noun_scores, nouns, threshold, limit
):  # pragma: no cover - compiled
    """Rows of the pairs by falling product of their scores; the inputs fall in score.

    Every verb detection waits in a heap with its best noun detection that is still to come, so
    that memory grows with the number of detections and not with the number of pairs.
    """
    used_verbs = np.zeros((len(verbs), nouns.max() + 1), dtype=np.bool_)
    used_nouns = np.zeros((len(nouns), verbs.max() + 1), dtype=np.bool_)
    heap = [(0.0, 0, 0)]
    heap.pop()
    for i in range(len(verbs)):
        j = _next(verb_segments, i, noun_segments, 0, threshold)
        if j < len(nouns):
            heapq.heappush(heap, (-verb_scores[i] * noun_scores[j], i, j))
    chosen = np.empty((limit, 2), dtype=np.int64)
    count = 0
    while len(heap) > 0 and count < limit:
        _, i, j = heapq.heappop(heap)
        if not used_verbs[i, nouns[j]] and not used_nouns[j, verbs[i]]:
            used_verbs[i, nouns[j]] = True
            used_nouns[j, verbs[i]] = True
            chosen[count, 0], chosen[count, 1] = i, j
            count += 1
        k = _next(verb_segments, i, noun_segments, j + 1, threshold)
        if k < len(nouns):
            heapq.heappush(heap, (-verb_scores[i] * noun_scores[k], i, k))
    return chosen[:count, 0], chosen[:count, 1]
