import numpy as np
import pytest

from mmtad.datasets.feature_files import FeatureReadError
from mmtad.datasets.transforms import OpenFeatures, SampleFeatures


@pytest.fixture
def sample(tmp_path):
    """Function that makes the sample of a video of 50 features, one per second."""
    rows = np.arange(50, dtype=np.float32)
    np.save(tmp_path / "vid.npy", np.stack([rows, -rows], 1))

    def sample(**kwargs):
        lengths = dict(
            streams=[dict(path=str(tmp_path / "{video_id}.npy"), channels=2)],
            sampling="sliding",
            window_size=16,
            feature_stride=25,
            clip_frames=25,
            step_stride=1,
            fps=25.0,
            crop_ratio=None,
            min_visible=0.5,
            truncation_margin=None,
            resize_offset=0.0,
            resize_span="duration",
            resize_method="linear",
            crop_resized=False,
            length_tolerance=0.1,
            video_id="vid",
            duration=50.0,
            gt_segments=np.array([[2.0, 6.0], [10.0, 22.0], [40.0, 50.0]]),
            gt_labels=np.array([0, 1, 2]),
            test_mode=False,
            window_start=0,
            window_index=0,
            rng=np.random.default_rng(0),
        )
        return {**lengths, **kwargs}

    return sample


def run(results):
    return SampleFeatures().transform(OpenFeatures().transform(results))


def test_sliding_window(sample):
    results = run(sample(window_start=4))
    np.testing.assert_array_equal(results["features"][0], np.arange(4, 20))
    assert results["masks"].all() and "sequence" not in results
    # Seconds 4 to 21: half of the first action and most of the second. Step 0 is second 4.5.
    np.testing.assert_allclose(results["gt_segments"], [[-0.5, 1.5], [5.5, 16.5]])
    assert results["gt_labels"].tolist() == [0, 1]
    assert results["gt_segments"].dtype == np.float32


def test_the_last_window_is_padded(sample):
    results = run(sample(window_start=40))
    assert results["masks"].tolist() == [True] * 10 + [False] * 6
    assert not results["features"][:, 10:].any()


def test_random_window_shows_an_action(sample):
    for seed in range(50):
        results = run(sample(sampling="random", rng=np.random.default_rng(seed)))
        assert len(results["gt_labels"]) >= 1
        start = results["window_start"]
        np.testing.assert_array_equal(results["features"][0], np.arange(start, start + 16))


def test_resized_video(sample):
    results = run(sample(sampling="resize", window_size=25))
    np.testing.assert_allclose(results["features"][0], np.arange(25) * 2 + 0.5)
    np.testing.assert_allclose(results["gt_segments"], [[1, 3], [5, 11], [20, 25]])


def test_test_samples_keep_whatever_they_touch(sample):
    results = run(sample(window_start=4, test_mode=True, min_visible=0.9))
    assert results["gt_labels"].tolist() == [0, 1]


@pytest.mark.parametrize("sampling", ["sliding", "whole", "resize"])
def test_a_sample_with_an_error_is_zeros(sample, sampling):
    results = run(sample(sampling=sampling, error="damaged", fps=None, test_mode=True))
    assert results["features"].shape == (2, 16) and not results["features"].any()
    assert results["masks"].all() and results["grid"].step == 50 / 16


def test_features_that_changed_during_the_run(sample):
    with pytest.raises(FeatureReadError, match="'vid' end after 50 steps, before window 3 begins"):
        run(sample(window_start=60, window_index=3))


def test_length_is_checked_for_each_stream(sample):
    with pytest.raises(FeatureReadError, match=r"50 features of video 'vid' in .*vid.npy last"):
        run(sample(duration=60.0))
    streams = [dict(one, feature_stride=50) for one in sample()["streams"]]
    with pytest.raises(FeatureReadError, match="feature_stride of 50"):
        run(sample(streams=streams))
