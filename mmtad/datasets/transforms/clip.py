"""A clip of video with the operations that are still to be done on it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from .photometry import ColorOp, apply_photometry

FILL = (128, 128, 128)  # colour of what lies outside the frame


class FrameSource(Protocol):
    """Where the frames of a clip come from."""

    shape: tuple[int, int, int]
    """Number of frames, height and width."""

    def chunks(self) -> Iterator[np.ndarray]:
        """All frames in order, a few at a time: uint8 ``[n, H, W, 3]``, RGB."""


class ArrayFrames:
    """Frames that are in memory already, uint8 ``[T, H, W, 3]``."""

    def __init__(self, frames: np.ndarray):
        self.frames = frames
        self.shape = frames.shape[:3]

    def chunks(self) -> Iterator[np.ndarray]:
        """All frames at once; they are there."""
        yield self.frames


class Clip:
    """Frames with pending geometry and colour operations, all of them the same for every frame.

    Resizing, cropping, flipping and warping multiply into one matrix; frames are decoded a few at a
    time and resampled once, so no intermediate size is ever stored. Colour operations follow in
    their order, after the geometry. ``numpy.asarray(clip)`` does the work and gives uint8
    ``[T, H, W, 3]``; a transform that knows nothing of this class can use that.

    A warp shows what surrounds an earlier crop, as long as the frame has it, and grey beyond.

    Args:
        source: Frames, read in order.
        repeats: Which frame of the source each frame of the clip is, int ``[T]``; None for all in
            order. Repeated frames (padding) are worked on once.
    """

    channels = 3

    def __init__(self, source: FrameSource, repeats: np.ndarray | None = None):
        self._source = source
        self._repeats = repeats
        self._matrix = np.eye(3)  # pixel of this clip -> pixel of the source; corners, not centres
        self._colors: list[ColorOp] = []
        self.height, self.width = source.shape[1:3]

    @classmethod
    def of(cls, frames: "Clip | np.ndarray") -> "Clip":
        """Take a clip as it is and wrap an array."""
        if isinstance(frames, Clip):
            return frames
        frames = np.ascontiguousarray(frames)
        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
            raise ValueError(
                f"a clip is uint8 of shape [T, H, W, 3], got {frames.dtype} {frames.shape}"
            )
        return cls(ArrayFrames(frames))

    def __len__(self) -> int:
        return self._source.shape[0] if self._repeats is None else len(self._repeats)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(T, H, W, C)`` after all pending operations, C = 3 for RGB."""
        return len(self), self.height, self.width, self.channels

    def resize(self, height: int, width: int) -> None:
        """Scale to a size in pixels."""
        self._append(np.diag([self.width / width, self.height / height, 1.0]))
        self.height, self.width = height, width

    def crop(self, left: float, top: float, width: int, height: int) -> None:
        """Cut out a box, given in pixels of the clip as it is now."""
        self._append(np.array([[1, 0, left], [0, 1, top], [0, 0, 1]], dtype=np.float64))
        self.height, self.width = height, width

    def flip(self) -> None:
        """Mirror left and right."""
        self._append(np.array([[-1, 0, self.width], [0, 1, 0], [0, 0, 1]], dtype=np.float64))

    def warp(self, linear: np.ndarray, shift: Sequence[float] = (0.0, 0.0)) -> None:
        """Move pixels affinely about the centre, the size stays.

        Args:
            linear: ``[2, 2]``; offset from the centre in the result -> offset in the clip as it is.
            shift: Pixels (x, y) to add to the latter.
        """
        center = np.array([self.width / 2, self.height / 2])
        matrix = np.eye(3)
        matrix[:2, :2] = linear
        matrix[:2, 2] = center + np.asarray(shift) - matrix[:2, :2] @ center
        self._append(matrix)

    def color(self, op: ColorOp) -> None:
        """Add a colour operation."""
        self._colors.append(op)

    def numpy(self) -> np.ndarray:
        """Do everything that is pending; uint8 ``[T, H, W, 3]``, RGB, contiguous.

        Raises:
            VideoReadError: If the frames come from a file and cannot be decoded.
        """
        frames = self._settle()
        return frames if self._repeats is None else frames[self._repeats]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        frames = self.numpy()
        return frames if dtype is None else frames.astype(dtype, copy=False)

    def _append(self, matrix: np.ndarray) -> None:
        self._matrix = self._matrix @ matrix

    def _settle(self) -> np.ndarray:
        count, *size = self._source.shape
        still = np.array_equal(self._matrix, np.eye(3)) and size == [self.height, self.width]
        if isinstance(self._source, ArrayFrames) and still and not self._colors:
            return self._source.frames
        frames = np.empty((count, *self.shape[1:]), dtype=np.uint8)
        resample = make_resampler(self._matrix, tuple(size), (self.height, self.width))
        for frame, out in zip(_frames(self._source), frames, strict=True):
            resample(frame, out)
        apply_photometry(frames, self._colors)
        self._replace(frames)
        return frames

    def _replace(self, frames: np.ndarray) -> None:
        """Go on from frames on which everything is done."""
        self._source, self._matrix, self._colors = ArrayFrames(frames), np.eye(3), []


def make_resampler(
    matrix: np.ndarray, source: tuple[int, int], target: tuple[int, int]
) -> Callable[[np.ndarray, np.ndarray], None]:
    """Make the function that brings one frame into another geometry.

    Without rotation or shear that is a crop to whole pixels (off by at most half a pixel), a resize
    and a flip, several times faster than the general bilinear warp.

    Args:
        matrix: ``[3, 3]``, coordinates in the target -> coordinates in the source, where pixel i
            reaches from i to i + 1.
        source: Height and width.
        target: Height and width.

    Returns:
        ``function(frame, out)``, filling ``out``.
    """
    if abs(matrix[0, 1]) < 1e-9 and abs(matrix[1, 0]) < 1e-9:
        columns = _Span.of(matrix[0, 0], matrix[0, 2], source[1], target[1])
        rows = _Span.of(matrix[1, 1], matrix[1, 2], source[0], target[0])
        return _crop_resampler(rows, columns, target)
    rows, columns = np.mgrid[: target[0], : target[1]] + 0.5
    points = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ matrix[:2].T - 0.5
    maps = cv2.convertMaps(*np.moveaxis(points.astype(np.float32), -1, 0).copy(), cv2.CV_16SC2)

    def warp(frame: np.ndarray, out: np.ndarray) -> None:
        cv2.remap(
            frame, *maps, cv2.INTER_LINEAR, out, borderMode=cv2.BORDER_CONSTANT, borderValue=FILL
        )

    return warp


@dataclass(frozen=True)
class _Span:
    """Along one axis: pixels ``source`` of a frame fill pixels ``target`` of the result."""

    source: slice
    target: slice
    mirrored: bool

    @classmethod
    def of(cls, scale: float, offset: float, source: int, target: int) -> "_Span":
        begin, end = sorted((offset, offset + scale * target))
        first, last = max(0, round(begin)), min(source, round(end))
        if first >= last:  # nothing of the frame is in sight
            return cls(slice(0, 0), slice(0, 0), scale < 0)
        pixel = abs(scale)
        left = 0 if first <= begin + 0.5 else round((first - begin) / pixel)
        right = target if last >= end - 0.5 else round((last - begin) / pixel)
        return cls(slice(first, last), slice(left, max(right, left)), scale < 0)

    @property
    def lengths(self) -> tuple[int, int]:
        return self.source.stop - self.source.start, self.target.stop - self.target.start


def _crop_resampler(
    rows: _Span, columns: _Span, size: tuple[int, int]
) -> Callable[[np.ndarray, np.ndarray], None]:
    (source_height, height), (source_width, width) = rows.lengths, columns.lengths
    shrinks = source_height >= 2 * height and source_width >= 2 * width
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    flip_code = {(1, 0): 1, (0, 1): 0, (1, 1): -1}.get((columns.mirrored, rows.mirrored))

    def crop(frame: np.ndarray, out: np.ndarray) -> None:
        if (height, width) != size:
            out[:] = FILL[: out.shape[-1]]
        cut, place = frame[rows.source, columns.source], out[rows.target, columns.target]
        if (height, width) == (source_height, source_width):
            place[:] = cut
        elif height and width:
            cv2.resize(cut, (width, height), dst=place, interpolation=interpolation)
        if flip_code is not None:
            cv2.flip(out, flip_code, dst=out)

    return crop


def _frames(source: FrameSource) -> Iterator[np.ndarray]:
    for chunk in source.chunks():
        yield from chunk
