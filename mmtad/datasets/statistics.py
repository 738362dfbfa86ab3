"""Numbers about annotated videos, and how many of their actions a sampling shows."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .annotated import AnnotatedDataset
from .annotations import VideoRecord
from .items import trainable
from .windows import random_truncation, visible_segments


@dataclass(frozen=True)
class Distributions:
    """Three properties of annotated actions, those that DETAD sorts errors by.

    Attributes:
        lengths: ``[N]`` seconds of each action.
        coverage: ``[N]`` share of its video that each action takes, 0 to 1.
        instances: ``[V]`` actions per video.
    """

    lengths: np.ndarray
    coverage: np.ndarray
    instances: np.ndarray


def distributions(records: Sequence[VideoRecord]) -> Distributions:
    """Measure the actions of some videos; those without length are left out."""
    kept = [(record, trainable(record)) for record in records]
    lengths = [end - start for _, segments in kept for start, end, _ in segments]
    durations = [record.duration for record, segments in kept for _ in segments]
    return Distributions(
        lengths=np.array(lengths, float),
        coverage=np.array(lengths, float) / np.array(durations, float),
        instances=np.array([len(segments) for _, segments in kept], int),
    )


def class_counts(records: Sequence[VideoRecord], classes: Sequence[str]) -> dict[str, int]:
    """Number of actions of each class."""
    counts = Counter(label for record in records for _, _, label in record.segments)
    return {label: counts[label] for label in classes}


def lengths_in_steps(dataset: AnnotatedDataset, records: Sequence[VideoRecord]) -> np.ndarray:
    """Lengths ``[N]`` of all actions in steps of the grid; of videos of unknown rate none."""
    steps = [(record, dataset.step_seconds(record)) for record in records]
    return np.array(
        [
            (end - start) / step
            for record, step in steps
            if step
            for start, end, _ in trainable(record)
        ],
        float,
    )


def visible_shares(dataset: AnnotatedDataset, records: Sequence[VideoRecord]) -> np.ndarray:
    """Largest share ``[N]`` of each action that any sample can show.

    Args:
        dataset: Data set, initialised.
        records: Its videos, in its order.
    """
    windows: dict[int, list[int]] = {}
    if dataset.lengths["sampling"] == "sliding":
        for index in range(len(dataset)):
            item = dataset.get_data_info(index)
            windows.setdefault(item["video_index"], []).append(item["window_start"])
    shares = [np.zeros(0)]
    for position, record in enumerate(records):
        segments, size = _segments(record), dataset.window_seconds(record) or math.inf
        lengths = segments[:, 1] - segments[:, 0]
        if dataset.lengths["sampling"] != "sliding":
            shares.append(np.minimum(1.0, size / lengths))
            continue
        best, step = np.zeros(len(segments)), _start_seconds(dataset, record)
        for start in windows.get(position, []):
            clipped, _ = visible_segments(segments, start * step, start * step + size)
            best = np.maximum(best, (clipped[:, 1] - clipped[:, 0]) / lengths)
        shares.append(best)
    return np.concatenate(shares)


def shown_per_epoch(
    dataset: AnnotatedDataset, records: Sequence[VideoRecord], draws: int = 5
) -> float:
    """Expected share of the actions that an epoch of random windows shows well enough.

    Args:
        dataset: Data set with ``sampling="random"``.
        records: Its videos.
        draws: Windows that are drawn per video.
    """
    rng = np.random.default_rng(0)
    lengths, shown, total = dataset.lengths, 0, 0
    for record in records:
        segments, step = _segments(record), _start_seconds(dataset, record)
        total += draws * len(segments)
        if not step:
            shown += draws * len(segments)
            continue
        margin = ((dataset.window_seconds(record) or 0) / step - lengths["window_size"]) / 2
        for _ in range(draws):
            start, count = random_truncation(
                segments / step,
                max(1, round(record.duration / step)),
                lengths["window_size"],
                rng,
                crop_ratio=lengths["crop_ratio"],
                threshold=lengths["min_visible"],
                offset=margin,
            )
            window = (start - margin) * step, (start + count + margin) * step
            shown += int(visible_segments(segments, *window, lengths["min_visible"])[1].sum())
    return shown / max(total, 1)


def _segments(record: VideoRecord) -> np.ndarray:
    """Actions ``[N, 2]`` of a video that last, in seconds."""
    return np.array([one[:2] for one in trainable(record)], float).reshape(-1, 2)


def _start_seconds(dataset: AnnotatedDataset, record: VideoRecord) -> float:
    """Seconds per unit of ``window_start``: a step, or a frame where several make a step."""
    step = dataset.step_seconds(record) or 0.0
    return step / dataset.lengths.get("frames_per_step", 1)
