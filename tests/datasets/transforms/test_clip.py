import math

import cv2
import numpy as np
import pytest

from mmtad.datasets.transforms import Clip, photometry
from mmtad.datasets.transforms.clip import FILL


def difference(first, second):
    return np.abs(first.astype(int) - second.astype(int))


def test_nothing_pending(still):
    clip = Clip.of(still)
    assert Clip.of(clip) is clip
    assert clip.shape == still.shape and len(clip) == 6
    assert np.shares_memory(clip.numpy(), still)
    assert np.array_equal(np.asarray(clip), still)


def test_crop_and_flip_are_exact(still):
    clip = Clip.of(still)
    clip.crop(10, 5, 30, 20)
    clip.flip()
    clip.crop(0, 0, 12, 20)
    assert clip.shape == (6, 20, 12, 3)
    assert np.array_equal(clip.numpy(), still[:, 5:25, 10:40][:, :, ::-1][:, :, :12])


def test_resize_is_opencvs(still):
    clip = Clip.of(still)
    clip.resize(20, 90)
    assert np.array_equal(clip.numpy()[0], cv2.resize(still[0], (90, 20)))


def test_large_shrinking_averages(rng):
    noise = rng.integers(0, 255, (1, 64, 64, 3), dtype=np.uint8)
    clip = Clip.of(noise)
    clip.resize(8, 8)
    assert np.array_equal(
        clip.numpy()[0], cv2.resize(noise[0], (8, 8), interpolation=cv2.INTER_AREA)
    )


def test_operations_merge_into_one_resampling(still):
    """Resize, crop, resize at once, against one after the other."""
    merged = Clip.of(still)
    merged.resize(80, 120)
    merged.crop(20, 10, 80, 60)
    merged.flip()
    merged.resize(30, 40)
    step = cv2.resize(still[0], (120, 80))[10:70, 20:100][:, ::-1]
    step = cv2.resize(np.ascontiguousarray(step), (40, 30), interpolation=cv2.INTER_AREA)
    assert difference(merged.numpy()[0], step).mean() < 3


def test_quarter_turn(rng):
    square = rng.integers(0, 255, (2, 32, 32, 3), dtype=np.uint8)
    clip = Clip.of(square)
    clip.warp(np.array([[0.0, 1.0], [-1.0, 0.0]]))
    found = clip.numpy()
    # The result at (x, y) shows (y, -x) about the centre: np.rot90 backwards.
    assert np.array_equal(found[0], np.rot90(square[0], -1)) or np.array_equal(
        found[0], np.rot90(square[0], 1)
    )


def test_shift_shows_what_the_crop_left_out_and_grey_beyond(still):
    clip = Clip.of(still)
    clip.crop(20, 10, 20, 20)
    clip.warp(np.eye(2), (15, 0))
    assert np.array_equal(clip.numpy(), still[:, 10:30, 35:55])
    clip = Clip.of(still)
    clip.warp(np.eye(2), (-25, 7))
    found = clip.numpy()
    assert (found[:, :, :25] == FILL).all() and (found[:, 33:] == FILL).all()
    assert np.array_equal(found[:, :33, 25:], still[:, 7:, :35])
    clip.warp(np.eye(2), (0, 200))
    assert (clip.numpy() == FILL).all()


@pytest.mark.parametrize("shift", [(-30, 0), (31, 5), (0, -17), (-9, 11)])
@pytest.mark.parametrize("flip", [True, False])
def test_scaled_shift_agrees_with_the_general_warp(still, shift, flip):
    fast, general = Clip.of(still), Clip.of(still)
    for clip in (fast, general):
        if flip:
            clip.flip()
        clip.resize(60, 90)
        clip.warp(np.eye(2), shift)
    general.warp(np.array([[1, 1e-6], [-1e-6, 1.0]]))
    apart = difference(fast.numpy(), general.numpy())
    # The crop is rounded to whole pixels of the frame, and the seam is sharp.
    assert np.median(apart) <= 3 and (apart.max(axis=(0, 3)) > 40).mean() < 0.05


def test_general_warp_agrees_with_the_fast_path(still):
    """A rotation by nearly nothing goes through the general path."""
    fast, general = Clip.of(still), Clip.of(still)
    for clip in (fast, general):
        clip.crop(8, 6, 40, 30)
        clip.resize(24, 32)
    angle = 1e-6
    general.warp(np.array([[1, angle], [-angle, 1.0]]))
    assert difference(fast.numpy(), general.numpy()).max() <= 3


def test_rotation_keeps_the_centre():
    frames = np.zeros((1, 41, 41, 3), np.uint8)
    frames[0, 20, 20] = 255
    clip = Clip.of(frames)
    cos, sin = math.cos(0.5), math.sin(0.5)
    clip.warp(np.array([[cos, sin], [-sin, cos]]))
    found = clip.numpy()
    assert np.unravel_index(found[0, ..., 0].argmax(), (41, 41)) == (20, 20)


def test_colors_follow_the_geometry(still):
    clip = Clip.of(still)
    clip.color(photometry.brightness(0.5))
    clip.crop(0, 0, 30, 20)
    assert difference(clip.numpy(), still[:, :20, :30] * 0.5).max() <= 1
    assert still.max() > 128  # the frames given in are not changed


def test_repeated_frames(rng):
    frames = rng.integers(0, 255, (3, 8, 8, 3), dtype=np.uint8)

    class Source:
        shape = (3, 8, 8)

        def chunks(self):
            yield frames[:2]
            yield frames[2:]

    clip = Clip(Source(), np.array([0, 1, 2, 2, 2]))
    clip.flip()
    assert len(clip) == 5
    assert np.array_equal(clip.numpy(), frames[[0, 1, 2, 2, 2]][:, :, ::-1])
    assert np.array_equal(clip.numpy(), clip.numpy())  # can be asked for again


@pytest.mark.parametrize(
    "frames", [np.zeros((2, 3, 4), np.uint8), np.zeros((2, 3, 4, 3), np.float32)]
)
def test_other_arrays_are_refused(frames):
    with pytest.raises(ValueError, match=r"a clip is uint8 of shape \[T, H, W, 3\], got"):
        Clip.of(frames)
