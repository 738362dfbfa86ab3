"""Stages at falling rates from features that have one rate."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmtad.registry import MODELS

from ..layers import (
    MaskedConv1d,
    MaskedConvUnit,
    downsample_mask,
    fill_padding,
    halve,
    zero_padding,
)


@MODELS.register_module()
class FeatureStages(BaseModule):
    """Stages of 1, 1/2, 1/4, .. of the length from features that have one rate.

    `SP-TAD <https://arxiv.org/abs/2109.08847>`_ takes its stages from within a backbone; this makes
    it a detector on features that were extracted before (the paper's row with a frozen backbone is
    the nearest to it). Ours, as the paper has no such mode. Either one kind of feature, from which
    convolutions of stride 2 make the later stages; or several stacked along the channels, such as
    the stages of a backbone saved at the rate of the finest one: then stage ``s`` is the mean of
    every ``2^s`` steps of kind ``s``, without a parameter.

    Args:
        in_channels: Channels of the features, or a list with one number per stage.
        out_channels: Channels of every stage made by convolutions.
        num_stages: Stages S made by convolutions.
        kernel_size: Odd kernel of the convolutions.
        input_dropout: Chance that a whole input channel is dropped.
        init_cfg: MMEngine initialisation config.

    Attributes:
        stage_channels: Channels of the S stages, as :class:`StagePyramid` wants them.

    Raises:
        ValueError: If there is no stage.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        out_channels: int = 512,
        num_stages: int = 3,
        kernel_size: int = 3,
        input_dropout: float = 0.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.input_dropout = nn.Dropout1d(input_dropout)
        self.convs = None
        if isinstance(in_channels, int):
            if num_stages < 1:
                raise ValueError(f"there must be at least one stage, got num_stages={num_stages}")
            self.in_channels = in_channels
            widths = [in_channels] + [out_channels] * num_stages
            self.convs = nn.ModuleList(
                StridedConvUnit(before, after, kernel_size, stride=2 if stage else 1)
                for stage, (before, after) in enumerate(zip(widths, widths[1:], strict=False))
            )
            self.stage_channels = widths[1:]
        else:
            self.stage_channels = list(in_channels)
            self.in_channels = sum(self.stage_channels)
            if not self.stage_channels:
                raise ValueError("in_channels needs the channels of at least one stage, got []")

    def forward(self, x: Tensor, mask: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Make the stages.

        Args:
            x: Features ``[B, C_in, T]``; padded steps may hold anything.
            mask: Bool ``[B, T]``, True = valid.

        Returns:
            S stages ``[B, C_s, ceil(T / 2^s)]``, zero at padded steps, and their masks.

        Raises:
            ValueError: If the number of channels is another.
        """
        if x.shape[1] != self.in_channels:
            raise ValueError(
                f"FeatureStages was built for {self.in_channels} channels, got features of "
                f"{x.shape[1]}; set its in_channels"
            )
        x = self.input_dropout(fill_padding(x, mask))
        stages, masks = [], []
        if self.convs is None:
            parts = x.split(self.stage_channels, dim=1)
            for index, part in enumerate(parts):
                stage, stage_mask = part, mask
                for _ in range(index):
                    stage, stage_mask = halve(stage, stage_mask, "mean")
                stages.append(stage)
                masks.append(stage_mask)
            return stages, masks
        for conv in self.convs:
            x, mask = conv(x, mask)
            stages.append(x)
            masks.append(mask)
        return stages, masks


class StridedConvUnit(MaskedConvUnit):
    """A :class:`~mmtad.models.layers.MaskedConvUnit` that may shorten the sequence.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Odd kernel of the convolution.
        stride: Steps between two outputs.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size)
        if stride > 1:
            self.conv = MaskedConv1d(
                in_channels, out_channels, kernel_size, stride=stride, bias=False
            )
        self.stride = stride

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the unit.

        Args:
            x: ``[B, C_in, T]``, zero at padded steps.
            mask: Bool ``[B, T]``, True = valid.

        Returns:
            ``[B, C_out, ceil(T / stride)]``, zero at padded steps, and its mask.
        """
        shorter = downsample_mask(mask, self.stride)
        return zero_padding(F.relu(self.norm(self.conv(x, mask))), shorter), shorter
