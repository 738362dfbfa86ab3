import numpy as np
import pytest

from mmtad.datasets.annotations import VideoRecord
from mmtad.datasets.items import check_lengths, ground_truth, make_items, trainable

LENGTHS = dict(
    sampling="sliding",
    window_size=32,
    frame_stride=1,
    sample_fps=None,
    frames_per_step=4,
    offset_frames=0,
    crop_ratio=(0.9, 1.0),
    min_visible=0.5,
)
SEGMENTS = [(0.5, 1.0, "b"), (2.0, 2.0, "a")]
RECORD = VideoRecord("v", "test", 4.0, 25.0, 100, segments=SEGMENTS, annotated=SEGMENTS)


def items(record=RECORD, test_mode=True, drop_empty=False, path="none.mp4", overlap=0.5, **lengths):
    labels = {"a": 0, "b": 1}
    lengths = {**LENGTHS, **lengths}
    return make_items(record, path, labels, lengths, overlap, test_mode, drop_empty)


def test_one_item_per_window():
    found = items()
    assert [item["window_start"] for item in found] == [0, 16, 32, 48, 64, 68]
    assert [item["window_index"] for item in found] == list(range(6))
    assert found[0]["gt_segments"].dtype == np.float64 and found[0]["gt_labels"].tolist() == [1, 0]
    assert [item["window_start"] for item in items(overlap=0)] == [0, 32, 64, 68]


def test_windows_are_counted_in_sampled_frames():
    assert [item["window_start"] for item in items(frame_stride=2)] == [0, 16, 18]
    assert [item["window_start"] for item in items(sample_fps=12.5)] == [0, 16, 18]
    assert [item["window_start"] for item in items(frame_stride=4)] == [0]


def test_training_drops_segments_without_length_and_empty_windows():
    assert items(test_mode=False)[0]["gt_labels"].tolist() == [1]
    # 0.5 s to 1 s is frames 12.5 to 25: only the first two windows show half of it
    found = items(test_mode=False, drop_empty=True)
    assert [item["window_start"] for item in found] == [0, 16]
    assert [item["window_index"] for item in found] == [0, 1]
    assert trainable(RECORD) == [(0.5, 1.0, "b")]


@pytest.mark.parametrize("sampling", ["random", "resize"])
def test_one_item_per_video(sampling):
    (item,) = items(sampling=sampling)
    assert (item["sampling"], item["window_start"]) == (sampling, 0)


def test_lengths_that_the_annotation_lacks(videos):
    path = str(videos / "v1.mp4")
    record = VideoRecord("v", None, 2.0, None, None)
    assert items(record, path=path)[0]["total_frames"] == 50
    assert items(record, path=path)[0]["fps"] == 25
    # duration and rate are enough
    record = VideoRecord("v", None, 2.0, 10.0, None)
    assert items(record)[0]["total_frames"] == 20
    # an unreadable file gets one window
    record = VideoRecord("v", None, 2.0, None, None)
    assert len(items(record, window_size=4)) == 1


def test_ground_truth_is_plain():
    truth = ground_truth([RECORD])
    assert truth == {
        "database": {
            "v": {
                "subset": "test",
                "duration": 4.0,
                "annotations": [
                    {"segment": [0.5, 1.0], "label": "b"},
                    {"segment": [2.0, 2.0], "label": "a"},
                ],
            }
        }
    }


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(sampling="padding"), "sampling must be one of .* got 'padding'"),
        (dict(window_size=0), "window_size must be a number of frames above 0, got 0"),
        (dict(window_size=30), r"window_size must be a multiple of frames_per_step \(4\), got 30"),
        (dict(frames_per_step=0), "frames_per_step .* got 0"),
        (dict(frame_stride=0), "frame_stride must be above 0, got 0"),
        (dict(frame_stride="4"), "frame_stride must be above 0, got '4'"),
        (dict(sample_fps=-1), "sample_fps must be above 0, got -1"),
        (dict(crop_ratio=(0.9, 1.1)), "crop_ratio .* got"),
        (dict(crop_ratio=0.9), "crop_ratio .* got 0.9"),
        (dict(min_visible=2), "min_visible must be a fraction from 0 to 1, got 2"),
    ],
)
def test_wrong_lengths(change, message):
    with pytest.raises(ValueError, match=message):
        check_lengths({**LENGTHS, **change}, 0.5, False)


def test_wrong_overlap_and_mode():
    with pytest.raises(ValueError, match="window_overlap must be at least 0 and below 1, got 1"):
        check_lengths(LENGTHS, 1, False)
    with pytest.raises(ValueError, match="sliding or resize in test mode, got 'random'"):
        check_lengths({**LENGTHS, "sampling": "random"}, 0.5, True)
