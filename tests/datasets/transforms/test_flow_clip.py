import itertools

import cv2
import numpy as np
import pytest

from mmtad.datasets.optical_flow import make_method, quantize
from mmtad.datasets.transforms import (
    CenterCrop,
    Clip,
    ColorJitter,
    Flip,
    RandAugment,
    RandomCrop,
    RandomResizedCrop,
    RandomRotation,
    ResizeClip,
)
from mmtad.datasets.transforms.clip import ArrayFrames
from mmtad.datasets.transforms.flow_clip import FlowClip, TwoStreamClip


def flow_clip(values, repeats=None):
    return FlowClip(ArrayFrames(np.ascontiguousarray(values)), repeats)


@pytest.fixture
def fields(rng):
    """Smooth flow, uint8 [6, 40, 60, 2]."""
    coarse = rng.integers(0, 255, (6, 5, 7, 2), dtype=np.uint8)
    return np.stack([cv2.resize(one, (60, 40), interpolation=cv2.INTER_CUBIC) for one in coarse])


@pytest.fixture
def both(still, fields):
    return TwoStreamClip(Clip.of(still), flow_clip(fields))


def test_five_channels(both, still, fields):
    assert both.shape == (6, 40, 60, 5) and len(both) == 6
    found = np.asarray(both)
    assert found.dtype == np.uint8
    assert np.array_equal(found[..., :3], still) and np.array_equal(found[..., 3:], fields)


def test_a_flip_turns_x_around(both, still, fields):
    both.flip()
    found = both.numpy()
    assert np.array_equal(found[..., :3], still[:, :, ::-1])
    assert np.array_equal(found[..., 3], 255 - fields[:, :, ::-1, 0])
    assert np.array_equal(found[..., 4], fields[:, :, ::-1, 1])
    assert np.array_equal(both.numpy(), found)  # asked again, it is not turned again
    both.flip()
    assert np.array_equal(both.numpy()[..., 3:], fields)


def test_flow_of_the_flipped_video_is_the_flipped_flow(rng):
    noise = rng.integers(0, 255, (130, 160, 1), dtype=np.uint8)
    scene = cv2.GaussianBlur(noise, (0, 0), 2)[..., None].repeat(3, axis=-1)
    frames = np.stack([scene[5 + 2 * t :, 20 - 3 * t :][:112, :112] for t in range(3)])
    estimate = make_method("dis")

    def flow(clip):
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip.numpy()]
        return quantize(np.stack([estimate(a, b) for a, b in itertools.pairwise(grey)]), 20)

    clip, mirrored = Clip.of(frames), Clip.of(frames)
    mirrored.flip()
    flipped = flow_clip(flow(clip))
    flipped.flip()
    ours, theirs = (one[:, 16:-16, 16:-16].astype(int) for one in (flipped.numpy(), flow(mirrored)))
    assert np.abs(ours - theirs).mean() < 1.0  # of 255: an eighth of a pixel is 0.8
    assert np.abs(np.median(theirs[..., 0]) - (127.5 - 3 * 255 / 40)) < 1.5  # it moved right: +3


def test_geometry_is_that_of_the_frames(still, rng):
    """A clip whose flow is a copy of its first two channels stays one under every geometry."""
    for seed in range(8):
        clip = TwoStreamClip(Clip.of(still), flow_clip(still[..., :2]))
        results = dict(frames=clip, rng=np.random.default_rng(seed))
        for step in (RandomResizedCrop((24, 36)), ResizeClip(size=30), RandomCrop((20, 28))):
            results = step(results)
        found = results["frames"].numpy()
        assert found.shape == (6, 20, 28, 5)
        assert np.array_equal(found[..., :2], found[..., 3:])
    results = CenterCrop((10, 12))(ResizeClip(short_side=20)(dict(frames=clip, rng=rng)))
    found = results["frames"].numpy()
    assert results["frames"].shape == found.shape == (6, 10, 12, 5)
    assert np.array_equal(found[..., :2], found[..., 3:])


def test_flow_of_another_size_follows_the_frames():
    """Values that are coordinates show where the pixels of both come from."""
    y, x = np.mgrid[:40, :60] + 0.5
    place = np.stack([4 * x, 6 * y, 0 * x], axis=-1).astype(np.uint8)[None]
    small = cv2.resize(place[0], (30, 20), interpolation=cv2.INTER_AREA)[None, ..., :2]
    rgb = Clip.of(place)
    rgb.resize(36, 54)
    rgb.crop(4, 6, 40, 24)
    clip = TwoStreamClip(rgb, flow_clip(small))
    clip.resize(30, 50)
    clip.crop(5, 3, 24, 20)
    found = clip.numpy().astype(float)
    assert found.shape == (1, 20, 24, 5)
    difference = np.abs(found[..., 3:] - found[..., :2]) / (4, 6)
    # In pixels of the frames: crops are to whole pixels, half of one off here, one there; rounding.
    assert difference.max() <= 1.5 + 0.25 and difference.mean() < 1


def test_colour_touches_the_frames_alone(both, still, fields):
    results = dict(frames=both, rng=np.random.default_rng(0))
    found = ColorJitter()(results)["frames"].numpy()
    assert not np.array_equal(found[..., :3], still) and np.array_equal(found[..., 3:], fields)
    alone = dict(frames=flow_clip(fields), rng=np.random.default_rng(0))
    assert np.array_equal(ColorJitter()(alone)["frames"].numpy(), fields)


def test_colours_are_those_of_the_frames_without_flow(still, fields):
    for seed in range(6):
        clips = Clip.of(still), TwoStreamClip(Clip.of(still), flow_clip(fields))
        alone, joined = (
            RandAugment()(dict(frames=clip, rng=np.random.default_rng(seed)))["frames"].numpy()
            for clip in clips
        )
        assert np.array_equal(joined[..., :3], alone)


@pytest.mark.parametrize("angle", [90, -90, 180])
def test_a_rotation_rotates_displacements(angle):
    """Flow to the right, of a picture turned a quarter counter-clockwise, goes up."""
    field = np.full((2, 21, 21, 2), 128, np.uint8)
    field[..., 0] = 228
    clip = flow_clip(field)
    turn = np.radians(angle)
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    clip.warp(linear)
    expected = np.linalg.inv(linear) @ (100.5, 0.5) + 127.5
    assert np.abs(clip.numpy()[:, 10, 10] - expected).max() <= 1


def test_displacements_turn_with_the_picture(rng):
    """The flow of a rotated scene is the rotated flow of the scene, whatever the sign rules are."""
    noise = rng.integers(0, 255, (120, 120), dtype=np.uint8)
    scene = cv2.GaussianBlur(noise, (0, 0), 2)
    moved = np.roll(scene, 4, axis=1)
    frames = np.stack([scene, moved])[..., None].repeat(3, axis=-1)
    estimate = make_method("dis")

    def flow(frames):
        grey = [np.ascontiguousarray(frame[..., 0]) for frame in frames]
        return quantize(estimate(*grey), 20)[None]

    def turned(clip):
        return RandomRotation(40, 1.0)(dict(frames=clip, rng=np.random.default_rng(1)))["frames"]

    ours = turned(flow_clip(flow(frames))).numpy()[0, 45:75, 45:75]
    theirs = flow(turned(Clip.of(frames)).numpy())[0, 45:75, 45:75]
    assert np.abs(np.median(theirs, axis=(0, 1)) - 127.5).max() > 5
    assert np.abs(np.median(ours, axis=(0, 1)) - np.median(theirs, axis=(0, 1))).max() < 2


def test_what_lies_outside_stands_still(fields):
    clip = flow_clip(fields)
    clip.crop(-5, 0, 20, 40)
    assert (clip.numpy()[:, :, :5] == 128).all()
    warped = flow_clip(fields)
    warped.warp(np.eye(2), (30.0, 0.0))
    assert (warped.numpy()[:, :, 31:] == 128).all()


def test_repeated_fields(fields):
    repeats = np.array([0, 2, 2, 5])
    clip = flow_clip(fields, repeats)
    clip.flip()
    assert clip.shape == (4, 40, 60, 2)
    assert np.array_equal(clip.numpy()[..., 0], 255 - fields[repeats][:, :, ::-1, 0])


def test_what_does_not_fit(still, fields):
    with pytest.raises(ValueError, match="6 frames need as many flow fields, got 5"):
        TwoStreamClip(Clip.of(still), flow_clip(fields[:5]))
    clip = Clip.of(still)
    clip.flip()
    with pytest.raises(ValueError, match="flipped or turned before .* right behind DecodeFrames"):
        TwoStreamClip(clip, flow_clip(fields))
    assert Flip(1.0)(dict(frames=flow_clip(fields), rng=np.random.default_rng(0)))
