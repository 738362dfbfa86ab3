import numpy as np
import pytest

from mmtad.datasets.annotations import VideoRecord
from mmtad.datasets.feature_items import check_feature_lengths, frame_rate, make_feature_items

LENGTHS = dict(
    sampling="sliding",
    window_size=32,
    feature_stride=4,
    clip_frames=16,
    feature_fps=None,
    step_stride=1,
    window_overlap=0.5,
    crop_ratio=(0.9, 1.0),
    min_visible=0.5,
    truncation_margin=None,
    resize_offset=0.0,
    resize_span="duration",
    resize_method="linear",
    length_tolerance=0.1,
)
RECORD = VideoRecord("v", "test", 20.0, 25.0, 500, segments=[(0.5, 1.5, "b"), (9.0, 9.0, "a")])


def items(features=122, test_mode=True, drop_empty=False, record=RECORD, **lengths):
    labels = {"a": 0, "b": 1}
    return make_feature_items(
        record, labels, {**LENGTHS, **lengths}, features, test_mode, drop_empty
    )


def test_windows_follow_the_number_of_features():
    found = items()
    assert [item["window_start"] for item in found] == [0, 16, 32, 48, 64, 80, 90]
    assert [item["window_index"] for item in found] == list(range(7))
    assert found[0]["fps"] == 25 and found[0]["gt_labels"].tolist() == [1, 0]
    assert [item["window_start"] for item in items(window_overlap=0)] == [0, 32, 64, 90]
    assert [item["window_start"] for item in items(step_stride=2)] == [0, 16, 29]
    assert [item["window_start"] for item in items(features=5)] == [0]
    assert [item["window_start"] for item in items(features=0)] == [0]  # nothing readable


@pytest.mark.parametrize("sampling", ["random", "resize", "whole"])
def test_one_item_per_video(sampling):
    (item,) = items(sampling=sampling)
    assert (item["sampling"], item["window_start"]) == (sampling, 0)


def test_training_drops_what_cannot_be_learned():
    assert items(test_mode=False)[0]["gt_labels"].tolist() == [1]
    assert [item["window_start"] for item in items(test_mode=False, drop_empty=True)] == [0]
    # a window of 8 steps sees frames 0 to 48, the action lasts from 12.5 to 37.5
    starts = [
        item["window_start"] for item in items(test_mode=False, drop_empty=True, window_size=8)
    ]
    assert starts == [0, 4]  # 4 sees from frame 16 on


def test_every_step_is_in_a_test_window():
    rng = np.random.default_rng(0)
    for _ in range(300):
        features, size = int(rng.integers(1, 3000)), int(rng.integers(1, 400))
        every, overlap = int(rng.integers(1, 6)), float(rng.choice([0, 0.1, 0.25, 0.5, 0.75, 0.9]))
        found = items(features, window_size=size, step_stride=every, window_overlap=overlap)
        steps = -(-features // every)
        seen = np.zeros(steps, bool)
        for item in found:
            assert item["window_start"] < steps
            seen[item["window_start"] : item["window_start"] + size] = True
        assert seen.all() and found[-1]["window_start"] == max(0, steps - size)


def test_frame_rates():
    assert frame_rate(RECORD, None) == 25 and frame_rate(RECORD, 15) == 15
    assert frame_rate(VideoRecord("v", None, 20.0, None, 500), None) == 25
    assert frame_rate(VideoRecord("v", None, 20.0, None, None), None) is None


def test_good_lengths():
    check_feature_lengths(LENGTHS, True)
    check_feature_lengths({**LENGTHS, "sampling": "random"}, False)
    check_feature_lengths({**LENGTHS, "sampling": "whole", "window_size": 0}, True)
    check_feature_lengths({**LENGTHS, "sampling": "resize", "feature_stride": None}, True)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("sampling", "padding", "one of .*'whole'"),
        ("sampling", "random", "sliding, resize or whole in testing"),
        ("window_size", 0, "a number of steps above 0, got 0"),
        ("window_size", 2.5, "got 2.5"),
        ("feature_stride", None, "a number of frames above 0, got None"),
        ("feature_stride", "4", "got '4'"),
        ("feature_stride", float("nan"), "got nan"),
        ("feature_stride", 0, "above 0"),
        ("clip_frames", -1, "at least 0"),
        ("feature_fps", 0, "above 0"),
        ("step_stride", 0, "a whole number above 0"),
        ("window_overlap", 1, "below 1"),
        ("clip_frames", None, "got None"),
        ("crop_ratio", (0, 1), "above 0 and up to 1"),
        ("crop_ratio", 0.9, "above 0 and up to 1, got 0.9"),
        ("min_visible", 2, "from 0 to 1"),
        ("truncation_margin", -1, "at least 0 steps"),
        ("resize_offset", 1, "below 1"),
        ("resize_span", "video", "one of"),
        ("resize_method", "cubic", "one of"),
        ("length_tolerance", -0.1, "at least 0"),
    ],
)
def test_bad_lengths(name, value, message):
    with pytest.raises(ValueError, match=f"{name} must be .*{message}"):
        check_feature_lengths({**LENGTHS, name: value}, True)
