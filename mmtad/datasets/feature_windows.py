"""Arithmetic of feature grids: which seconds the steps of a sample stand for.

Everything reads the lengths of a :class:`FeatureDataset` from a mapping, the sample of a pipeline
or the dataset's own. ``seconds = (index * feature_stride + clip_frames / 2) / fps``.
"""

from collections.abc import Mapping
from typing import Any

from ..structures import TemporalGrid
from .feature_files import FeatureReadError


def steps_left(item: Mapping[str, Any], features: int) -> int:
    """Steps that remain of a number of features when every n-th is taken."""
    return -(-features // item["step_stride"])


def margin_steps(item: Mapping[str, Any]) -> float:
    """Steps that a window sees beyond its own on both sides: half a clip unless given."""
    if item["truncation_margin"] is not None:
        return item["truncation_margin"]
    return item["clip_frames"] / 2 / (item["feature_stride"] * item["step_stride"])


def window_grid(item: Mapping[str, Any], start: int, length: int) -> TemporalGrid:
    """Grid of a window that begins at a step of the sequence."""
    step = item["feature_stride"] * item["step_stride"] / item["fps"]
    return TemporalGrid(
        origin=start * step + item["clip_frames"] / 2 / item["fps"],
        step=step,
        length=length,
        duration=item["duration"],
    )


def window_seconds(
    item: Mapping[str, Any], start: int, count: int, length: int
) -> tuple[float, float]:
    """From which to which second a window sees actions, its margins included.

    Args:
        item: Lengths of the dataset and ``fps``.
        start: First step.
        count: Steps of the window.
        length: Steps of the sequence. A window that takes all of it sees what any clip saw.
    """
    grid, margin = window_grid(item, start, count), margin_steps(item)
    low, high = grid.origin - margin * grid.step, grid.origin + (count + margin) * grid.step
    if count < length:
        return low, high
    half_clip = grid.origin
    return 0.0, max(high, grid.origin + (count - 1) * grid.step + half_clip)


def resize_grid(item: Mapping[str, Any], features: int) -> TemporalGrid:
    """Grid of a video squeezed into ``window_size`` steps.

    ``resize_span`` is what they divide: the ``duration`` of the video or what its ``features`` saw.
    Step i stands for the moment ``i + resize_offset``.
    """
    span = item["duration"]
    if item["resize_span"] == "features":
        span = seen_seconds(features, item["feature_stride"], item)
    step = span / item["window_size"]
    return TemporalGrid(item["resize_offset"] * step, step, item["window_size"], item["duration"])


def seen_seconds(features: int, stride: float, item: Mapping[str, Any]) -> float:
    """Seconds of the video from the first frame of the first clip to the last of the last."""
    return ((features - 1) * stride + (item["clip_frames"] or stride)) / item["fps"]


def check_length(features: int, stride: float | None, item: Mapping[str, Any], path: str) -> None:
    """Check that there are as many features as a video of this duration should have.

    A clip and a stride more or less are always allowed: extractors treat the ends of a video in
    different ways.

    Args:
        features: Number of features in the file.
        stride: Frames between them; None checks nothing.
        item: Sample with ``duration``, ``fps``, ``clip_frames``, ``length_tolerance`` (share of the
            duration) and ``video_id``.
        path: The file, for the message.

    Raises:
        FeatureReadError: If they last longer or shorter.
    """
    if stride is None or item["fps"] is None or item["length_tolerance"] is None:
        return
    seen, duration = seen_seconds(features, stride, item), item["duration"]
    slack = (item["clip_frames"] + 2 * stride) / item["fps"]
    if abs(seen - duration) > item["length_tolerance"] * duration + slack:
        raise FeatureReadError(
            f"the {features} features of video {item['video_id']!r} in {path} last {seen:.1f} s "
            f"with a feature_stride of {stride:g} frames at {item['fps']:g} frames per second, but "
            f"the video {duration:.1f} s; mend the file, or feature_stride and feature_fps, or "
            "raise length_tolerance"
        )
