"""Changes of colour, applied to a whole clip at once.

Most changes are affine in RGB, so a chain of them is one 3x4 matrix and costs one pass over the
clip. Whatever depends on the content takes it from the whole clip: identical frames stay identical.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

LUMA = np.array([0.299, 0.587, 0.114])
_RGB_TO_YIQ = np.array([LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_STATISTICS_FRAMES = 16  # mean and histogram of a clip are taken from about this many frames


@dataclass(frozen=True)
class ColorMatrix:
    """Affine change of colour.

    ``build`` makes [3, 4] from the mean colour [3] of the clip or, if ``from_histogram``, from its
    histogram [3, 256].
    """

    build: Callable[[np.ndarray], np.ndarray]
    from_histogram: bool = False


@dataclass(frozen=True)
class LookUp:
    """Change per value; ``build`` makes uint8 [256] or [256, 3] from the histogram [3, 256]."""

    build: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Sharpen:
    """Blend of every frame with a smoothed copy of it."""

    factor: float

    def apply(self, frame: np.ndarray) -> None:
        """Change uint8 ``[H, W, 3]`` in place."""
        # PIL smooths with the weights (1 1 1; 1 5 1; 1 1 1) / 13: a box of 9 / 13, centre 4 / 13.
        box = (1 - self.factor) * 9 / 13
        cv2.addWeighted(frame, 1 - box, cv2.boxFilter(frame, -1, (3, 3)), box, 0, dst=frame)


ColorOp = ColorMatrix | LookUp | Sharpen


def brightness(factor: float) -> ColorMatrix:
    """Scale all values; 1 changes nothing, 0 is black."""
    return ColorMatrix(lambda mean: _affine(np.eye(3) * factor))


def contrast(factor: float) -> ColorMatrix:
    """Move away from the mean grey of the clip; 1 changes nothing, 0 is grey."""
    return ColorMatrix(
        lambda mean: _affine(np.eye(3) * factor, np.full(3, (1 - factor) * (LUMA @ mean)))
    )


def saturation(factor: float) -> ColorMatrix:
    """Move away from the grey of each pixel; 1 changes nothing, 0 is grey."""
    return ColorMatrix(lambda mean: _affine(np.eye(3) * factor + (1 - factor) * LUMA[None]))


def hue(turn: float) -> ColorMatrix:
    """Rotate the hue by ``turn`` full circles; brightness (Y of YIQ) stays."""
    cos, sin = np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)
    rotation = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    matrix = np.linalg.solve(_RGB_TO_YIQ, rotation @ _RGB_TO_YIQ)
    return ColorMatrix(lambda mean: _affine(matrix))


def invert() -> ColorMatrix:
    """Replace every value by 255 minus it."""
    return ColorMatrix(lambda mean: _affine(-np.eye(3), np.full(3, 255.0)))


def posterize(bits: int) -> LookUp:
    """Keep only the highest ``bits`` bits of every value."""
    table = np.arange(256, dtype=np.uint8) & np.uint8((0xFF << (8 - bits)) & 0xFF)
    return LookUp(lambda histogram: table)


def solarize(threshold: float) -> LookUp:
    """Invert the values from ``threshold`` (0 to 256) up."""
    values = np.arange(256)
    table = np.where(values < threshold, values, 255 - values).astype(np.uint8)
    return LookUp(lambda histogram: table)


def autocontrast() -> ColorMatrix:
    """Stretch each channel to the full range."""

    def build(histogram: np.ndarray) -> np.ndarray:
        scale, bias = np.ones(3), np.zeros(3)
        for index, channel in enumerate(histogram):
            used = np.flatnonzero(channel)
            low, high = int(used[0]), int(used[-1])
            if high > low:
                scale[index] = 255 / (high - low)
                bias[index] = -low * scale[index]
        return _affine(np.diag(scale), bias)

    return ColorMatrix(build, from_histogram=True)


def equalize() -> LookUp:
    """Spread the values of each channel evenly over the range."""

    def build(histogram: np.ndarray) -> np.ndarray:
        columns = []
        for channel in histogram:
            below = np.cumsum(channel) - channel[np.flatnonzero(channel)[0]]
            total = below[-1]
            columns.append(below * 255 / total if total > 0 else np.arange(256.0))
        return _to_uint8(np.stack(columns, axis=-1))

    return LookUp(build)


def sharpness(factor: float) -> Sharpen:
    """Move away from a smoothed copy of each frame; 1 changes nothing, 0 is smooth."""
    return Sharpen(factor)


def apply_photometry(frames: np.ndarray, ops: Sequence[ColorOp]) -> np.ndarray:
    """Change the colours of a clip in place.

    Consecutive matrices become one, without rounding or clipping between them.

    Args:
        frames: uint8 ``[T, H, W, 3]``, RGB, contiguous.
        ops: Changes in their order.

    Returns:
        ``frames``.
    """
    if not ops or not frames.size:
        return frames
    flat = frames.reshape(-1, frames.shape[2], 3)
    matrix, mean = np.eye(4), None
    for op in ops:
        if isinstance(op, ColorMatrix) and not op.from_histogram:
            mean = _mean(_histogram(frames)) if mean is None else mean
            step = _square(op.build(mean))
            matrix, mean = step @ matrix, np.clip(step[:3, :3] @ mean + step[:3, 3], 0, 255)
            continue
        _multiply(flat, matrix)
        matrix, mean = np.eye(4), None
        if isinstance(op, ColorMatrix):
            _multiply(flat, _square(op.build(_histogram(frames))))
        elif isinstance(op, LookUp):
            table = op.build(_histogram(frames))
            cv2.LUT(flat, table if table.ndim == 1 else table[None], dst=flat)
        else:
            for frame in frames:
                op.apply(frame)
    _multiply(flat, matrix)
    return frames


def _affine(linear: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    return np.concatenate([linear, np.zeros((3, 1)) if bias is None else bias[:, None]], axis=1)


def _square(matrix: np.ndarray) -> np.ndarray:
    return np.concatenate([matrix, [[0.0, 0.0, 0.0, 1.0]]])


def _multiply(flat: np.ndarray, matrix: np.ndarray) -> None:
    if not np.allclose(matrix, np.eye(4), atol=1e-7):
        cv2.transform(flat, matrix[:3].astype(np.float32), dst=flat)


def _histogram(frames: np.ndarray) -> np.ndarray:
    """Counts ``[3, 256]`` of a clip, from evenly spaced frames."""
    sample = frames[:: -(-len(frames) // _STATISTICS_FRAMES)].reshape(-1, frames.shape[2], 3)
    counts = [cv2.calcHist([sample], [c], None, [256], [0, 256]).ravel() for c in range(3)]
    return np.stack(counts).astype(np.float64)


def _mean(histogram: np.ndarray) -> np.ndarray:
    return histogram @ np.arange(256) / histogram.sum(axis=1)


def _to_uint8(table: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.clip(np.rint(table), 0, 255).astype(np.uint8))
