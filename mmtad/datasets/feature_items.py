"""From the annotation of a video to the items of a dataset of features."""

from collections.abc import Mapping
from typing import Any

from .annotations import VideoRecord
from .feature_windows import steps_left, window_seconds
from .items import annotated_item
from .windows import sliding_windows, visible_segments

SAMPLINGS = ("random", "sliding", "resize", "whole")
RESIZE_SPANS = ("duration", "features")
RESIZE_METHODS = ("linear", "bmn")


def check_feature_lengths(lengths: Mapping[str, Any], test_mode: bool) -> None:
    """Check the arguments of a dataset that say how long and how dense its samples are.

    Raises:
        ValueError: If one is out of range; it names the argument.
    """

    def require(fine: bool, name: str, remedy: str) -> None:
        if not fine:
            raise ValueError(f"{name} must be {remedy}, got {lengths[name]!r}")

    size, stride, ratio = (
        lengths["window_size"],
        lengths["feature_stride"],
        lengths["crop_ratio"],
    )
    sampling, span, tolerance = (
        lengths["sampling"],
        lengths["resize_span"],
        lengths["length_tolerance"],
    )
    require(sampling in SAMPLINGS, "sampling", f"one of {SAMPLINGS}")
    require(
        not (test_mode and sampling == "random"), "sampling", "sliding, resize or whole in testing"
    )
    least = 0 if sampling == "whole" else 1
    require(isinstance(size, int) and size >= least, "window_size", "a number of steps above 0")
    needs_stride = sampling != "resize" or span == "features"
    require(stride is not None or not needs_stride, "feature_stride", "a number of frames")
    require(stride is None or stride > 0, "feature_stride", "above 0")
    require(lengths["clip_frames"] >= 0, "clip_frames", "at least 0")
    require(lengths["feature_fps"] is None or lengths["feature_fps"] > 0, "feature_fps", "above 0")
    every = lengths["step_stride"]
    require(isinstance(every, int) and every > 0, "step_stride", "a whole number above 0")
    require(0 <= lengths["window_overlap"] < 1, "window_overlap", "at least 0 and below 1")
    require(
        ratio is None or (len(ratio) == 2 and 0 < ratio[0] <= ratio[1] <= 1),
        "crop_ratio",
        "None or a range (low, high) above 0 and up to 1",
    )
    require(0 <= lengths["min_visible"] <= 1, "min_visible", "a fraction from 0 to 1")
    margin = lengths["truncation_margin"]
    require(margin is None or margin >= 0, "truncation_margin", "None or at least 0 steps")
    require(0 <= lengths["resize_offset"] < 1, "resize_offset", "a fraction of a step below 1")
    require(span in RESIZE_SPANS, "resize_span", f"one of {RESIZE_SPANS}")
    require(lengths["resize_method"] in RESIZE_METHODS, "resize_method", f"one of {RESIZE_METHODS}")
    require(tolerance is None or tolerance >= 0, "length_tolerance", "None or at least 0")


def frame_rate(record: VideoRecord, feature_fps: float | None) -> float | None:
    """Frames per second that strides and clips count in; None if nothing tells."""
    if feature_fps or record.fps:
        return feature_fps or record.fps
    return record.frames / record.duration if record.frames else None


def make_feature_items(
    record: VideoRecord,
    labels: Mapping[str, int],
    lengths: Mapping[str, Any],
    features: int,
    test_mode: bool,
    drop_empty: bool,
) -> list[dict[str, Any]]:
    """Make the items of one video, the dicts that a pipeline starts from.

    Args:
        record: Annotation of the video.
        labels: Number of each class.
        lengths: Facts about lengths that go into every item, ``streams`` among them.
        features: Number of features in its file; needed for sliding windows only.
        test_mode: Keep segments without length.
        drop_empty: Leave out sliding windows that show no action.

    Returns:
        One item, or one per sliding window.
    """
    item = dict(
        annotated_item(record, labels, test_mode),
        **lengths,
        fps=frame_rate(record, lengths["feature_fps"]),
    )
    if lengths["sampling"] != "sliding":
        return [item]
    size, steps = lengths["window_size"], steps_left(item, max(features, 1))
    starts = sliding_windows(steps, size, lengths["window_overlap"])
    items = [
        dict(item, window_start=start, window_index=index) for index, start in enumerate(starts)
    ]
    if not drop_empty:
        return items

    def shows_action(start: int) -> bool:
        seen = window_seconds(item, start, min(size, steps - start), steps)
        return visible_segments(item["gt_segments"], *seen, lengths["min_visible"])[1].any()

    return [item for item in items if shows_action(item["window_start"])]
