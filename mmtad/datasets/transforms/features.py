"""Opening the features of a video and choosing the window of a sample."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...registry import TRANSFORMS
from ...structures import TemporalGrid
from ..feature_files import FeatureReadError
from ..feature_streams import (
    FeatureSequence,
    FeatureStream,
    average_samples,
    interpolate,
    roi_align,
)
from ..feature_windows import (
    check_length,
    margin_steps,
    resize_grid,
    steps_left,
    window_grid,
    window_seconds,
)
from ..windows import random_truncation, visible_segments
from .base import Transform


def open_sequence(streams: Sequence[FeatureStream], item: Mapping[str, Any]) -> FeatureSequence:
    """Open the features of a video and check that they last as long as it.

    Args:
        streams: Where they are.
        item: ``video_id``, ``duration``, ``fps`` and the lengths of the dataset.

    Raises:
        FeatureReadError: If a file is missing, damaged, of another shape or length.
    """
    sequence = FeatureSequence(streams, item["video_id"])
    for stream, length in zip(streams, sequence.lengths, strict=True):
        stride = stream.feature_stride or item["feature_stride"]
        check_length(length, stride, item, stream.file(item["video_id"]))
    return sequence


_RESIZE = {"linear": interpolate, "roi_align": roi_align, "bmn": average_samples}


@TRANSFORMS.register_module()
class OpenFeatures(Transform):
    """Open the features of a video and check that they fit it.

    Reads ``streams`` and the lengths that :class:`FeatureDataset` puts into a sample; sets
    ``sequence``, the features opened but not read. A sample with ``error`` gets no sequence.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Open the files.

        Raises:
            FeatureReadError: If one is missing, damaged, of another shape or length.
        """
        streams = [FeatureStream(**stream) for stream in results.pop("streams")]
        if results.get("error"):
            results["channels"] = sum(stream.channels or 0 for stream in streams)
            return results
        results["sequence"] = open_sequence(streams, results)
        return results


@TRANSFORMS.register_module()
class SampleFeatures(Transform):
    """Read the features of a sample, in the way that the dataset asks for.

    ``results["sampling"]`` is ``"sliding"`` (the window at ``window_start``), ``"random"`` (a
    random window that shows an action), ``"whole"`` (all of the video; in training a random part of
    what exceeds ``window_size``) or ``"resize"`` (all of it in ``window_size`` steps). All lengths
    are the dataset's, so one pipeline serves every variant.

    Sets ``features`` float32 ``[C, T]``, padded with zeros to ``window_size``, ``masks`` bool
    ``[T]``, ``grid``, and reduces the ground truth to what the window shows, in steps of the grid.

    Args:
        trials: Draws for a random window that shows an action.
    """

    def __init__(self, trials: int = 200):
        self.trials = trials

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Choose the window and read it.

        Raises:
            FeatureReadError: If a file is damaged, holds NaN or infinite values, or ends before the
                window begins.
        """
        if results.get("error"):
            return self._blank(results)
        sequence, size = results.pop("sequence"), results["window_size"]
        if results["sampling"] == "resize":
            features = sequence.read(stride=results["step_stride"])
            results["features"] = _RESIZE[results["resize_method"]](features, size)
            results["masks"] = np.ones(size, bool)
            results["grid"] = resize_grid(results, sequence.length)
            if results["crop_resized"] and not results["test_mode"]:
                return self._crop_resized(results)
            return self._reduce_ground_truth(results, None)
        steps = steps_left(results, sequence.length)
        start, count = self._window(results, steps)
        stride = results["step_stride"]
        last = min((start + count) * stride, sequence.length)
        features = sequence.read(start * stride, last, stride)
        length = max(count, size)
        if count < length:
            padded = np.zeros((len(features), length), np.float32)
            padded[:, :count] = features
            features = padded
        results["features"] = features
        results["masks"] = np.arange(length) < count
        results["window_start"] = start
        results["grid"] = window_grid(results, start, length)
        return self._reduce_ground_truth(results, window_seconds(results, start, count, steps))

    def _crop_resized(self, results: dict[str, Any]) -> dict[str, Any]:
        """Keep a random part of a resized sample, padded to its old length."""
        grid, size = results["grid"], results["window_size"]
        margin = results["truncation_margin"]
        margin = results["resize_offset"] if margin is None else margin
        start, count = random_truncation(
            grid.to_grid(torch.from_numpy(results["gt_segments"])).numpy(),
            size,
            size,
            results["rng"],
            crop_ratio=results["crop_ratio"],
            threshold=results["min_visible"],
            trials=self.trials,
            offset=margin,
        )
        kept = np.zeros_like(results["features"])
        kept[:, :count] = results["features"][:, start : start + count]
        results["features"], results["masks"] = kept, np.arange(size) < count
        origin = grid.origin + start * grid.step
        results["grid"] = replace(grid, origin=origin)
        seen = origin - margin * grid.step, origin + (count + margin) * grid.step
        return self._reduce_ground_truth(results, seen)

    def _window(self, results: dict[str, Any], length: int) -> tuple[int, int]:
        """Start and number of steps."""
        size, sampling = results["window_size"], results["sampling"]
        if sampling == "whole" and (results["test_mode"] or size == 0 or length <= size):
            return 0, length
        if sampling in ("random", "whole"):
            grid = window_grid(results, 0, length)
            segments = torch.from_numpy(results["gt_segments"])
            return random_truncation(
                grid.to_grid(segments).numpy(),
                length,
                size,
                results["rng"],
                crop_ratio=results["crop_ratio"] if sampling == "random" else None,
                threshold=results["min_visible"],
                trials=self.trials,
                offset=margin_steps(results),
            )
        start = results["window_start"]
        if start >= length:
            raise FeatureReadError(
                f"the features of video {results['video_id']!r} end after {length} steps, before "
                f"window {results['window_index']} begins; they have changed since the run started"
            )
        return start, min(size, length - start)

    @staticmethod
    def _reduce_ground_truth(
        results: dict[str, Any], seen: tuple[float, float] | None
    ) -> dict[str, Any]:
        """Clip the actions to the seconds that are seen; None sees the whole video."""
        segments, labels = results["gt_segments"], results["gt_labels"]
        if seen is not None:
            threshold = 0.0 if results["test_mode"] else results["min_visible"]
            clipped, keep = visible_segments(segments, *seen, threshold)
            segments, labels = clipped[keep], labels[keep]
        in_steps = results["grid"].to_grid(torch.from_numpy(segments))
        results["gt_segments"], results["gt_labels"] = in_steps.float().numpy(), labels
        return results

    @staticmethod
    def _blank(results: dict[str, Any]) -> dict[str, Any]:
        """Zeros for a video whose features cannot be read."""
        length = max(results["window_size"], 1)
        results["features"] = np.zeros((results["channels"], length), np.float32)
        results["masks"] = np.ones(length, bool)
        step = results["duration"] / length
        results["grid"] = TemporalGrid(0.0, step, length, results["duration"])
        return SampleFeatures._reduce_ground_truth(results, (0.0, results["duration"]))
