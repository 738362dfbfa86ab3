"""Pieces that point-based heads share."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..layers import MaskedConvUnit, PyramidPreset


class AnchorFreeOutputs(NamedTuple):
    """Raw outputs of a point-based head, one entry per level; padded steps hold zeros.

    Attributes:
        class_logits: L tensors ``[B, K, T_l]``.
        offsets: L tensors ``[B, 2, T_l]``, distances to start and end over the stride of the level,
            >= 0.
    """

    class_logits: list[Tensor]
    offsets: list[Tensor]


class ConvTower(nn.Module):
    """A stack of :class:`~mmtad.models.layers.MaskedConvUnit`, shared by all levels.

    Args:
        in_channels: Channels of the input.
        channels: Channels of every unit.
        num_convs: Number of units.
        kernel_size: Odd kernel of the convolutions.
        preset: Behaviour at padded steps and epsilon of the norms.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        num_convs: int,
        kernel_size: int,
        preset: PyramidPreset,
    ) -> None:
        super().__init__()
        self.units = nn.ModuleList(
            MaskedConvUnit(
                channels if i else in_channels,
                channels,
                kernel_size,
                remask=preset.remask_activations,
                eps=preset.norm_eps,
            )
            for i in range(num_convs)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Apply the units.

        Args:
            x: ``[B, C_in, T]``.
            mask: Bool ``[B, T]``, True = valid.

        Returns:
            ``[B, C, T]``.
        """
        for unit in self.units:
            x = unit(x, mask)
        return x


def init_class_prior(
    bias: Tensor, prior: float, empty_classes: Sequence[int] = (), empty_prior: float = 1e-6
) -> None:
    """Set the bias of a classifier so that every class starts with a small probability.

    `Focal Loss for Dense Object Detection <https://arxiv.org/abs/1708.02002>`_, section 4.1.

    Args:
        bias: ``[K]``, changed in place.
        prior: Probability to start with, in (0, 1).
        empty_classes: Classes without a training instance.
        empty_prior: Probability that those start with.

    Raises:
        ValueError: If a probability is not between 0 and 1.
    """
    for name, value in (("prior", prior), ("empty_prior", empty_prior)):
        if not 0 < value < 1:
            raise ValueError(f"{name} is a probability between 0 and 1, got {value}")
    nn.init.constant_(bias, -math.log((1 - prior) / prior))
    with torch.no_grad():
        bias[list(empty_classes)] = -math.log((1 - empty_prior) / empty_prior)


def concat_levels(levels: Sequence[Tensor]) -> Tensor:
    """Join levels ``[B, C, T_l]`` to ``[B, S, C]``, S = sum of T_l, in at least float32."""
    joined = torch.cat(list(levels), dim=-1).transpose(1, 2)
    return joined if joined.dtype == torch.float64 else joined.float()


def decode_offsets(points: Tensor, offsets: Tensor) -> Tensor:
    """Turn distances into segments: ``t - l * stride, t + r * stride``.

    Args:
        points: ``[S, 4]``: position, smallest and largest distance, stride, in steps.
        offsets: ``[..., S, 2]`` distances over the stride.

    Returns:
        ``[..., S, 2]`` start and end in steps.
    """
    sign = offsets.new_tensor([-1.0, 1.0])
    return points[:, :1] + offsets * points[:, 3:] * sign


def select_candidates(
    segments: Tensor | Callable[[Tensor, Tensor], Tensor],
    scores: Tensor,
    score_threshold: float,
    topk: int,
    min_duration: float,
) -> InstanceData:
    """Keep the best (point, class) pairs of one sample.

    Args:
        segments: ``[S, 2]`` in steps; or, where they depend on the class, a function from the
            chosen points ``[N]`` and their classes ``[N]`` to ``[N, 2]``.
        scores: ``[S, K]`` probabilities.
        score_threshold: Pairs must score above this.
        topk: At most this many pairs are kept.
        min_duration: Of those, segments must be longer than this, in steps. Negative keeps all.

    Returns:
        ``segments`` ``[N, 2]`` in steps, ``scores`` ``[N]`` in falling order, ``labels`` int64
        ``[N]``.
    """
    num_classes = scores.shape[1]
    flat = scores.flatten()
    pairs = (flat > score_threshold).nonzero().squeeze(1)
    best, order = flat[pairs].sort(descending=True, stable=True)
    pairs = pairs[order[:topk]]
    best = best[:topk]
    points, labels = pairs // num_classes, pairs % num_classes
    chosen = segments(points, labels) if callable(segments) else segments[points]
    keep = chosen[:, 1] - chosen[:, 0] > min_duration
    return InstanceData(segments=chosen[keep], scores=best[keep], labels=labels[keep])
