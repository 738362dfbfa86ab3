"""Points of a temporal feature pyramid."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmtad.registry import TASK_UTILS


@TASK_UTILS.register_module()
class PointGenerator:
    """One point per step and level, at ``t = i * stride`` without a half-cell offset.

    `ActionFormer <https://arxiv.org/abs/2202.07925>`_. A point of a level answers for
    actions whose farther boundary lies within the level's regression range.

    Args:
        strides: Steps of level 0 per step of each level.
        regression_ranges: Smallest and largest distance to a boundary per level, in steps of level
            0.

    Raises:
        ValueError: If there are not as many ranges as strides.
    """

    def __init__(
        self,
        strides: Sequence[int] = (1, 2, 4, 8, 16, 32),
        regression_ranges: Sequence[tuple[float, float]] = (
            (0, 4),
            (4, 8),
            (8, 16),
            (16, 32),
            (32, 64),
            (64, 10000),
        ),
    ) -> None:
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
