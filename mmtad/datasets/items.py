"""From the annotation of a video to the items of a dataset: one per video or one per window."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .annotations import VideoRecord
from .arguments import CROP_RATIO, is_number, is_range
from .transforms.loading import VideoReadError, probe_video
from .transforms.sampling import frames_per_sample
from .windows import sampled_length, sliding_windows, visible_segments

SAMPLINGS = ("random", "sliding", "resize")
_FALLBACK_FPS = 25.0


def check_lengths(lengths: Mapping[str, Any], window_overlap: float, test_mode: bool) -> None:
    """Check the arguments of a dataset that say how long and how dense its samples are.

    Raises:
        ValueError: If one is out of range; it names the argument.
    """

    def require(fine: bool, name: str, remedy: str) -> None:
        value = lengths.get(name, window_overlap)
        if not fine:
            raise ValueError(f"{name} must be {remedy}, got {value!r}")

    size, steps, rate = lengths["window_size"], lengths["frames_per_step"], lengths["sample_fps"]
    sampling = lengths["sampling"]
    require(sampling in SAMPLINGS, "sampling", f"one of {SAMPLINGS}")
    require(not (test_mode and sampling == "random"), "sampling", "sliding or resize in test mode")
    require(isinstance(size, int) and size > 0, "window_size", "a number of frames above 0")
    require(isinstance(steps, int) and steps > 0, "frames_per_step", "a whole number above 0")
    require(size % steps == 0, "window_size", f"a multiple of frames_per_step ({steps})")
    require(is_number(lengths["frame_stride"], above=0), "frame_stride", "above 0")
    require(rate is None or is_number(rate, above=0), "sample_fps", "above 0")
    require(is_number(window_overlap, least=0, below=1), "window_overlap", "at least 0 and below 1")
    require(is_range(lengths["crop_ratio"]), "crop_ratio", CROP_RATIO)
    visible = lengths["min_visible"]
    require(is_number(visible, least=0, most=1), "min_visible", "a fraction from 0 to 1")


def trainable(record: VideoRecord) -> list[tuple[float, float, str]]:
    """The segments of a video that can be trained on: those that last."""
    return [segment for segment in record.segments if segment[1] > segment[0]]


def drop_short(
    records: Sequence[VideoRecord], min_coverage: float, problems: dict[str, str] | None = None
) -> list[VideoRecord]:
    """Leave out the segments that last no more than a share of their video.

    Args:
        records: Annotated videos; they stay as they are.
        min_coverage: The share.
        problems: Told under ``short`` how many segments with a length were left out.
    """
    kept, short = [], []
    for record in records:
        least = min_coverage * record.duration
        segments = [one for one in record.segments if one[1] - one[0] > least]
        short += [
            f"{end - start:.2f} s of {record.duration:.2f} s in video {record.video_id!r}"
            for start, end, _ in trainable(record)
            if end - start <= least
        ]
        kept.append(replace(record, segments=segments))
    if short and problems is not None:
        problems["short"] = (
            f"{len(short)} no longer than {min_coverage:g} of their video (left out of training by "
            f"min_coverage), first {short[0]}"
        )
    return kept


def ground_truth(records: Sequence[VideoRecord]) -> dict[str, dict]:
    """The annotation of some videos as an ActivityNet-style dict, in seconds.

    It holds every segment as it was written, also what lies outside its video and can never be
    detected: published numbers count it.
    """
    return {
        "database": {
            record.video_id: {
                "subset": record.subset,
                "duration": record.duration,
                "annotations": [
                    {"segment": [start, end], "label": label}
                    for start, end, label in record.annotated
                ],
            }
            for record in records
        }
    }


def annotated_item(
    record: VideoRecord, labels: Mapping[str, int], test_mode: bool
) -> dict[str, Any]:
    """What every item of a video holds: its annotation and the number of its (first) window.

    Args:
        record: Annotation of the video.
        labels: Number of each class.
        test_mode: Keep segments without length.
    """
    segments = record.segments if test_mode else trainable(record)
    return dict(
        video_id=record.video_id,
        duration=record.duration,
        gt_segments=np.array([one[:2] for one in segments], np.float64).reshape(-1, 2),
        gt_labels=np.array([labels[one[2]] for one in segments], np.int64),
        test_mode=test_mode,
        window_start=0,
        window_index=0,
    )


def make_items(
    record: VideoRecord,
    path: str,
    labels: Mapping[str, int],
    lengths: Mapping[str, Any],
    window_overlap: float,
    test_mode: bool,
    drop_empty: bool,
) -> list[dict[str, Any]]:
    """Make the items of one video, the dicts that a pipeline starts from.

    Args:
        record: Annotation of the video.
        path: Video file; opened only for sliding windows of a video without annotated length.
        labels: Number of each class.
        lengths: Facts about lengths that go into every item.
        window_overlap: Of sliding windows.
        test_mode: Keep segments without length.
        drop_empty: Leave out sliding windows that show no action.

    Returns:
        One item, or one per sliding window.
    """
    item = dict(
        annotated_item(record, labels, test_mode),
        **lengths,
        video_path=path,
        fps=record.fps,
        total_frames=record.frames,
    )
    if lengths["sampling"] != "sliding":
        return [item]
    item["fps"], item["total_frames"] = _length(record, path)
    size, ratio = lengths["window_size"], frames_per_sample(item)
    seconds = ratio / item["fps"]
    starts = sliding_windows(sampled_length(item["total_frames"], ratio), size, window_overlap)
    items = [
        dict(item, window_start=start, window_index=index) for index, start in enumerate(starts)
    ]
    if not drop_empty:
        return items

    def shows_action(start: int) -> bool:
        window = start * seconds, (start + size) * seconds
        return visible_segments(item["gt_segments"], *window, lengths["min_visible"])[1].any()

    return [item for item in items if shows_action(item["window_start"])]


def _length(record: VideoRecord, path: str) -> tuple[float, int]:
    """Frame rate and number of frames, annotated or else from the file."""
    if record.fps and record.frames:
        return record.fps, record.frames
    if record.fps:
        return record.fps, max(1, math.ceil(record.duration * record.fps - 1e-6))
    try:
        return probe_video(path)
    except VideoReadError:  # one window stands for the unreadable video
        return _FALLBACK_FPS, record.frames or 1
