"""Geometry of a clip: resize, crop, flip; one draw per clip, resampled once and later."""

import math
from typing import Any

import numpy as np

from ...registry import TRANSFORMS
from .base import Transform
from .clip import Clip


@TRANSFORMS.register_module()
class ResizeClip(Transform):
    """Scale the frames.

    Args:
        short_side: Pixels of the shorter side; the aspect ratio stays.
        size: (height, width) instead, or one number for both; the aspect ratio may change.

    Raises:
        ValueError: If not exactly one of the two is given.
    """

    def __init__(self, short_side: int | None = None, size: int | tuple[int, int] | None = None):
        if (short_side is None) == (size is None):
            raise ValueError(
                f"give short_side or size, not both, got short_side={short_side} and size={size}"
            )
        self.short_side = short_side
        self.size = None if size is None else as_size(size)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``frames``."""
        clip = results["frames"] = Clip.of(results["frames"])
        clip.resize(*(self.size or short_side_size(clip.height, clip.width, self.short_side)))
        return results


@TRANSFORMS.register_module()
class RandomResizedCrop(Transform):
    """Cut out a box of random area and aspect ratio and scale it to ``size``.

    As in the Inception training; the same box for all frames of the clip.

    Args:
        size: (height, width) of the result, or one number for both.
        area_range: Share of the frame's area.
        aspect_range: Width over height of the box.
        trials: Draws before the largest centred box of a fitting aspect ratio is taken.
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        area_range: tuple[float, float] = (0.08, 1.0),
        aspect_range: tuple[float, float] = (3 / 4, 4 / 3),
        trials: int = 10,
    ):
        self.size = as_size(size)
        self.area_range = check_range("area_range", area_range, 0, 1)
        self.aspect_range = check_range("aspect_range", aspect_range, 0, math.inf)
        self.trials = trials

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``frames``."""
        clip = results["frames"] = Clip.of(results["frames"])
        clip.crop(*self.draw_box(clip.height, clip.width, results["rng"]))
        clip.resize(*self.size)
        return results

    def draw_box(
        self, height: int, width: int, rng: np.random.Generator
    ) -> tuple[int, int, int, int]:
        """Draw left, top, width and height of a box inside a frame, in pixels."""
        low, high = self.aspect_range
        for _ in range(self.trials):
            area = height * width * rng.uniform(*self.area_range)
            aspect = math.exp(rng.uniform(math.log(low), math.log(high)))
            box_width = round(math.sqrt(area * aspect))
            box_height = round(math.sqrt(area / aspect))
            if 0 < box_width <= width and 0 < box_height <= height:
                left = int(rng.integers(0, width - box_width, endpoint=True))
                top = int(rng.integers(0, height - box_height, endpoint=True))
                return left, top, box_width, box_height
        aspect = min(max(width / height, low), high)
        box_width = min(width, max(1, round(height * aspect)))
        box_height = min(height, max(1, round(width / aspect)))
        return (width - box_width) // 2, (height - box_height) // 2, box_width, box_height


@TRANSFORMS.register_module()
class RandomCrop(Transform):
    """Cut out a box at a random place, the same for all frames of the clip.

    Args:
        size: (height, width) of the box, or one number for both.

    Raises:
        ValueError: If a frame is smaller than the box.
    """

    def __init__(self, size: int | tuple[int, int]):
        self.size = as_size(size)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``frames``."""
        clip = results["frames"] = Clip.of(results["frames"])
        free_height, free_width = room(clip, self.size, results)
        rng = results["rng"]
        left = int(rng.integers(0, free_width, endpoint=True))
        top = int(rng.integers(0, free_height, endpoint=True))
        clip.crop(left, top, self.size[1], self.size[0])
        return results


@TRANSFORMS.register_module()
class CenterCrop(Transform):
    """Cut out the centre of the frames.

    Args:
        size: (height, width) of the box, or one number for both.

    Raises:
        ValueError: If a frame is smaller than the box.
    """

    def __init__(self, size: int | tuple[int, int]):
        self.size = as_size(size)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``frames``."""
        clip = results["frames"] = Clip.of(results["frames"])
        free_height, free_width = room(clip, self.size, results)
        clip.crop(free_width // 2, free_height // 2, self.size[1], self.size[0])
        return results


@TRANSFORMS.register_module()
class Flip(Transform):
    """Mirror the clip left and right.

    Args:
        prob: Probability of doing it.
    """

    def __init__(self, prob: float = 0.5):
        if not 0 <= prob <= 1:
            raise ValueError(f"prob is a probability from 0 to 1, got {prob}")
        self.prob = prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``frames``."""
        clip = results["frames"] = Clip.of(results["frames"])
        if results["rng"].random() < self.prob:
            clip.flip()
        return results


@TRANSFORMS.register_module()
class RandomRotation(Transform):
    """Turn the clip about its centre by one random angle.

    Corners show what surrounds an earlier crop, see :class:`Clip`.

    Args:
        degrees: Largest angle, to either side.
        prob: Probability of doing it.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, degrees: float = 45, prob: float = 0.5):
        if not 0 <= degrees <= 180 or not 0 <= prob <= 1:
            raise ValueError(
                f"degrees lie in [0, 180] and prob in [0, 1], got {degrees} and {prob}"
            )
        self.degrees = degrees
        self.prob = prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``frames``."""
        clip = results["frames"] = Clip.of(results["frames"])
        rng = results["rng"]
        angle = math.radians(rng.uniform(-self.degrees, self.degrees))
        if rng.random() < self.prob:
            cos, sin = math.cos(angle), math.sin(angle)
            clip.warp(np.array([[cos, sin], [-sin, cos]]))
        return results


def as_size(size: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width) of a config's ``size``.

    Raises:
        ValueError: If it is not one positive integer or two.
    """
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or not all(isinstance(value, int) and value > 0 for value in pair):
        raise ValueError(
            f"a size is (height, width) or one number, in whole pixels above 0, got {size!r}"
        )
    return pair


def room(clip: Clip, size: tuple[int, int], results: dict[str, Any]) -> tuple[int, int]:
    """Pixels in height and width that a frame has more than a box.

    Raises:
        ValueError: If it has less; it names the video.
    """
    height, width = size
    if height > clip.height or width > clip.width:
        raise ValueError(
            f"cannot crop {height}x{width} from frames of {clip.height}x{clip.width} (height x "
            f"width) of video {results.get('video_id')!r}; open it with short_side >= "
            f"{max(height, width)}"
        )
    return clip.height - height, clip.width - width


def short_side_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width of a frame after scaling its shorter side to ``short_side``."""
    scale = short_side / min(height, width)
    if height <= width:
        return short_side, max(short_side, round(width * scale))
    return max(short_side, round(height * scale)), short_side


def check_range(
    name: str, values: tuple[float, float], low: float, high: float
) -> tuple[float, float]:
    """Check that ``low < values[0] <= values[1] <= high``.

    Raises:
        ValueError: If not; it names the argument.
    """
    if len(values) != 2 or not low < values[0] <= values[1] <= high:
        raise ValueError(
            f"{name} is a range (low, high) above {low} and up to {high}, got {values!r}"
        )
    return float(values[0]), float(values[1])
