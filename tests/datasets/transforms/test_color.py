import numpy as np
import pytest

from mmtad.datasets.transforms import ColorJitter


def jitter(still, seed, **kwargs):
    results = dict(frames=still, rng=np.random.default_rng(seed))
    return ColorJitter(**kwargs)(results)["frames"].numpy()


def test_never_overflows(still):
    """MMAction2's raises OverflowError on NumPy 2 for half of all seeds."""
    for seed in range(40):
        found = jitter(still, seed, brightness=1, contrast=1, saturation=1, hue=0.5)
        assert found.dtype == np.uint8 and found.shape == still.shape
        assert (found == found[:1]).all()


def test_deterministic_and_different(still):
    assert np.array_equal(jitter(still, 3), jitter(still, 3))
    assert not np.array_equal(jitter(still, 3), jitter(still, 4))


def test_off(still):
    assert np.array_equal(jitter(still, 0, prob=0), still)
    assert np.array_equal(jitter(still, 0, brightness=0, contrast=0, saturation=0, hue=0), still)


def test_brightness_alone_stays_in_its_range(still):
    for seed in range(20):
        found = jitter(still, seed, brightness=0.2, contrast=0, saturation=0, hue=0)
        ratio = found.astype(float).sum() / still.astype(float).sum()
        assert 0.79 < ratio < 1.21


@pytest.mark.parametrize("name, value", [("hue", 0.6), ("brightness", -0.1), ("prob", 2)])
def test_wrong_strength(name, value):
    with pytest.raises(ValueError, match=f"{name} of ColorJitter must lie in .* got {value}"):
        ColorJitter(**{name: value})
