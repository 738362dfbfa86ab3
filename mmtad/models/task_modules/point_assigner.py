"""Which point learns which action."""

import torch
from torch import Tensor

from mmtad.registry import TASK_UTILS


@TASK_UTILS.register_module()
class PointAssigner:
    """Centre sampling with regression ranges; the shortest action wins a contested point.

    A point is positive for an action if it lies strictly inside the action and within ``radius``
    strides of its centre, and its distance to the farther boundary lies in the range of its level.
    `ActionFormer <https://arxiv.org/abs/2202.07925>`_, after `FCOS
    <https://arxiv.org/abs/1904.01355>`_.

    Args:
        radius: Radius of centre sampling in strides of the level; None takes the whole action.
        similar_length: Actions within this many steps of the shortest also give their class to the
            point (THUMOS14 labels a dive as Diving and CliffDiving). None lets every matching
            action give its class (OpenTAD on Ego4D).

    Raises:
        ValueError: If the radius is not positive.
    """

    def __init__(self, radius: float | None = 1.5, similar_length: float | None = 1e-3) -> None:
        if radius is not None and radius <= 0:
            raise ValueError(f"the radius of centre sampling must be positive, got {radius}")
        self.radius = radius
        self.similar_length = similar_length

    def __call__(
        self, points: Tensor, segments: Tensor, labels: Tensor, num_classes: int
    ) -> tuple[Tensor, Tensor]:
        """Assign the actions of one sample.

        Args:
            points: ``[S, 4]``: position, smallest and largest distance, stride, in steps.
            segments: ``[N, 2]`` start and end in steps; N may be 0.
            labels: int64 ``[N]`` in [0, K).
            num_classes: K.

        Returns:
            Classes ``[S, K]`` (multi-hot; all zero = background) and distances to start and end of
            the chosen action over the stride ``[S, 2]`` (zero for background).
        """
        classes = points.new_zeros(len(points), num_classes)
        if len(segments) == 0:
            return classes, points.new_zeros(len(points), 2)
        segments = segments.to(points)
        position, low, high, stride = points[:, None].unbind(-1)
        distances = torch.stack([position - segments[:, 0], segments[:, 1] - position], dim=-1)
        inner = distances
        if self.radius is not None:
            center = segments.mean(-1)
            reach = self.radius * stride
            inner = torch.stack(
                [
                    position - torch.maximum(center - reach, segments[:, 0]),
                    torch.minimum(center + reach, segments[:, 1]) - position,
                ],
                dim=-1,
            )
        farther = distances.amax(-1)
        matched = (inner.amin(-1) > 0) & (farther >= low) & (farther <= high)
        lengths = (segments[:, 1] - segments[:, 0]).expand(matched.shape)
        shortest, chosen = lengths.masked_fill(~matched, float("inf")).min(dim=1)
        if self.similar_length is None:
            gives_class = matched
        else:
            gives_class = matched & (lengths <= shortest[:, None] + self.similar_length)
        classes.scatter_add_(
            1, labels.to(points.device).expand(matched.shape), gives_class.to(points)
        )
        offsets = distances[torch.arange(len(points), device=points.device), chosen] / stride
        return classes.clamp_(max=1), offsets * matched.any(1, keepdim=True)
