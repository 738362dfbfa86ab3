import numpy as np
import pytest

from mmtad.datasets.feature_files import FeatureReadError
from mmtad.datasets.feature_streams import (
    FeatureSequence,
    FeatureStream,
    average_samples,
    interpolate,
    parse_streams,
    roi_align,
)

ROWS = np.arange(30, dtype=np.float32).reshape(10, 3)


@pytest.fixture
def stream(tmp_path):
    """Function that writes features and returns their stream."""

    def stream(array, name="rgb", **kwargs):
        (tmp_path / name).mkdir(exist_ok=True)
        np.save(tmp_path / name / "vid.npy", array)
        return FeatureStream(str(tmp_path / name / "{video_id}.npy"), **kwargs)

    return stream


def test_parts_of_a_sequence(stream):
    sequence = FeatureSequence([stream(ROWS)], "vid")
    assert (sequence.length, sequence.channels, sequence.lengths) == (10, [3], [10])
    assert sequence.path.endswith("rgb/vid.npy")
    np.testing.assert_array_equal(sequence.read(), ROWS.T)
    np.testing.assert_array_equal(sequence.read(2, 8, 3), ROWS[2:8:3].T)
    assert sequence.read().dtype == np.float32 and sequence.read().flags.writeable


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32, np.uint8])
def test_other_types_become_float32(stream, dtype):
    read = FeatureSequence([stream(ROWS.astype(dtype))], "vid").read()
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, ROWS.T)


def test_channels_first(stream):
    sequence = FeatureSequence([stream(ROWS.T, layout="CT", channels=3)], "vid")
    np.testing.assert_array_equal(sequence.read(1, 9, 2), ROWS[1:9:2].T)


def test_streams_are_concatenated_at_the_length_of_the_first(stream):
    twice = np.repeat(ROWS[:, :2], 2, axis=0)
    sequence = FeatureSequence([stream(ROWS), stream(twice, "flow")], "vid")
    assert (sequence.length, sequence.channels, sequence.lengths) == (10, [3, 2], [10, 20])
    read = sequence.read(4, 7)
    np.testing.assert_array_equal(read[:3], ROWS[4:7].T)
    np.testing.assert_allclose(read[3:], ROWS[4:7, :2].T)  # the mean of two equal ones
    np.testing.assert_array_equal(sequence.read()[3:, 4:7], read[3:])


@pytest.mark.parametrize("resize", [interpolate, roi_align, average_samples])
def test_resizing_keeps_constants_order_and_range(resize):
    rng = np.random.default_rng(0)
    for count, length in [(1, 5), (2, 7), (5, 5), (100, 7), (7, 100), (3, 1)]:
        np.testing.assert_allclose(resize(np.full((2, count), 3.5, np.float32), length), 3.5)
        ramp = resize(np.arange(count, dtype=np.float32)[None], length)
        assert ramp.shape == (1, length) and (np.diff(ramp) >= -1e-6).all()
        noise = rng.random((2, count), np.float32)
        found = resize(noise, length)
        assert found.dtype == np.float32
        assert noise.min() - 1e-6 <= found.min() and found.max() <= noise.max() + 1e-6
        np.testing.assert_allclose(found[:, ::-1], resize(noise[:, ::-1].copy(), length), atol=1e-5)


def test_resizing_by_hand():
    ramp = np.arange(4, dtype=np.float32)[None]
    np.testing.assert_allclose(interpolate(ramp, 2), [[0.5, 2.5]])
    np.testing.assert_allclose(interpolate(ramp, 8)[0, :4], [0, 0.25, 0.75, 1.25])
    # from 0 (the first middle) to the border at 1.5: samples at 0, 0.75 and 1.5
    np.testing.assert_allclose(average_samples(ramp, 2), [[0.75, 2.25]], atol=1e-4)


def test_roi_align_by_hand():
    """Of RoI align over [0, T) with ``aligned=True`` and as many samples as it takes by default."""
    ramp = np.arange(5, dtype=np.float32)[None]
    np.testing.assert_allclose(roi_align(ramp[:, :4], 2), [[0.5, 2.5]])
    # Thirds of 2.5 steps: the samples of the first are at -1/12 (kept at 0), 3/4 and 19/12.
    np.testing.assert_allclose(roi_align(ramp, 2), [[7 / 9, 4 - 7 / 9]], rtol=1e-6)
    np.testing.assert_allclose(roi_align(ramp, 7), interpolate(ramp, 7))
    lonely = np.zeros((1, 300), np.float32)
    lonely[0, 150] = 3.0
    assert interpolate(lonely, 100).sum() == 0 and roi_align(lonely, 100).sum() == 1


BAD = {
    "transposed": (ROWS.T, dict(channels=3), r"10 channels instead of 3 .* set layout='CT'"),
    "channels": (ROWS, dict(channels=4), r"3 channels instead of 4 .* check the file"),
    "empty": (np.zeros((0, 3)), {}, r"are empty, their shape is \[0, 3\]"),
    "flat": (np.zeros(5), {}, r"in two dimensions, \[T, C\], got float64 of shape \[5\]"),
    "map": (np.zeros((2, 3, 4)), dict(layout="CT"), r"\[C, T\], got float64 of shape \[2, 3, 4\]"),
    "text": (np.array([["a"]]), {}, "must be numbers in two dimensions"),
}


@pytest.mark.parametrize("name", BAD)
def test_features_that_do_not_fit(stream, name):
    array, kwargs, message = BAD[name]
    with pytest.raises(FeatureReadError, match=message) as caught:
        FeatureSequence([stream(array, **kwargs)], "vid")
    assert "'vid'" in str(caught.value) and "vid.npy" in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(stream, value):
    rows = ROWS.copy()
    rows[7, 1] = value
    sequence = FeatureSequence([stream(rows)], "vid")
    assert sequence.read(0, 7).shape == (3, 7)
    with pytest.raises(FeatureReadError, match="'vid' in .*vid.npy are NaN or infinite"):
        sequence.read(5, 9)


def test_missing_stream(stream, tmp_path):
    flow = FeatureStream(str(tmp_path / "flow" / "{video_id}.npy"))
    with pytest.raises(FeatureReadError, match=r"flow/vid.npy does not exist"):
        FeatureSequence([stream(ROWS), flow], "vid")


def test_configs_of_streams():
    assert parse_streams("a/{video_id}.npy") == (FeatureStream("a/{video_id}.npy"),)
    (one,) = parse_streams(dict(path="a.h5", channels=4, layout="CT"))
    assert one.shared and one.file("v") == "a.h5" and FeatureStream(**one.to_dict()) == one
    two = parse_streams(["a.h5", dict(path="v_{video_id}.pt")])
    assert [stream.file("x") for stream in two] == ["a.h5", "v_x.pt"]


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ((), "at least one feature file"),
        ("", "at least one feature file|must be text"),
        (dict(layout="TC"), "of which path must be"),
        (dict(path="a.h5", chanels=3), "chanels"),
        (dict(path="{video}.npy"), "video_id"),
        (dict(path="{video_id.npy"), "video_id"),
        (dict(path="a.h5", layout="BTC"), "layout must be one of .*'BTC'"),
        (dict(path="a.h5", channels=0), "channels must be a number above 0, got 0"),
        (dict(path="a.h5", feature_stride=0), "feature_stride of a stream must be above 0, got 0"),
    ],
)
def test_wrong_configs_of_streams(features, message):
    with pytest.raises(ValueError, match=message):
        parse_streams(features)


@pytest.mark.parametrize("kind", [">f8", "<f2", "i2", "u1"])
def test_numbers_of_any_kind(tmp_path, kind):
    values = np.arange(6).reshape(3, 2).astype(kind)
    np.save(tmp_path / "vid.npy", values)
    read = FeatureSequence(parse_streams(str(tmp_path / "{video_id}.npy")), "vid").read()
    assert read.dtype == np.float32 and np.array_equal(read, values.T)
