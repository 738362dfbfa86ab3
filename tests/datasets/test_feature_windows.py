import numpy as np
import pytest
import torch

from mmtad.datasets.feature_files import FeatureReadError
from mmtad.datasets.feature_windows import (
    check_length,
    margin_steps,
    resize_grid,
    steps_left,
    window_grid,
    window_seconds,
)


def item(**kwargs):
    lengths = dict(
        feature_stride=4,
        clip_frames=16,
        step_stride=1,
        fps=25.0,
        duration=100.0,
        window_size=32,
        truncation_margin=None,
        resize_offset=0.0,
        resize_span="duration",
        length_tolerance=0.1,
        video_id="vid",
    )
    return {**lengths, **kwargs}


def test_middle_of_the_clip():
    """Step i of a window saw frames i * 4 to i * 4 + 16."""
    grid = window_grid(item(), start=10, length=32)
    assert (grid.origin, grid.step, grid.length) == (10 * 4 / 25 + 8 / 25, 4 / 25, 32)
    assert window_grid(item(step_stride=2), 10, 32).origin == pytest.approx(10 * 8 / 25 + 8 / 25)
    assert window_grid(item(clip_frames=0), 0, 32).origin == 0


def test_every_nth_feature():
    assert [steps_left(item(step_stride=n), 10) for n in (1, 3, 5, 20)] == [10, 4, 2, 1]


def test_what_a_window_sees():
    assert margin_steps(item()) == 2 and margin_steps(item(step_stride=2)) == 1
    assert margin_steps(item(truncation_margin=0)) == 0
    # frames 40 to 40 + 32 * 4 + 16
    assert window_seconds(item(), 10, 32, 600) == pytest.approx((40 / 25, 184 / 25))
    # frames 48 to 48 + 32 * 4 with middles only
    assert window_seconds(item(truncation_margin=0), 10, 32, 600) == pytest.approx(
        (48 / 25, 176 / 25)
    )
    # nothing was cut: all frames, whatever the margin
    low, high = window_seconds(item(truncation_margin=0), 0, 600, 600)
    assert low == 0 and high == pytest.approx((599 * 4 + 16) / 25)


def test_grids_of_resized_videos():
    assert resize_grid(item(), 600).step == 100 / 32
    shifted = resize_grid(item(resize_offset=0.5, resize_span="features"), 600)
    assert shifted.step == pytest.approx((599 * 4 + 16) / 25 / 32)
    assert shifted.origin == pytest.approx(shifted.step / 2)


@pytest.mark.parametrize("longest", [500, 7200])
def test_round_trip(longest):
    """Under 0.1 ms for the steps of real features, at most 0.67 s; float32 holds seconds that
    exactly for a few minutes only."""
    rng = np.random.default_rng(0)
    short = longest <= 500
    dtype = torch.float32 if short else torch.float64
    for _ in range(300):
        one = item(
            fps=float(rng.choice([23.976, 25, 29.97, 30, 59.94])),
            feature_stride=int(rng.integers(1, 17)),
            clip_frames=int(rng.integers(0, 33)),
            duration=float(rng.uniform(1, longest)),
            resize_offset=float(rng.choice([0, 0.5])),
        )
        step = window_grid(one, 0, 1).step
        start = int(rng.integers(0, one["duration"] / step))
        for grid in [window_grid(one, start, 2304), *[resize_grid(one, 192)] * short]:
            first, last = grid.origin, min(grid.origin + grid.length * grid.step, one["duration"])
            seconds = torch.from_numpy(rng.uniform(min(first, last), last, (5, 2)))
            steps = grid.to_grid(seconds).float()  # what a model sees
            found = grid.to_seconds(steps.to(dtype))
            assert (found - seconds).abs().max() < 1e-4


@pytest.mark.parametrize("features", [560, 618, 625, 680])
def test_lengths_that_fit(features):
    check_length(features, 4, item(), "a.npy")


@pytest.mark.parametrize("features", [1, 500, 700, 1250])
def test_lengths_that_do_not_fit(features):
    with pytest.raises(FeatureReadError, match=f"the {features} features of video 'vid' in a.npy"):
        check_length(features, 4, item(), "a.npy")
    check_length(features, 4, item(length_tolerance=None), "a.npy")
    check_length(features, None, item(), "a.npy")
    check_length(features, 4, item(fps=None), "a.npy")


def test_short_videos_have_slack():
    check_length(1, 16, item(duration=2.0, feature_stride=16), "a.npy")
    with pytest.raises(FeatureReadError, match="last .* s with a feature_stride of 16 frames"):
        check_length(20, 16, item(duration=2.0, feature_stride=16), "a.npy")
