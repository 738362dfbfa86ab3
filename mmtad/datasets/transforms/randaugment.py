"""RandAugment on clips."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...registry import TRANSFORMS
from . import photometry
from .base import Transform
from .clip import Clip

Operation = Callable[[Clip, float, float], None]  # clip, strength in [0, 1], sign -1 or 1


def _shear(axis: int) -> Operation:
    def apply(clip: Clip, strength: float, sign: float) -> None:
        linear = np.eye(2)
        linear[axis, 1 - axis] = sign * 0.3 * strength
        clip.warp(linear)

    return apply


def _translate(axis: int) -> Operation:
    def apply(clip: Clip, strength: float, sign: float) -> None:
        shift = [0.0, 0.0]
        shift[axis] = round(sign * 0.2 * strength * (clip.width, clip.height)[axis])
        clip.warp(np.eye(2), shift)

    return apply


def _rotate(clip: Clip, strength: float, sign: float) -> None:
    angle = math.radians(sign * 30 * strength)
    cos, sin = math.cos(angle), math.sin(angle)
    clip.warp(np.array([[cos, sin], [-sin, cos]]))


def _enhance(make: Callable[[float], photometry.ColorOp]) -> Operation:
    return lambda clip, strength, sign: clip.color(make(1 + sign * 0.9 * strength))


def _identity(clip: Clip, strength: float, sign: float) -> None:
    """Leave the clip as it is."""


OPERATIONS: dict[str, Operation] = {
    "identity": _identity,
    "shear_x": _shear(0),
    "shear_y": _shear(1),
    "translate_x": _translate(0),
    "translate_y": _translate(1),
    "rotate": _rotate,
    "brightness": _enhance(photometry.brightness),
    "color": _enhance(photometry.saturation),
    "contrast": _enhance(photometry.contrast),
    "sharpness": _enhance(photometry.sharpness),
    "posterize": lambda clip, strength, sign: clip.color(
        photometry.posterize(8 - round(4 * strength))
    ),
    "solarize": lambda clip, strength, sign: clip.color(photometry.solarize(256 - 128 * strength)),
    "autocontrast": lambda clip, strength, sign: clip.color(photometry.autocontrast()),
    "equalize": lambda clip, strength, sign: clip.color(photometry.equalize()),
}


@TRANSFORMS.register_module()
class RandAugment(Transform):
    """`RandAugment <https://arxiv.org/abs/1909.13719>`_ with one draw per clip.

    ``num_ops`` different operations are drawn for the clip and applied to all of its frames with
    the same strength and sign; statistics (equalize, autocontrast, contrast) are those of the whole
    clip. Geometry is merged with the crop before it, see :class:`Clip`.

    At strength 1 (``magnitude`` 10): shear 0.3, translation 0.2 of the side, rotation 30 degrees,
    brightness, color, contrast and sharpness times 1 +- 0.9, posterize to 4 bits, solarize from
    value 128 up. Strength grows linearly from no effect at 0.

    Args:
        num_ops: Operations per clip.
        magnitude: 0 to 10. Defaults to 9, with 2 operations as in MMAction2's default.
        magnitude_std: Standard deviation of a normal draw added to the magnitude of each operation.
        prob: Probability that a drawn operation is applied.
        operations: Names to draw from. Defaults to all of ``OPERATIONS``.

    Raises:
        ValueError: If an operation is unknown or a number out of range.
    """

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: float = 9,
        magnitude_std: float = 0.0,
        prob: float = 1.0,
        operations: Sequence[str] | None = None,
    ):
        names = list(OPERATIONS) if operations is None else list(operations)
        unknown = [name for name in names if name not in OPERATIONS]
        if unknown:
            raise ValueError(f"unknown operations {unknown}; RandAugment has {list(OPERATIONS)}")
        if not 0 <= magnitude <= 10 or magnitude_std < 0 or not 0 <= prob <= 1:
            raise ValueError(
                "magnitude lies in [0, 10], magnitude_std is not negative and prob lies in [0, 1], "
                f"got {magnitude}, {magnitude_std} and {prob}"
            )
        if not 0 <= num_ops <= len(names):
            raise ValueError(f"num_ops must lie between 0 and {len(names)}, got {num_ops}")
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.magnitude_std = magnitude_std
        self.prob = prob
        self.operations = names

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``frames``."""
        clip = results["frames"] = Clip.of(results["frames"])
        rng = results["rng"]
        for name in rng.choice(self.operations, size=self.num_ops, replace=False):
            apply, sign = rng.random() < self.prob, float(rng.choice([-1, 1]))
            magnitude = self.magnitude + self.magnitude_std * rng.standard_normal()
            if apply:
                OPERATIONS[str(name)](clip, float(np.clip(magnitude, 0, 10)) / 10, sign)
        return results
