"""Choosing the window of a sample, and with it the grid on which a model sees time."""

from typing import Any

import numpy as np
import torch

from ...registry import TRANSFORMS
from ...structures import TemporalGrid
from ..windows import (
    random_truncation,
    resize_frames,
    sampled_length,
    visible_segments,
    window_frames,
)
from .base import Transform
from .loading import VideoReadError


@TRANSFORMS.register_module()
class SampleFrames(Transform):
    """Choose the frames of a sample, in the way that the dataset asks for.

    ``results["sampling"]`` is ``"sliding"`` (the window at ``window_start``), ``"random"`` (a
    random window that shows an action) or ``"resize"`` (the whole video in ``window_size`` steps).
    All lengths are the dataset's, so one pipeline serves every variant.

    Reads also ``fps``, ``total_frames``, ``window_size``, ``frame_stride``, ``sample_fps``,
    ``frames_per_step``, ``offset_frames``, ``crop_ratio``, ``min_visible``, ``duration``,
    ``gt_segments`` and ``gt_labels``. Sets ``frame_inds`` int64 ``[T]``, where padding repeats the
    last frame, ``masks`` bool ``[T']`` with ``T' = T / frames_per_step``, ``grid``, and reduces the
    ground truth to what the window shows, in steps of the grid.

    Args:
        trials: Draws for a random window that shows an action.
    """

    def __init__(self, trials: int = 200):
        self.trials = trials

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Choose the window.

        Raises:
            VideoReadError: If the file ends before the window begins.
        """
        size, total = results["window_size"], results["total_frames"]
        if results["sampling"] == "resize":
            start, count, ratio = 0, size, total / size
            results["frame_inds"] = resize_frames(total, size)
        else:
            ratio = frames_per_sample(results)
            start, count = self._window(results, ratio)
            results["frame_inds"] = window_frames(start, size, count, ratio, total)
        seconds = ratio / results["fps"]  # of a sampled frame
        steps = size // results["frames_per_step"]
        valid = -(-count // results["frames_per_step"])
        results["masks"] = np.arange(steps) < valid
        results["window_start"] = start
        results["grid"] = TemporalGrid(
            origin=start * seconds + results["offset_frames"] / results["fps"],
            step=seconds * results["frames_per_step"],
            length=steps,
            duration=results["duration"],
        )
        self._reduce_ground_truth(results, start * seconds, (start + count) * seconds)
        return results

    def _window(self, results: dict[str, Any], ratio: float) -> tuple[int, int]:
        """Start and number of sampled frames."""
        size = results["window_size"]
        length = sampled_length(results["total_frames"], ratio)
        if results["sampling"] == "random":
            return random_truncation(
                results["gt_segments"] * (results["fps"] / ratio),
                length,
                size,
                results["rng"],
                crop_ratio=results["crop_ratio"],
                threshold=results["min_visible"],
                trials=self.trials,
            )
        start = results["window_start"]
        if start >= length:
            raise VideoReadError(
                f"the video {results.get('video_path')} ends after {results['total_frames']} "
                f"frames, before its window {results['window_index']} begins"
            )
        return start, min(size, length - start)

    @staticmethod
    def _reduce_ground_truth(results: dict[str, Any], start: float, end: float) -> None:
        part = results["sampling"] != "resize" and not results["test_mode"]
        segments, keep = visible_segments(
            results["gt_segments"], start, end, results["min_visible"] if part else 0.0
        )
        segments = torch.from_numpy(segments[keep])  # float64: seconds of long videos need it
        results["gt_segments"] = results["grid"].to_grid(segments).float().numpy()
        results["gt_labels"] = results["gt_labels"][keep]


def frames_per_sample(item: dict[str, Any]) -> float:
    """Frames of the file per sampled frame, from ``frame_stride``, ``sample_fps`` and ``fps``."""
    if item["sample_fps"] is None:
        return float(item["frame_stride"])
    return item["frame_stride"] * item["fps"] / item["sample_fps"]
