"""Optical flow between the sampled frames of a video, as uint8."""

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import cv2
import numpy as np

from .arguments import is_number
from .transforms.loading import VideoReader
from .transforms.spatial import short_side_size
from .windows import resize_frames, sampled_length, window_frames

METHODS = ("dis", "farneback", "tvl1")
STILL = 128
"""No motion: displacements from -bound to bound become 0 to 255."""

Method = Callable[[np.ndarray, np.ndarray], np.ndarray]
_CHUNK_FRAMES = 64
_LEAST_PIXELS = 12  # of each side; DIS refuses smaller pictures


@dataclass(frozen=True)
class FlowSpec:
    """How flow is made of a video, so that training and inference can agree on it.

    Attributes:
        method: ``"dis"``, ``"farneback"``, or ``"tvl1"`` where OpenCV has its contributed modules.
        bound: Displacement in pixels of the scaled frames that becomes 0 or 255; larger ones are
            cut off.
        fps: Flow fields per second, each from one sampled frame to the next; a slower video has
            one a frame.
        frames: Instead of ``fps``, sample this number of frames evenly over the video.
        size: (height, width) to which the frames are scaled first.
        short_side: Instead of ``size``, pixels of the shorter side; the aspect ratio stays.

    Raises:
        ValueError: If a value is out of range, or not one of each alternative is given.
    """

    method: str = "dis"
    bound: float = 20.0
    fps: float | None = 10.0
    frames: int | None = None
    size: tuple[int, int] | None = (112, 112)
    short_side: int | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"the method of flow is one of {METHODS}, got {self.method!r}")
        if not is_number(self.bound, above=0):
            raise ValueError(f"bound must be a number of pixels above 0, got {self.bound!r}")
        for one, other in (("fps", "frames"), ("size", "short_side")):
            values = getattr(self, one), getattr(self, other)
            if (values[0] is None) == (values[1] is None):
                raise ValueError(
                    f"give {one} or {other} of the flow, not both, got {one}={values[0]} and "
                    f"{other}={values[1]}"
                )
        if self.fps is not None and not is_number(self.fps, above=0):
            raise ValueError(f"fps must be above 0, got {self.fps!r}")
        if self.frames is not None and self.frames < 2:
            raise ValueError(f"frames must be at least 2, got {self.frames}")
        if self.size is not None:
            size = (self.size, self.size) if isinstance(self.size, int) else tuple(self.size)
            object.__setattr__(self, "size", size)
        if min(self.size or (self.short_side,)) < _LEAST_PIXELS:
            raise ValueError(
                f"flow needs frames of at least {_LEAST_PIXELS} pixels, got size={self.size} and "
                f"short_side={self.short_side}"
            )

    def sampled(self, total_frames: int, video_fps: float) -> np.ndarray:
        """Numbers of the frames between which flow is taken, int64 ``[N]``, increasing."""
        if self.frames is not None:
            return np.unique(resize_frames(total_frames, self.frames))
        ratio = max(1.0, video_fps / self.fps)
        length = sampled_length(total_frames, ratio)
        return np.unique(window_frames(0, length, length, ratio, total_frames))

    def differences(self, other: "FlowSpec") -> list[str]:
        """In what two differ, in words: ``method (dis, here tvl1)``."""
        mine, theirs = asdict(self), asdict(other)
        return [
            f"{name} ({theirs[name]}, here {mine[name]})"
            for name in mine
            if mine[name] != theirs[name]
        ]

    def scaled(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the flow of frames of some size."""
        return self.size or short_side_size(height, width, self.short_side)


class _NoThreads:
    """Ends OpenCV's threads while the process forks; a child waits for them forever otherwise.

    A child goes on without: there, samples or videos are what runs in parallel.
    """

    def __init__(self) -> None:
        self._count = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._end, after_in_parent=self._restore)

    def _end(self) -> None:
        self._count = cv2.getNumThreads()
        cv2.setNumThreads(0)

    def _restore(self) -> None:
        cv2.setNumThreads(self._count)


_NO_THREADS = _NoThreads()


def make_method(name: str) -> Method:
    """A function from two grey pictures uint8 ``[H, W]`` to the flow float32 ``[H, W, 2]``, pixels.

    Raises:
        ValueError: If this OpenCV does not have it.
    """
    if name == "dis":
        return _bind(cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM))
    if name == "farneback":
        return lambda a, b: cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 3, 15, 3, 5, 1.2, 0)
    if name != "tvl1":
        raise ValueError(f"the method of flow is one of {METHODS}, got {name!r}")
    if not hasattr(cv2, "optflow"):
        raise ValueError(
            "this OpenCV has no TV-L1: it is in opencv-contrib-python, to be installed in place of "
            "opencv-python; or use the method dis or farneback"
        )
    return _bind(cv2.optflow.DualTVL1OpticalFlow_create())


def _bind(estimator: cv2.DenseOpticalFlow) -> Method:
    return lambda a, b: estimator.calc(a, b, None)


def quantize(flow: np.ndarray, bound: float) -> np.ndarray:
    """Displacements in pixels to uint8; an error of at most ``bound / 255`` within the bound."""
    scaled = (np.clip(flow, -bound, bound) + bound) * (255 / (2 * bound))
    return np.rint(scaled).astype(np.uint8)


def dequantize(values: np.ndarray, bound: float) -> np.ndarray:
    """Undo :func:`quantize`: uint8 to pixels, float32."""
    return values.astype(np.float32) * np.float32(2 * bound / 255) - np.float32(bound)


class VideoFlow:
    """Flow of a video, made when it is asked for.

    Args:
        reader: Open video.
        spec: How to make it.

    Attributes:
        frames: Number of the frame at which each flow field begins, int64 ``[N]``.
        height: Of the fields.
        width: Of the fields.
        video_frames: Frames of the video.
        video_fps: Its frames per second.
    """

    def __init__(self, reader: VideoReader, spec: FlowSpec):
        self.spec = spec
        self.video_frames, self.video_fps = len(reader), reader.fps
        self._reader = reader
        self._method = make_method(spec.method)
        self._sampled = spec.sampled(len(reader), reader.fps)
        self.frames = self._sampled[: max(1, len(self._sampled) - 1)]
        first = reader.read(self._sampled[:1])  # only a decoded frame tells the size
        self.height, self.width = spec.scaled(*first.shape[1:3])
        # The latest frame by its position: to read it once more, a video would be sought back.
        self._latest = {0: self._scale(first[0])}

    def read(self, positions: np.ndarray) -> np.ndarray:
        """Some fields, uint8 ``[n, H, W, 2]`` (x, y).

        Args:
            positions: Of the fields in ``frames``, increasing.

        Raises:
            VideoReadError: If a frame cannot be decoded.
        """
        last = len(self._sampled) - 1
        ends = np.minimum(positions + 1, last)
        needed = np.unique([positions, ends])
        new = np.setdiff1d(needed, list(self._latest))
        grey = self._latest | dict(zip(new.tolist(), self._grey(new), strict=True))
        self._latest = {int(needed[-1]): grey[needed[-1]]}
        fields = [self._method(grey[a], grey[b]) for a, b in zip(positions, ends, strict=True)]
        return quantize(np.stack(fields), self.spec.bound)

    def chunks(self) -> Iterator[np.ndarray]:
        """All fields, a few at a time: uint8 ``[n, H, W, 2]``."""
        positions = np.arange(len(self.frames))
        for start in range(0, len(positions), _CHUNK_FRAMES):
            yield self.read(positions[start : start + _CHUNK_FRAMES])

    def _grey(self, positions: np.ndarray) -> Iterator[np.ndarray]:
        for start in range(0, len(positions), _CHUNK_FRAMES):
            indices = self._sampled[positions[start : start + _CHUNK_FRAMES]]
            yield from map(self._scale, self._reader.read(indices))

    def _scale(self, frame: np.ndarray) -> np.ndarray:
        size = self.width, self.height
        scaled = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        return cv2.cvtColor(scaled, cv2.COLOR_RGB2GRAY)


def open_flow(path: str, spec: FlowSpec) -> VideoFlow:
    """Open a video for its flow; far larger frames are scaled while they are decoded.

    Raises:
        VideoReadError: If the file is no readable video.
    """
    return VideoFlow(VideoReader(path, spec.short_side or min(spec.size)), spec)


def nearest(frames: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Positions of the flow fields that begin nearest to some frames, the earlier of two."""
    after = np.searchsorted(frames, wanted).clip(0, len(frames) - 1)
    before = np.maximum(after - 1, 0)
    closer = np.abs(wanted - frames[before]) <= np.abs(frames[after] - wanted)
    return np.where(closer, before, after)
