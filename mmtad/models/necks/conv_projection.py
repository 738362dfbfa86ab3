"""Projections and necks of one level: BMN, G-TAD and detectors with queries."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmtad.registry import MODELS

from ..layers import (
    GCNeXt,
    MaskedConv1d,
    MaskedGroupNorm,
    fill_padding,
    resolve_preset,
    zero_padding,
)


@MODELS.register_module()
class ConvProjection(BaseModule):
    """Convolutions at full length: the base of `BMN <https://arxiv.org/abs/1907.09702>`_.

    With one of kernel 1, without activation and with a norm, the input projection of TadTR.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels C of the output.
        num_convs: Number of convolutions (BMN 2, G-TAD 1).
        kernel_size: Odd kernel.
        groups: Groups of each convolution.
        input_dropout: Chance that a whole input channel is dropped.
        activation: ReLU after every convolution.
        norm_groups: Groups of a group norm after every convolution; None for no norm.
        isolate_padding: Outputs of padded steps are zero, and a norm takes its statistics from the
            valid steps of each sample. Public codes treat padded steps as the others.
        init_cfg: MMEngine initialisation config; ``dict(type="Xavier", layer="Conv1d",
            distribution="uniform")`` for BMN.

    Raises:
        ValueError: If there is no convolution or the groups do not divide the channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 256,
        num_convs: int = 2,
        kernel_size: int = 3,
        groups: int = 4,
        input_dropout: float = 0.0,
        activation: bool = True,
        norm_groups: int | None = None,
        isolate_padding: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if num_convs < 1:
            raise ValueError(f"the projection needs at least one convolution, got {num_convs}")
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{in_channels} and {out_channels} channels must be multiples of groups={groups}"
            )
        if norm_groups is not None and (norm_groups < 1 or out_channels % norm_groups):
            raise ValueError(f"norm_groups={norm_groups} must divide {out_channels} channels")
        self.input_dropout = nn.Dropout1d(input_dropout)
        self.activation = activation
        self.isolate_padding = isolate_padding
        self.convs = nn.ModuleList(
            MaskedConv1d(
                out_channels if i else in_channels, out_channels, kernel_size, groups=groups
            )
            for i in range(num_convs)
        )
        self.norms = nn.ModuleList(
            MaskedGroupNorm(norm_groups, out_channels)
            for _ in range(num_convs if norm_groups else 0)
        )

    def forward(self, x: Tensor, mask: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Convolve.

        Args:
            x: Features ``[B, C_in, T]``; padded steps may hold anything.
            mask: Bool ``[B, T]``, True = valid.

        Returns:
            One level: ``[B, C, T]``, zero at padded steps unless these are not isolated, and the
            mask.
        """
        x = self.input_dropout(fill_padding(x, mask))
        seen = mask if self.isolate_padding else torch.ones_like(mask)
        for index, conv in enumerate(self.convs):
            x = conv(x, seen)
            if self.norms:
                x = zero_padding(self.norms[index](x, seen), seen)
            x = F.relu(x) if self.activation else x
        return [x], [mask]


@MODELS.register_module()
class GCNeXtNeck(BaseModule):
    """A :class:`~mmtad.models.layers.GCNeXt` block per level, the second stage of G-TAD.

    Args:
        channels: Channels C of every level.
        num_levels: Levels L.
        k: Neighbours in feature space.
        groups: Groups of the middle convolutions.
        preset: See :func:`~mmtad.models.layers.resolve_preset`. In the public code padded steps, as
            zeros, may be neighbours; in ours not.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(
        self,
        channels: int = 256,
        num_levels: int = 1,
        k: int = 3,
        groups: int = 32,
        preset: str = "padding_free",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        isolate = resolve_preset(preset).isolate_padding
        self.blocks = nn.ModuleList(
            GCNeXt(channels, k, groups, isolate_padding=isolate) for _ in range(num_levels)
        )

    def forward(
        self, features: Sequence[Tensor], masks: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Apply the blocks.

        Args:
            features: L tensors ``[B, C, T_l]``, zero at padded steps.
            masks: L bool tensors ``[B, T_l]``, True = valid.

        Returns:
            Features, zero at padded steps, and masks of the same shapes.

        Raises:
            ValueError: If the number of levels is not that of the constructor.
        """
        if len(features) != len(self.blocks):
            raise ValueError(
                f"the neck was built for {len(self.blocks)} levels, got {len(features)}"
            )
        outs = [block(x, mask) for block, x, mask in zip(self.blocks, features, masks, strict=True)]
        return [fill_padding(x, m) for x, m in zip(outs, masks, strict=True)], list(masks)
