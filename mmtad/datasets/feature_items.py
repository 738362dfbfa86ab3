"""From the annotation of a video to the items of a dataset of features."""

from collections.abc import Mapping
from typing import Any

from .annotations import VideoRecord
from .arguments import CROP_RATIO, is_number, is_range
from .feature_windows import steps_left, window_seconds
from .items import annotated_item
from .windows import sliding_windows, visible_segments

SAMPLINGS = ("random", "sliding", "resize", "whole")
RESIZE_SPANS = ("duration", "features")
RESIZE_METHODS = ("linear", "roi_align", "bmn")


def check_feature_lengths(lengths: Mapping[str, Any], test_mode: bool) -> None:
    """Check the arguments of a dataset that say how long and how dense its samples are.

    Raises:
        ValueError: If one is out of range; it names the argument.
    """

    def require(fine: bool, name: str, remedy: str) -> None:
        if not fine:
            raise ValueError(f"{name} must be {remedy}, got {lengths[name]!r}")

    def require_number(name: str, remedy: str, optional: bool = False, **bounds: float) -> None:
        fine = is_number(lengths[name], **bounds) or (optional and lengths[name] is None)
        require(fine, name, remedy)

    size, sampling, every = lengths["window_size"], lengths["sampling"], lengths["step_stride"]
    require(sampling in SAMPLINGS, "sampling", f"one of {SAMPLINGS}")
    require(
        not (test_mode and sampling == "random"), "sampling", "sliding, resize or whole in testing"
    )
    least = 0 if sampling == "whole" else 1
    require(isinstance(size, int) and size >= least, "window_size", "a number of steps above 0")
    span = lengths["resize_span"]
    needless = sampling == "resize" and span == "duration"
    require_number("feature_stride", "a number of frames above 0", needless, above=0)
    require_number("clip_frames", "a number of frames, at least 0", least=0)
    require_number("feature_fps", "None or above 0", True, above=0)
    require(isinstance(every, int) and every > 0, "step_stride", "a whole number above 0")
    require_number("window_overlap", "at least 0 and below 1", least=0, below=1)
    require(is_range(lengths["crop_ratio"]), "crop_ratio", CROP_RATIO)
    require_number("min_visible", "a fraction from 0 to 1", least=0, most=1)
    require_number("truncation_margin", "None or at least 0 steps", True, least=0)
    require_number("resize_offset", "a fraction of a step below 1", least=0, below=1)
    require(span in RESIZE_SPANS, "resize_span", f"one of {RESIZE_SPANS}")
    require(lengths["resize_method"] in RESIZE_METHODS, "resize_method", f"one of {RESIZE_METHODS}")
    require_number("length_tolerance", "None or at least 0", True, least=0)


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
