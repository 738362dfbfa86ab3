"""One result out of those of several detectors."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..ops import batched_nms, fuse_segments
from .detection import read_nms

_TYPES = ("soft_nms", "nms", "fusion")
_FUSION_OPTIONS = {"type", "iou_threshold"}

FloatArray = npt.NDArray[np.float64]
# Segments [N, 2] in seconds, scores [N] and label names [N] of one video.
_Detections = tuple[FloatArray, FloatArray, list[str]]
_Merge = Callable[[Sequence[_Detections], FloatArray, Sequence[str]], list[dict[str, Any]]]


def ensemble_results(
    results: Sequence[Mapping[str, Any]],
    weights: Sequence[float] | None = None,
    nms: Mapping[str, Any] | None = None,
    *,
    normalize: bool = False,
    max_per_video: int | None = None,
    allow_missing: bool = False,
    names: Sequence[str] | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Merge the detections of several detectors on the same videos.

    The scores of each detector are multiplied by its weight, the detections of a video are put
    together, and repeated ones are suppressed class by class. Weights are relative to the largest,
    so equal ones leave the scores as they are.

    Args:
        results: One of each detector: ``{video_id: [{"segment": [start, end], "label": name,
            "score": number}]}`` in seconds.
        weights: One of each detector, > 0. Defaults to None, all alike.
        nms: As ``nms`` of :class:`DetectionPostProcessor`, or ``dict(type='fusion',
            iou_threshold=0.5)`` for :func:`mmtad.ops.fuse_segments`, which rewards
            what the detectors agree on and takes the mean of their boundaries. Defaults to None,
            ``dict(type='soft_nms', sigma=0.5, min_score=0.001)``.
        normalize: Divide the scores of each detector by its highest first, for detectors whose
            scores lie in different ranges.
        max_per_video: Largest number of detections of a video. Defaults to None, all.
        allow_missing: Take a video that a detector has no entry for as one without detections.
        names: What messages call each of ``results``, such as the file. Defaults to None, their
            number.

    Returns:
        The same layout, videos in the order in which they are first met, detections by falling
        score.

    Raises:
        ValueError: If the results do not seem to be of the same data set (videos or labels), a
            detection is malformed, or an option is out of range.
    """
    names = [f"result {i + 1}" for i in range(len(results))] if names is None else list(names)
    if len(results) < 2:
        raise ValueError(f"an ensemble needs two results or more, got {len(results)}")
    if max_per_video is not None and max_per_video <= 0:
        raise ValueError(f"max_per_video must be positive or None, got {max_per_video}")
    merge = _read_merge(nms)
    share = _read_weights(weights, len(results))
    videos = _common_videos(results, names, allow_missing)
    tables = [_read(*pair) for pair in zip(results, names, strict=True)]
    classes = _common_classes(tables, names)
    if normalize:
        tables = [_normalize(table) for table in tables]
    empty: _Detections = (np.zeros((0, 2)), np.zeros(0), [])
    return {
        video: merge([table.get(video, empty) for table in tables], share, classes)[:max_per_video]
        for video in videos
    }


def _read_merge(nms: Mapping[str, Any] | None) -> _Merge:
    """Turn the option into a function of the detections of one video, weights and classes."""
    options: dict[str, Any] = dict(type="soft_nms", sigma=0.5, min_score=0.001)
    if nms is not None:
        options = dict(nms)
    if options.get("type") not in _TYPES:
        raise ValueError(f"nms of an ensemble needs a type of {_TYPES}, got {nms}")
    if options["type"] != "fusion":
        return partial(_suppress, options=read_nms(options))
    if unknown := sorted(set(options) - _FUSION_OPTIONS):
        raise ValueError(f"fusion takes {sorted(_FUSION_OPTIONS)}, got {unknown}")
    return partial(_fuse, iou_threshold=options.get("iou_threshold", 0.5))


def _suppress(
    parts: Sequence[_Detections],
    weights: FloatArray,
    classes: Sequence[str],
    options: Mapping[str, Any],
) -> list[dict[str, Any]]:
    segments, scores, labels, sources = _join(parts, classes)
    scores = scores * torch.from_numpy(weights / weights.max())[sources]
    keep, lowered = batched_nms(segments, scores, labels, **options)
    return _to_results(segments[keep], lowered, labels[keep], classes)


def _fuse(
    parts: Sequence[_Detections],
    weights: FloatArray,
    classes: Sequence[str],
    iou_threshold: float,
) -> list[dict[str, Any]]:
    fused = fuse_segments(*_join(parts, classes), weights.tolist(), iou_threshold)
    return _to_results(*fused, classes)


def _join(
    parts: Sequence[_Detections], classes: Sequence[str]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Segments ``[N, 2]``, scores, labels and detectors ``[N]`` of one video."""
    position = {name: index for index, name in enumerate(classes)}
    labels = [position[name] for part in parts for name in part[2]]
    return (
        torch.from_numpy(np.concatenate([part[0] for part in parts])),
        torch.from_numpy(np.concatenate([part[1] for part in parts])),
        torch.tensor(labels, dtype=torch.int64),
        torch.from_numpy(np.repeat(np.arange(len(parts)), [len(part[1]) for part in parts])),
    )


def _to_results(
    segments: Tensor, scores: Tensor, labels: Tensor, classes: Sequence[str]
) -> list[dict[str, Any]]:
    rows = zip(segments.tolist(), scores.tolist(), labels.tolist(), strict=True)
    return [
        {"segment": segment, "label": classes[label], "score": score}
        for segment, score, label in rows
    ]


def _read_weights(weights: Sequence[float] | None, count: int) -> FloatArray:
    share = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    if share.shape != (count,) or not (np.isfinite(share).all() and (share > 0).all()):
        raise ValueError(f"{count} results need as many positive weights, got {weights}")
    return share


def _common_videos(
    results: Sequence[Mapping[str, Any]], names: Sequence[str], allow_missing: bool
) -> list[str]:
    """All videos in the order in which they are first met."""
    for result, name in zip(results, names, strict=True):
        if not result:
            raise ValueError(f"{name} holds no video; give the results of a detector")
        if not result.keys() & results[0].keys():
            examples = [next(iter(r)) for r in (result, results[0])]
            raise ValueError(
                f"{name} and {names[0]} have no video in common ({examples[0]!r} and so on, "
                f"{examples[1]!r} and so on); an ensemble needs results of one data set"
            )
    videos = list(dict.fromkeys(video for result in results for video in result))
    for result, name in zip(results, names, strict=True):
        missing = [video for video in videos if video not in result]
        if missing and not allow_missing:
            other = next(n for r, n in zip(results, names, strict=True) if missing[0] in r)
            raise ValueError(
                f"{name} lacks {len(missing)} of {len(videos)} videos, first '{missing[0]}', which "
                f"{other} has; allow missing videos to take them as without detections"
            )
    return videos


def _read(result: Mapping[str, Any], name: str) -> dict[str, _Detections]:
    """Detections by video, checked."""
    table = {}
    for video, found in result.items():
        if not isinstance(found, list | tuple):
            raise ValueError(f"{name}: video '{video}' holds a {type(found).__name__}, not a list")
        rows = [_read_one(detection, video, name) for detection in found]
        table[video] = (
            np.array([row[:2] for row in rows]).reshape(-1, 2),
            np.array([row[2] for row in rows]),
            [row[3] for row in rows],
        )
    return table


def _read_one(detection: Any, video: str, name: str) -> tuple[float, float, float, str]:
    try:
        (start, end), score, label = (detection[key] for key in ("segment", "score", "label"))
        numbers = [value for value in (start, end, score) if not isinstance(value, str | bool)]
        good = len(numbers) == 3 and all(map(math.isfinite, numbers))
        good &= isinstance(label, str | int | float)
    except (KeyError, TypeError, ValueError):
        good = False
    if not good or start > end or score < 0:
        raise ValueError(
            f"{name}: video '{video}' has the detection {str(detection)[:120]}; expected "
            "{'segment': [start, end], 'label': name, 'score': number} with finite numbers, the "
            "end not before the start and a score >= 0"
        )
    return float(start), float(end), float(score), str(label)


def _common_classes(tables: Sequence[Mapping[str, _Detections]], names: Sequence[str]) -> list[str]:
    """All labels; those of one data set share at least half of the labels of the smaller set."""
    labels = [{label for part in table.values() for label in part[2]} for table in tables]
    for other, name in zip(labels[1:], names[1:], strict=True):
        common, least = len(labels[0] & other), min(len(labels[0]), len(other))
        if 2 * common < least:
            raise ValueError(
                f"{name} and {names[0]} have {common} labels in common ({names[0]} has no "
                f"'{min(other - labels[0])}'); an ensemble needs results of one data set, with "
                "labels written alike"
            )
    return sorted(set().union(*labels))


def _normalize(table: Mapping[str, _Detections]) -> dict[str, _Detections]:
    highest = max((part[1].max() for part in table.values() if len(part[1])), default=0.0)
    return _scale(table, 1 / highest) if highest > 0 else dict(table)


def _scale(table: Mapping[str, _Detections], factor: float) -> dict[str, _Detections]:
    return {video: (part[0], part[1] * factor, part[2]) for video, part in table.items()}
