import multiprocessing

import cv2
import numpy as np
import pytest

from mmtad.datasets.optical_flow import (
    METHODS,
    STILL,
    FlowSpec,
    VideoFlow,
    dequantize,
    make_method,
    nearest,
    open_flow,
    quantize,
)
from mmtad.datasets.windows import resize_frames, sampled_length, window_frames


class ArrayReader:
    """Frames in memory that look like an open video."""

    def __init__(self, frames, fps=10.0):
        self.frames, self.fps = frames, fps

    def __len__(self):
        return len(self.frames)

    def read(self, indices):
        return self.frames[indices]


@pytest.fixture(scope="module")
def square():
    """``square(dx, dy, count)``: a square that moves so far a frame before a background."""
    noise = np.random.default_rng(0).integers(0, 255, (2, 112, 112), dtype=np.uint8)
    background, texture = (cv2.GaussianBlur(one, (0, 0), 1.5)[..., None] for one in noise)

    def make(dx, dy, count=3):
        frames = np.tile(background, (count, 1, 1, 3))
        for number, frame in enumerate(frames):
            top, left = 36 + number * dy, 36 + number * dx
            frame[top : top + 40, left : left + 40] = texture[:40, :40]
        return frames

    return make


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dx, dy", [(5, -3), (-4, 2)])
def test_a_moving_square(square, method, dx, dy):
    if method == "tvl1" and not hasattr(cv2, "optflow"):
        pytest.skip("this OpenCV has no TV-L1")
    frames = square(dx, dy, 2 if method == "tvl1" else 3)
    spec = FlowSpec(method)
    (fields,) = VideoFlow(ArrayReader(frames), spec).chunks()
    assert fields.dtype == np.uint8 and fields.shape == (len(frames) - 1, 112, 112, 2)
    for number, field in enumerate(dequantize(fields, spec.bound)):
        top, left = 36 + number * dy, 36 + number * dx
        inside = field[top + 10 : top + 30, left + 10 : left + 30]
        step = 40 / 255
        assert np.abs(np.median(inside, axis=(0, 1)) - (dx, dy)).max() < step / 2 + 0.1
        assert np.abs(field[:15, :15]).max() < step  # the background stands still


@pytest.mark.parametrize("bound", [1.0, 15.0, 20.0])
def test_quantisation_is_within_half_a_step(bound):
    flow = np.linspace(-bound, bound, 5001)
    values = quantize(flow, bound)
    assert values.min() == 0 and values.max() == 255
    assert np.abs(dequantize(values, bound) - flow).max() < bound / 255 + 1e-6 * bound
    assert quantize(np.array([0.0]), bound)[0] == STILL
    assert list(quantize(np.array([-99.0, 99.0]), bound)) == [0, 255]
    # Mirrored displacements are mirrored numbers, but where a half is rounded to the even one.
    mirrored = quantize(-flow, bound).astype(int)
    assert np.abs(mirrored - (255 - values)).max() <= 1


@pytest.mark.parametrize("fps, total", [(30.0, 900), (29.97, 451), (25.0, 250), (10.0, 77)])
def test_sampled_frames_are_those_of_the_windows(fps, total):
    ratio = fps / 10
    length = sampled_length(total, ratio)
    sampled = FlowSpec().sampled(total, fps)
    assert np.array_equal(sampled, window_frames(0, length, length, ratio, total))
    begins = sampled[:-1]
    assert np.array_equal(nearest(begins, begins), np.arange(len(begins)))
    window = window_frames(20, 32, 32, ratio, total)
    assert np.array_equal(nearest(begins, window), np.arange(20, 52))


def test_sampling_evenly_and_slow_videos():
    even = FlowSpec(fps=None, frames=8)
    assert np.array_equal(even.sampled(100, 25.0), resize_frames(100, 8))
    assert np.array_equal(even.sampled(3, 25.0), np.arange(3))
    assert np.array_equal(FlowSpec().sampled(50, 6.0), np.arange(50))
    assert np.array_equal(FlowSpec().sampled(1, 25.0), [0])


def test_nearest():
    frames = np.array([0, 3, 6, 9])
    wanted = np.array([0, 1, 2, 3, 5, 8, 9, 50])
    assert list(nearest(frames, wanted)) == [0, 0, 1, 1, 2, 3, 3, 3]
    assert list(nearest(np.array([0, 4]), np.array([2]))) == [0]  # of two, the earlier
    assert list(nearest(np.array([0]), np.array([0, 7]))) == [0, 0]


def test_reading_some_fields_equals_reading_all(square):
    frames = np.concatenate([square(3, 1, 6), square(-2, 0, 6)])
    flow = VideoFlow(ArrayReader(frames), FlowSpec())
    every = np.concatenate(list(flow.chunks()))
    assert len(every) == len(flow.frames) == 11
    for positions in ([0], [3, 4, 9], [10], [2, 7]):
        assert np.array_equal(flow.read(np.array(positions)), every[positions])


def test_no_frame_is_decoded_twice(square):
    """Going back, a decoder starts again at the key frame before."""
    read = []

    class Recorder(ArrayReader):
        def read(self, indices):
            read.extend(indices.tolist())
            return super().read(indices)

    frames = np.tile(square(0, 0, 1), (150, 1, 1, 1))
    assert (
        sum(map(len, VideoFlow(Recorder(frames), FlowSpec("farneback", size=16)).chunks())) == 149
    )
    assert read == list(range(150))


def test_one_frame_stands_still(square):
    flow = VideoFlow(ArrayReader(square(0, 0, 1)), FlowSpec())
    field = flow.read(np.array([0]))
    assert len(flow.frames) == 1 and np.abs(field.astype(int) - STILL).max() <= 1


def test_sizes(videos):
    path = str(videos / "v0.mp4")  # 64 x 48 pixels, 25 frames per second
    flow = open_flow(path, FlowSpec(size=None, short_side=24))
    assert (flow.height, flow.width) == (24, 32)
    assert flow.read(np.array([0, 5])).shape == (2, 24, 32, 2)
    assert open_flow(path, FlowSpec(size=32)).read(np.array([0])).shape == (1, 32, 32, 2)
    assert len(open_flow(path, FlowSpec(fps=5.0)).frames) == 7  # 40 frames, every fifth


def test_how_two_differ():
    spec = FlowSpec()
    assert spec.differences(FlowSpec()) == []
    other = FlowSpec("farneback", 15.0)
    assert spec.differences(other) == ["method (farneback, here dis)", "bound (15.0, here 20.0)"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(method="raft"), "the method of flow is one of .*'tvl1'.*, got 'raft'"),
        (dict(bound=0), "bound must be a number of pixels above 0, got 0"),
        (dict(fps=-1.0), "fps must be above 0, got -1.0"),
        (dict(frames=8), "give fps or frames of the flow, not both, got fps=10.0 and frames=8"),
        (dict(fps=None), "give fps or frames of the flow"),
        (dict(fps=None, frames=1), "frames must be at least 2, got 1"),
        (dict(short_side=112), "give size or short_side"),
        (dict(size=8), "at least 12 pixels, got size=\\(8, 8\\)"),
        (dict(size=None, short_side=11), "at least 12 pixels.*short_side=11"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        FlowSpec(**arguments)


def test_an_opencv_without_tvl1(monkeypatch):
    monkeypatch.delattr(cv2, "optflow", raising=False)
    with pytest.raises(ValueError, match="no TV-L1: it is in opencv-contrib-python"):
        make_method("tvl1")
    with pytest.raises(ValueError, match="got 'raft'"):
        make_method("raft")


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="cannot fork")
def test_a_forked_process_does_not_wait_for_threads(square):
    """OpenCV's threads do not survive a fork, and a child must not count on them."""
    before = cv2.getNumThreads()
    make_method("dis")(*square(2, 0, 2)[..., 0].copy())  # starts them
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(cv2.getNumThreads).get(timeout=20) == 1
        pool.apply_async(cv2.setNumThreads, [1]).get(timeout=20)
    assert cv2.getNumThreads() == before
