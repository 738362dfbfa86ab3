import numpy as np
import pytest

from mmtad.datasets.transforms import (
    CenterCrop,
    Flip,
    RandomCrop,
    RandomResizedCrop,
    RandomRotation,
    ResizeClip,
)
from mmtad.datasets.transforms.spatial import short_side_size


def test_resize(sample):
    assert ResizeClip(short_side=20)(dict(sample))["frames"].shape == (6, 20, 30, 3)
    assert ResizeClip(size=(10, 12))(dict(sample))["frames"].shape == (6, 10, 12, 3)
    with pytest.raises(ValueError, match="give short_side or size, not both"):
        ResizeClip()


def test_short_side():
    assert short_side_size(240, 320, 182) == (182, 243)
    assert short_side_size(320, 240, 182) == (243, 182)
    assert short_side_size(100, 100, 50) == (50, 50)


def test_random_resized_crop_box_is_inside_and_of_the_area(rng):
    crop = RandomResizedCrop(160, area_range=(0.2, 0.6))
    seen = set()
    for _ in range(300):
        left, top, width, height = crop.draw_box(182, 243, rng)
        assert 0 <= left <= 243 - width and 0 <= top <= 182 - height
        assert 0.19 < width * height / (182 * 243) < 0.62
        assert 0.74 < width / height < 1.36
        seen.add((left, top))
    assert len(seen) > 200


def test_random_resized_crop_falls_back(rng):
    # No box of this aspect ratio has that area inside a thin frame.
    crop = RandomResizedCrop(8, area_range=(0.9, 1.0), aspect_range=(1.0, 1.0))
    assert crop.draw_box(10, 100, rng) == (45, 0, 10, 10)
    assert crop.draw_box(100, 10, rng) == (0, 45, 10, 10)
    assert RandomResizedCrop(8).draw_box(1, 1, rng) == (0, 0, 1, 1)


def test_random_resized_crop_is_one_draw_per_clip(sample):
    found = RandomResizedCrop((16, 24))(sample)["frames"].numpy()
    assert found.shape == (6, 16, 24, 3)
    assert (found == found[:1]).all()


def test_whole_frame(sample, still):
    crop = RandomResizedCrop((40, 60), area_range=(1.0, 1.0), aspect_range=(1.5, 1.5))
    assert np.array_equal(crop(sample)["frames"].numpy(), still)


def test_center_crop(sample, still):
    found = CenterCrop((20, 30))(sample)["frames"].numpy()
    assert np.array_equal(found, still[:, 10:30, 15:45])
    with pytest.raises(ValueError, match="cannot crop 41x41 from frames of 20x30"):
        CenterCrop(41)(sample)


def test_random_crop(sample, still):
    """Every place is drawn, one for the clip; a box as large as the frame is the frame."""
    seen = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        found = RandomCrop((38, 60))(dict(sample, frames=still, rng=rng))["frames"].numpy()
        (top,) = (t for t in range(3) if np.array_equal(found, still[:, t : t + 38]))
        seen.add(top)
    assert seen == {0, 1, 2}
    assert np.array_equal(RandomCrop((40, 60))(dict(sample))["frames"].numpy(), still)
    with pytest.raises(ValueError, match="cannot crop 41x41 from frames of 40x60"):
        RandomCrop(41)(sample)


def test_random_rotation(still):
    square = np.ascontiguousarray(still[:, :40, :40])
    quarter = RandomRotation(90, prob=1)
    results = dict(frames=square, rng=Draws(90.0))
    found = quarter(results)["frames"].numpy()
    assert np.array_equal(found, np.rot90(square, axes=(2, 1)))
    results = dict(frames=square, rng=np.random.default_rng(0))
    assert np.array_equal(RandomRotation(90, prob=0)(results)["frames"].numpy(), square)
    for wrong in (dict(degrees=181), dict(prob=2)):
        with pytest.raises(ValueError, match=f"got .*{next(iter(wrong.values()))}"):
            RandomRotation(**wrong)


class Draws:
    """Draws that are known."""

    def __init__(self, angle):
        self.angle = angle

    def uniform(self, low, high):
        assert low <= self.angle <= high
        return self.angle

    def random(self):
        return 0.5


def test_flip(still):
    flipped = 0
    for seed in range(100):
        results = dict(frames=still, rng=np.random.default_rng(seed))
        found = Flip(0.3)(results)["frames"].numpy()
        mirrored = np.array_equal(found, still[:, :, ::-1])
        assert mirrored or np.array_equal(found, still)
        flipped += mirrored
    assert 18 < flipped < 42
    with pytest.raises(ValueError, match="probability from 0 to 1, got 3"):
        Flip(3)


@pytest.mark.parametrize("size", [0, (1, 2, 3), (3.5, 2), (-1, 4)])
def test_wrong_size(size):
    with pytest.raises(ValueError, match="a size is"):
        CenterCrop(size)


@pytest.mark.parametrize("area", [(0, 1), (0.5, 0.2), (0.5, 1.5), (0.5,)])
def test_wrong_area(area):
    with pytest.raises(ValueError, match="area_range is a range"):
        RandomResizedCrop(8, area_range=area)
