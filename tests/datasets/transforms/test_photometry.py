import colorsys

import numpy as np
import pytest

from mmtad.datasets.transforms import photometry as ph


def apply(frames, *ops):
    return ph.apply_photometry(frames.copy(), ops)


def close(found, expected, tolerance=1.01):
    expected = np.clip(expected, 0, 255)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(float) - expected).max() <= tolerance


def grey(frames):
    return (frames @ ph.LUMA)[..., None]


@pytest.mark.parametrize("factor", [0, 0.5, 1, 1.7])
def test_linear_operations_by_hand(still, factor):
    frames = still.astype(float)
    close(apply(still, ph.brightness(factor)), frames * factor)
    close(apply(still, ph.contrast(factor)), frames * factor + (1 - factor) * grey(frames).mean())
    close(apply(still, ph.saturation(factor)), frames * factor + (1 - factor) * grey(frames))
    close(apply(still, ph.invert()), 255 - frames)


@pytest.mark.parametrize("factor", [0, 0.5, 1, 1.9])
def test_sharpness_is_pils(still, factor):
    from PIL import Image, ImageEnhance

    expected = np.asarray(ImageEnhance.Sharpness(Image.fromarray(still[0])).enhance(factor))
    inner = slice(1, -1)  # PIL leaves the border as it is
    close(
        apply(still, ph.sharpness(factor))[0, inner, inner], expected[inner, inner].astype(float), 2
    )


def test_hue():
    colors = np.array([[150, 100, 100], [100, 150, 100], [128, 128, 128]], np.uint8)
    frames = colors.reshape(1, 1, 3, 3)
    assert np.array_equal(apply(frames, ph.hue(0)), frames)
    turned = apply(frames, ph.hue(1 / 3))
    luma = [grey(array.astype(float)) for array in (frames, turned)]
    assert np.abs(luma[0] - luma[1]).max() < 1.5
    assert np.abs(turned[0, 0, 2].astype(int) - 128).max() <= 1  # grey stays
    before, after = (colorsys.rgb_to_hsv(*c[0, 0, 0] / 255)[0] for c in (frames, turned))
    assert 0.2 < (after - before) % 1 < 0.8
    # three thirds of a turn are a whole one
    close(apply(frames, *[ph.hue(1 / 3)] * 3), frames.astype(float))


def test_tables_by_hand():
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=-1)
    assert np.array_equal(apply(ramp, ph.posterize(8)), ramp)
    assert np.array_equal(apply(ramp, ph.posterize(4)), ramp // 16 * 16)
    assert np.array_equal(apply(ramp, ph.posterize(0)), ramp * 0)
    assert np.array_equal(apply(ramp, ph.solarize(256)), ramp)
    assert np.array_equal(apply(ramp, ph.solarize(0)), 255 - ramp)
    assert np.array_equal(apply(ramp, ph.solarize(200)), np.where(ramp < 200, ramp, 255 - ramp))
    assert np.array_equal(apply(ramp, ph.equalize()), ramp)


def test_autocontrast():
    frames = np.zeros((2, 1, 3, 3), np.uint8)
    frames[..., 0] = [50, 100, 150]
    frames[..., 1] = 7  # a channel of one value stays
    frames[..., 2] = [0, 128, 255]
    found = apply(frames, ph.autocontrast())
    assert found[1, 0, :, 0].tolist() in ([0, 127, 255], [0, 128, 255])
    assert found[1, 0, :, 1].tolist() == [7, 7, 7]
    assert found[1, 0, :, 2].tolist() == [0, 128, 255]


def test_equalize_spreads_values():
    values = np.repeat(np.array([10, 11, 12, 13, 14], np.uint8), 20).reshape(1, 10, 10)
    found = apply(values[..., None].repeat(3, axis=-1), ph.equalize())
    assert sorted(set(found.ravel().tolist())) == [0, 64, 128, 191, 255]
    constant = np.full((2, 4, 4, 3), 9, np.uint8)
    assert np.array_equal(apply(constant, ph.equalize()), constant)


def test_chains_merge():
    frames = np.random.default_rng(0).integers(60, 160, (2, 8, 8, 3), dtype=np.uint8)
    ops = [ph.brightness(1.1), ph.contrast(0.9), ph.saturation(1.1), ph.hue(0.02)]
    merged = apply(frames, *ops).astype(float)
    stepwise = frames
    for op in ops:
        stepwise = apply(stepwise, op)
    close(stepwise, merged, 4)
    # tables and filters separate the matrices, in order
    expected = apply(apply(apply(frames, ph.brightness(1.2)), ph.posterize(3)), ph.contrast(0.5))
    assert np.array_equal(
        apply(frames, ph.brightness(1.2), ph.posterize(3), ph.contrast(0.5)), expected
    )


@pytest.mark.parametrize(
    "op",
    [
        ph.brightness(1.4),
        ph.contrast(1.4),
        ph.saturation(0.3),
        ph.hue(0.1),
        ph.autocontrast(),
        ph.equalize(),
        ph.sharpness(1.8),
        ph.solarize(100),
    ],
)
def test_identical_frames_stay_identical(still, op):
    found = apply(still, op)
    assert (found == found[:1]).all()


def test_statistics_are_those_of_the_clip():
    """A clip that gets brighter keeps doing so; per frame, contrast 0 would make all equal grey."""
    frames = np.stack([np.full((4, 4, 3), value, np.uint8) for value in (0, 100, 200)])
    assert np.unique(apply(frames, ph.contrast(0))).tolist() == [100]
    stretched = apply(frames, ph.autocontrast())[:, 0, 0, 0].tolist()
    assert stretched in ([0, 127, 255], [0, 128, 255])


def test_long_clips_and_degenerate_ones(rng):
    frames = rng.integers(0, 255, (100, 4, 4, 3), dtype=np.uint8)
    assert apply(frames, ph.contrast(1.2), ph.equalize()).shape == frames.shape
    assert apply(frames[:0], ph.contrast(1.2)).shape == (0, 4, 4, 3)
    assert apply(frames[:1, :1, :1], ph.sharpness(2), ph.equalize()).shape == (1, 1, 1, 3)
