"""Index arithmetic of windows: which sampled frames a sample covers, which actions it shows.

A *sampled frame* is one of the frames that remain of a video after temporal sub-sampling; ``ratio``
is the number of frames of the file per sampled frame (not necessarily an integer). Windows are
counted in sampled frames.
"""

import math

import numpy as np

_EPS = 1e-6


def sampled_length(total_frames: int, ratio: float) -> int:
    """Number of sampled frames of a video.

    Args:
        total_frames: Frames in the file.
        ratio: Frames of the file per sampled frame.

    Returns:
        At least 1.

    Raises:
        ValueError: If ``total_frames`` or ``ratio`` is not positive.
    """
    if total_frames < 1 or not ratio > 0:
        raise ValueError(
            f"a video needs at least one frame and a positive ratio, got {total_frames} and {ratio}"
        )
    return max(1, math.ceil(total_frames / ratio - _EPS))


def sliding_windows(length: int, size: int, overlap: float = 0.5) -> list[int]:
    """Starts of windows that together cover every one of ``length`` steps.

    The stride is ``size * (1 - overlap)``; the last window is shifted left so that it ends at
    ``length``. A sequence shorter than a window gets one window, which the caller pads.

    Args:
        length: Steps of the sequence.
        size: Steps of a window.
        overlap: Fraction of a window that it shares with the next one, in [0, 1).

    Returns:
        Increasing starts.

    Raises:
        ValueError: If ``length`` or ``size`` is below 1 or ``overlap`` is outside [0, 1).
    """
    if length < 1 or size < 1:
        raise ValueError(f"windows need a length and a size of at least 1, got {length} and {size}")
    if not 0 <= overlap < 1:
        raise ValueError(f"the overlap of windows must lie in [0, 1), got {overlap}")
    stride = max(1, int(size * (1 - overlap) + _EPS))
    last = max(0, length - size)
    return [*range(0, last, stride), last]


def visible_segments(
    segments: np.ndarray, start: float, end: float, threshold: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Clip segments to a window and tell which of them it shows well enough.

    Args:
        segments: ``[N, 2]`` in any unit.
        start: First moment of the window, same unit.
        end: Last moment of the window, same unit.
        threshold: Fraction of a segment that the window must show; 0 asks for any overlap at all.

    Returns:
        The clipped segments ``[N, 2]`` and a bool mask ``[N]``. A segment without length is visible
        where it lies inside the window, if ``threshold`` is 0, and never otherwise.
    """
    clipped = np.clip(segments, start, end)
    inside = clipped[:, 1] - clipped[:, 0]
    lengths = segments[:, 1] - segments[:, 0]
    if threshold > 0:
        return clipped, (lengths > 0) & (inside >= threshold * lengths)
    point = (lengths <= 0) & (segments[:, 0] >= start) & (segments[:, 1] <= end)
    return clipped, (inside > 0) | point


def random_truncation(
    segments: np.ndarray,
    length: int,
    max_length: int,
    rng: np.random.Generator,
    crop_ratio: tuple[float, float] | None = (0.9, 1.0),
    threshold: float = 0.5,
    trials: int = 200,
    offset: float = 0.0,
) -> tuple[int, int]:
    """Draw a window for training that shows at least one action.

    The scheme of `ActionFormer <https://arxiv.org/abs/2202.07925>`_: a long video is cut to
    ``max_length``; a short one to a random share of itself. Windows are drawn until one shows
    ``threshold`` of some action; after ``trials`` failures the last draw is used, which may show
    none.

    Args:
        segments: ``[N, 2]`` actions in sampled frames.
        length: Sampled frames of the video.
        max_length: Longest window.
        rng: Source of randomness.
        crop_ratio: Range of the share that is kept of a video not longer than ``max_length``; None
            keeps it whole.
        threshold: Fraction of an action that a window must show.
        trials: Draws before giving up.
        offset: Sampled frames by which the window sees further on both sides (half a snippet where
            features of snippets are used; 0 for frames).

    Returns:
        Start and number of sampled frames.
    """
    count = min(length, max_length)
    if length <= max_length and crop_ratio is not None:
        low, high = (round(share * length) for share in crop_ratio)
        count = int(rng.integers(max(1, low), min(max(1, high), length), endpoint=True))
    if count == length:
        return 0, length
    start = 0
    for _ in range(max(1, trials)):
        start = int(rng.integers(0, length - count, endpoint=True))
        _, keep = visible_segments(segments, start - offset, start + count + offset, threshold)
        if keep.any() or not len(segments):
            break
    return start, count


def window_frames(start: int, size: int, count: int, ratio: float, total_frames: int) -> np.ndarray:
    """Frames of the file that a window shows.

    Args:
        start: First sampled frame.
        size: Sampled frames of the window, padding included.
        count: Sampled frames before the padding; padding repeats the last one.
        ratio: Frames of the file per sampled frame.
        total_frames: Frames in the file.

    Returns:
        ``[size]`` int64.
    """
    steps = start + np.minimum(np.arange(size), max(count, 1) - 1)
    return np.minimum(np.floor(steps * ratio + 0.5).astype(np.int64), total_frames - 1)


def resize_frames(total_frames: int, size: int) -> np.ndarray:
    """Frames of the file that represent a whole video in a fixed number of steps.

    Step ``i`` shows the video at the fraction ``i / size`` of its length, like the first frame of a
    window shows its start.

    Args:
        total_frames: Frames in the file.
        size: Number of steps.

    Returns:
        ``[size]`` int64, not decreasing; frames repeat where the video has fewer than ``size``.
    """
    return np.arange(size, dtype=np.int64) * total_frames // size
