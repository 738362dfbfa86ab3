"""Points of a temporal feature pyramid."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmtad.registry import TASK_UTILS

NO_END = 10000.0  # steps; the value of the public codes


@TASK_UTILS.register_module()
class PointGenerator:
    """One point per step and level, at ``t = i * stride`` without a half-cell offset.

    `ActionFormer <https://arxiv.org/abs/2202.07925>`_. A point of a level answers for
    actions whose farther boundary lies within the level's regression range.

    Args:
        strides: Steps of level 0 per step of each level; None doubles them from level to level,
            ``num_levels`` times.
        regression_ranges: Smallest and largest distance to a boundary per level, in steps of level
            0; None makes them (0, 4), (4, 8), (8, 16) and so on, the last one without an end.
        num_levels: Number of levels where no strides are given.
        overlapping: Make the ranges (0, 4), (2, 8), (4, 16) and so on, as on EPIC-Kitchens and
            Ego4D.

    Raises:
        ValueError: If there are not as many ranges as strides.
    """

    def __init__(
        self,
        strides: Sequence[int] | None = None,
        regression_ranges: Sequence[tuple[float, float]] | None = None,
        num_levels: int = 6,
        overlapping: bool = False,
    ) -> None:
        if strides is None:
            strides = [2**level for level in range(num_levels)]
        if regression_ranges is None:
            regression_ranges = _doubling_ranges(len(strides), overlapping)
        if len(strides) != len(regression_ranges):
            raise ValueError(
                f"every level needs a stride and a range, got {len(strides)} strides and "
                f"{len(regression_ranges)} regression ranges"
            )
        self.strides = tuple(strides)
        self.regression_ranges = tuple((float(low), float(high)) for low, high in regression_ranges)

    def __call__(
        self,
        lengths: Sequence[int],
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> list[Tensor]:
        """Make the points.

        Args:
            lengths: Steps T_l of each level.
            device: Where to make them.
            dtype: Floating type.

        Returns:
            L tensors ``[T_l, 4]``: position, smallest and largest distance, stride; all in steps of
            level 0.

        Raises:
            ValueError: If the number of levels differs from that of the strides.
        """
        if len(lengths) != len(self.strides):
            raise ValueError(
                f"the point generator has {len(self.strides)} strides but the features have "
                f"{len(lengths)} levels"
            )
        points = []
        for length, stride, bounds in zip(
            lengths, self.strides, self.regression_ranges, strict=True
        ):
            position = torch.arange(length, device=device, dtype=dtype) * stride
            constant = torch.tensor([*bounds, stride], device=device, dtype=dtype)
            points.append(torch.cat([position[:, None], constant.expand(length, 3)], dim=1))
        return points


def _doubling_ranges(num_levels: int, overlapping: bool) -> list[tuple[float, float]]:
    """Ranges whose upper ends double from level to level, from 4 steps to no end."""
    upper = [2.0 ** (level + 2) for level in range(num_levels)]
    lower = [0.0, *(end / (4 if overlapping else 2) for end in upper[1:])]
    return list(zip(lower, [*upper[:-1], NO_END], strict=True))
