import numpy as np
import pytest
import torch

from mmtad.datasets.transforms import SampleFrames, VideoReadError


def sample(**changes):
    """100 frames at 25 fps with actions from 1 s to 2 s and from 3 s to 3.2 s."""
    results = dict(
        video_id="v",
        sampling="sliding",
        window_size=40,
        frame_stride=1,
        sample_fps=None,
        frames_per_step=1,
        offset_frames=0,
        crop_ratio=(0.9, 1.0),
        min_visible=0.75,
        fps=25.0,
        total_frames=100,
        duration=4.0,
        window_start=0,
        window_index=0,
        test_mode=True,
        gt_segments=np.array([[1.0, 2.0], [3.0, 3.2]], np.float32),
        gt_labels=np.array([4, 5]),
        rng=np.random.default_rng(0),
    )
    results.update(changes)
    return SampleFrames()(results)


def seconds(results):
    return results["grid"].to_seconds(torch.from_numpy(results["gt_segments"])).numpy()


def test_window():
    results = sample(window_start=20)
    assert results["frame_inds"].tolist() == list(range(20, 60))
    assert results["masks"].all()
    grid = results["grid"]
    assert (grid.origin, grid.step, grid.length, grid.duration) == (0.8, 0.04, 40, 4.0)
    # 1 s is frame 25, 5 steps into the window
    np.testing.assert_allclose(results["gt_segments"], [[5, 30]], atol=1e-4)
    assert results["gt_labels"].tolist() == [4]


def test_padding_repeats_the_last_frame():
    results = sample(window_size=128, frames_per_step=4)
    assert results["frame_inds"].shape == (128,) and (results["frame_inds"][99:] == 99).all()
    assert results["masks"].tolist() == [True] * 25 + [False] * 7
    # a step that is half padding counts
    results = sample(window_size=128, frames_per_step=8)
    assert results["masks"].sum() == 13


def test_strides_and_steps():
    results = sample(frame_stride=2, frames_per_step=4, offset_frames=3, window_start=10)
    assert results["frame_inds"].tolist() == list(range(20, 100, 2))
    grid = results["grid"]
    assert grid.origin == pytest.approx((20 + 3) / 25)
    assert grid.step == pytest.approx(2 * 4 / 25) and grid.length == 10
    np.testing.assert_allclose(seconds(results), [[1.0, 2.0], [3.0, 3.2]], atol=1e-4)


def test_sample_fps():
    results = sample(sample_fps=10, fps=25.0)
    assert results["frame_inds"][:5].tolist() == [0, 3, 5, 8, 10]
    assert results["grid"].step == pytest.approx(0.1)
    # the same video at another rate gives the same times
    other = sample(sample_fps=10, fps=50.0, total_frames=200)
    assert other["grid"] == results["grid"]
    np.testing.assert_allclose(other["gt_segments"], results["gt_segments"], atol=1e-4)


def test_resize():
    results = sample(sampling="resize", window_size=20, frames_per_step=2)
    assert results["frame_inds"].tolist() == list(range(0, 100, 5))
    assert results["masks"].tolist() == [True] * 10
    np.testing.assert_allclose(results["gt_segments"], [[2.5, 5], [7.5, 8]], atol=1e-4)
    few = sample(sampling="resize", window_size=16, total_frames=8, fps=2.0)
    assert few["frame_inds"].tolist() == [i // 2 for i in range(16)]
    np.testing.assert_allclose(seconds(few), [[1.0, 2.0], [3.0, 3.2]], atol=1e-4)


def test_random_windows_show_an_action():
    for seed in range(50):
        results = sample(
            sampling="random", test_mode=False, rng=np.random.default_rng(seed), window_size=30
        )
        assert len(results["gt_labels"]) >= 1
        assert results["masks"].all() and len(results["frame_inds"]) == 30
        times, grid = seconds(results), results["grid"]
        # shown long enough, inside the window and where the annotation says
        for (start, end), label in zip(times, results["gt_labels"], strict=True):
            truth = {4: (1.0, 2.0), 5: (3.0, 3.2)}[int(label)]
            assert truth[0] - 1e-4 <= start and end <= truth[1] + 1e-4
            assert end - start >= 0.74 * (truth[1] - truth[0])
        assert (results["gt_segments"] >= -1e-4).all()
        assert (results["gt_segments"] <= 30 + 1e-4).all()
        assert grid.origin == pytest.approx(results["frame_inds"][0] / 25)


def test_random_truncation_of_a_short_video():
    counts = set()
    for seed in range(40):
        results = sample(
            sampling="random", test_mode=False, rng=np.random.default_rng(seed), window_size=128
        )
        assert len(results["masks"]) == 128
        counts.add(int(results["masks"].sum()))
        last = results["frame_inds"][results["masks"]][-1]
        assert (results["frame_inds"][~results["masks"]] == last).all()
    assert min(counts) >= 90 and max(counts) <= 100 and len(counts) > 5


def test_training_windows_need_enough_of_an_action():
    assert sample(window_start=40, test_mode=True)["gt_labels"].tolist() == [4, 5]
    assert sample(window_start=40, test_mode=False)["gt_labels"].tolist() == [5]


def test_no_ground_truth():
    empty = dict(gt_segments=np.zeros((0, 2), np.float32), gt_labels=np.zeros(0, np.int64))
    for sampling in ("sliding", "random", "resize"):
        results = sample(sampling=sampling, test_mode=sampling != "random", **empty)
        assert results["gt_segments"].shape == (0, 2) and len(results["gt_labels"]) == 0


def test_window_behind_the_end():
    with pytest.raises(VideoReadError, match="ends after 100 frames, before its window 3 begins"):
        sample(window_start=100, window_index=3)
