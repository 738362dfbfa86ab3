"""How long annotated actions are, how much of their video they fill, and how many share it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .average_precision import FloatArray
from .files import Source, read_section
from .ground_truth import GroundTruth


def action_characteristics(
    ground_truth: GroundTruth, durations: FloatArray
) -> dict[str, FloatArray]:
    """Characteristics of every annotated action, as DETAD defines them.

    Args:
        ground_truth: The M annotated actions.
        durations: ``[V]`` seconds of each video, NaN where unknown.

    Returns:
        ``"length"`` in seconds, ``"coverage"`` = length / duration of the video, at most 1 and NaN
        where the duration is unknown, and ``"num_instances"``, the annotated actions of the video
        whatever their class; each ``[M]``.
    """
    length = ground_truth.segments[:, 1] - ground_truth.segments[:, 0]
    coverage = np.minimum(length / durations[ground_truth.videos], 1.0)
    counts = np.bincount(ground_truth.videos, minlength=len(ground_truth.video_ids))
    instances = counts[ground_truth.videos].astype(np.float64)
    return {"coverage": coverage, "length": length, "num_instances": instances}


def load_durations(source: Source, ground_truth: GroundTruth) -> FloatArray:
    """Read the durations of the evaluated videos.

    Args:
        source: Annotation, path or dict. A video without ``duration`` takes it from annotations
            that hold ``length`` and ``coverage``, as in the files of DETAD.
        ground_truth: Its videos.

    Returns:
        ``[V]`` seconds, NaN where the annotation does not tell.

    Raises:
        ValueError: If a duration is not a positive number.
    """
    database, name = read_section(source, "database", "the ground truth")
    durations = np.full(len(ground_truth.video_ids), np.nan)
    for index, video in enumerate(ground_truth.video_ids):
        value = _duration(database[video])
        if value is None:
            continue
        try:
            durations[index] = float(value)
        except (TypeError, ValueError):
            durations[index] = np.nan
        if not 0 < durations[index] < np.inf:
            raise ValueError(
                f"{name}: video '{video}' has the duration {value!r}; expected positive seconds"
            )
    return durations


def require_durations(ground_truth: GroundTruth, durations: FloatArray) -> None:
    """Make sure that the duration of every video with annotated actions is known.

    Args:
        ground_truth: Annotated actions.
        durations: ``[V]`` seconds, NaN where unknown.

    Raises:
        ValueError: If one is missing.
    """
    used = np.unique(ground_truth.videos)
    missing = used[np.isnan(durations[used])]
    if missing.size:
        raise ValueError(
            f"{ground_truth.name}: video '{ground_truth.video_ids[missing[0]]}' and "
            f"{missing.size - 1} others have no 'duration', which coverage needs; add it in "
            "seconds, or choose bins without coverage"
        )


def _duration(info: Mapping[str, Any]) -> Any:
    if info.get("duration") is not None:
        return info["duration"]
    for annotation in info.get("annotations") or []:
        if annotation.get("coverage") and annotation.get("length"):
            return annotation["length"] / annotation["coverage"]
    return None
