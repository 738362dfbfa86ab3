import numpy as np
import pytest

from mmtad.datasets.windows import (
    random_truncation,
    resize_frames,
    sampled_length,
    sliding_windows,
    visible_segments,
    window_frames,
)


@pytest.mark.parametrize(
    "length, size, overlap, starts",
    [
        (1700, 768, 0.25, [0, 576, 932]),  # the tail that OpenTAD leaves out
        (1700, 768, 0.5, [0, 384, 768, 932]),
        (768, 768, 0.5, [0]),
        (769, 768, 0.5, [0, 1]),
        (100, 768, 0.5, [0]),
        (1536, 768, 0, [0, 768]),
        (1, 1, 0.9, [0]),
    ],
)
def test_sliding_windows_by_hand(length, size, overlap, starts):
    assert sliding_windows(length, size, overlap) == starts


def test_sliding_windows_cover_every_step():
    rng = np.random.default_rng(0)
    for _ in range(300):
        length, size = int(rng.integers(1, 500)), int(rng.integers(1, 120))
        overlap = float(rng.choice([0, 0.25, 0.5, 0.75, 0.9]))
        starts = sliding_windows(length, size, overlap)
        covered = np.zeros(length, bool)
        for start in starts:
            assert start == 0 or start + size <= length
            covered[start : start + size] = True
        assert covered.all()
        assert starts == sorted(set(starts))


@pytest.mark.parametrize("args", [(0, 4, 0.5), (4, 0, 0.5), (4, 4, 1.0), (4, 4, -0.1)])
def test_sliding_windows_refuse(args):
    with pytest.raises(ValueError, match="got"):
        sliding_windows(*args)


def test_sampled_length():
    assert [sampled_length(10, ratio) for ratio in (1, 2, 3, 4, 100)] == [10, 5, 4, 3, 1]
    assert sampled_length(300, 30 / 10) == 100
    assert sampled_length(100, 25 / 30) == 120  # more samples than frames
    with pytest.raises(ValueError, match="got 0 and 1"):
        sampled_length(0, 1)


def test_visible_segments():
    segments = np.array([[0.0, 10], [8, 12], [30, 40], [5, 5], [10, 20]])
    clipped, keep = visible_segments(segments, 5, 15)
    assert keep.tolist() == [True, True, False, True, True]
    assert clipped[0].tolist() == [5, 10] and clipped[4].tolist() == [10, 15]
    assert visible_segments(segments, 5, 15, 0.5)[1].tolist() == [True, True, False, False, True]
    assert visible_segments(segments, 5, 15, 0.6)[1].tolist() == [False, True, False, False, False]
    assert visible_segments(np.zeros((0, 2)), 0, 1)[1].shape == (0,)


def test_random_truncation_of_a_long_video_shows_an_action():
    rng = np.random.default_rng(0)
    segments = np.array([[900.0, 930.0]])
    starts = set()
    for _ in range(100):
        start, count = random_truncation(segments, 1000, 200, rng, threshold=0.75)
        assert count == 200 and 0 <= start <= 800
        assert visible_segments(segments, start, start + count, 0.75)[1].all()
        starts.add(start)
    assert len(starts) > 30


def test_random_truncation_of_a_short_video_keeps_a_share():
    rng = np.random.default_rng(0)
    counts = {
        random_truncation(np.array([[10.0, 80.0]]), 100, 768, rng, (0.9, 1.0))[1]
        for _ in range(200)
    }
    assert counts == set(range(90, 101))
    assert random_truncation(np.array([[10.0, 80.0]]), 100, 768, rng, None) == (0, 100)
    assert random_truncation(np.zeros((0, 2)), 1, 768, rng) == (0, 1)


def test_random_truncation_gives_up():
    rng = np.random.default_rng(0)
    # The only action is longer than any window can show.
    start, count = random_truncation(np.array([[0.0, 1000.0]]), 1000, 10, rng, threshold=0.5)
    assert count == 10 and 0 <= start <= 990


def test_random_truncation_offset_widens_the_window():
    rng = np.random.default_rng(0)
    draws = [
        random_truncation(np.array([[10.0, 11.0]]), 12, 4, rng, threshold=1, offset=8)[0]
        for _ in range(50)
    ]
    assert set(draws) == set(range(9))


def test_random_truncation_depends_on_the_generator_only():
    segments = np.array([[300.0, 330.0]])
    first, second = (
        [random_truncation(segments, 1000, 100, rng) for _ in range(10)]
        for rng in (np.random.default_rng(5), np.random.default_rng(5))
    )
    assert first == second


def test_window_frames():
    assert window_frames(2, 4, 4, 3, 100).tolist() == [6, 9, 12, 15]
    assert window_frames(2, 6, 2, 3, 100).tolist() == [6, 9, 9, 9, 9, 9]  # padding
    assert window_frames(0, 4, 4, 30 / 12, 100).tolist() == [0, 3, 5, 8]  # 12 of 30 per second
    assert window_frames(8, 2, 2, 1.2, 10).tolist() == [9, 9]


def test_resize_frames():
    assert resize_frames(8, 4).tolist() == [0, 2, 4, 6]
    assert resize_frames(3, 6).tolist() == [0, 0, 1, 1, 2, 2]
    assert resize_frames(1000, 7).tolist() == [0, 142, 285, 428, 571, 714, 857]
