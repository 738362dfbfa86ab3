"""What the feature projections of ActionFormer and TriDet share."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..layers import (
    AbsolutePosition,
    MaskedConv1d,
    MaskedConvUnit,
    fill_padding,
    resolve_preset,
    zero_padding,
)


class PyramidProjection(BaseModule):
    """Embedding convolutions and positions, then blocks that build a pyramid.

    A subclass sets ``stem``, blocks ``(x, mask) -> (x, mask)`` at full length whose last output is
    level 0, and ``branch``, one block per further level that halves the sequence.

    Args:
        in_channels: Channels of the input, or a list with one number per stream when several
            feature streams are stacked along the channels.
        out_channels: Channels of every level; for several streams a list, whose sum is the width.
        num_convs: Embedding convolutions.
        kernel_size: Odd kernel of the embedding convolutions.
        max_seq_len: Training length in steps: the length of the position table, and in the presets
            of the public codes the length that shorter inputs are padded to.
        use_abs_pos: Add sinusoidal absolute positions.
        input_dropout: Chance that a whole input channel is dropped.
        input_noise: Standard deviation of Gaussian noise on the input in training.
        preset: See :func:`~mmtad.models.layers.resolve_preset`.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If the numbers of input and output streams differ.
    """

    stem: nn.ModuleList
    branch: nn.ModuleList

    def __init__(
        self,
        in_channels: int | Sequence[int],
        out_channels: int | Sequence[int],
        num_convs: int,
        kernel_size: int,
        max_seq_len: int,
        use_abs_pos: bool = False,
        input_dropout: float = 0.0,
        input_noise: float = 0.0,
        preset: str = "padding_free",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.preset = resolve_preset(preset)
        self.max_seq_len = max_seq_len
        self.input_noise = input_noise
        self.input_dropout = nn.Dropout1d(input_dropout)
        width, self.out_channels = self._build_streams(in_channels, out_channels)
        self.embed = nn.ModuleList(
            MaskedConvUnit(
                self.out_channels if i else width,
                self.out_channels,
                kernel_size,
                remask=self.preset.remask_activations,
                eps=self.preset.norm_eps,
            )
            for i in range(num_convs)
        )
        isolate = self.preset.isolate_padding
        self.position = (
            AbsolutePosition(self.out_channels, max_seq_len, by_valid_length=isolate)
            if use_abs_pos
            else None
        )

    def _build_streams(self, in_channels, out_channels) -> tuple[int, int]:
        """Build a 1x1 convolution per feature stream; return the widths around the embedding."""
        self.streams, self.stream_channels = None, None
        if isinstance(in_channels, int):
            return in_channels, out_channels
        if isinstance(out_channels, int) or len(in_channels) != len(out_channels):
            raise ValueError(
                f"input streams of {in_channels} channels need a list of as many out_channels, "
                f"got {out_channels}"
            )
        self.stream_channels = list(in_channels)
        self.streams = nn.ModuleList(
            MaskedConv1d(c_in, c_out, 1)
            for c_in, c_out in zip(in_channels, out_channels, strict=True)
        )
        return sum(out_channels), sum(out_channels)

    def legal_factor(self) -> int:
        """Steps by which the public implementations divide sequences beyond ``max_seq_len``."""
        raise NotImplementedError

    def legal_length(self, length: int) -> int:
        """Length that the public implementations pad a sequence to.

        ``max_seq_len`` for anything shorter, else the next multiple of :meth:`legal_factor`.

        Args:
            length: Steps.

        Returns:
            Steps.
        """
        factor = self.legal_factor()
        return self.max_seq_len if length <= self.max_seq_len else -(-length // factor) * factor

    def forward(self, x: Tensor, mask: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Build the pyramid.

        Args:
            x: Features ``[B, C_in, T]``; padded steps may hold anything.
            mask: Bool ``[B, T]``, True = valid.

        Returns:
            Features ``[B, C, T_l]`` and masks ``[B, T_l]`` of the levels, ``T_l = ceil(T / 2^l)``,
            zero at padded steps. The presets ``official`` and ``opentad`` first pad T to
            :meth:`legal_length`.
        """
        isolate = self.preset.isolate_padding
        if not isolate:
            missing = self.legal_length(x.shape[-1]) - x.shape[-1]
            x, mask = F.pad(x, (0, missing)), F.pad(mask, (0, missing))
        x = fill_padding(x, mask)
        if self.training and self.input_noise > 0:
            noise = torch.randn_like(x) * self.input_noise
            x = x + (zero_padding(noise, mask) if isolate else noise)
        if self.streams is not None:
            parts = x.split(self.stream_channels, dim=1)
            x = torch.cat([conv(p, mask) for conv, p in zip(self.streams, parts, strict=True)], 1)
        x = self.input_dropout(x)
        for unit in self.embed:
            x = unit(x, mask)
        if self.position is not None:
            x = self.position(x, mask)
        for block in self.stem:
            x, mask = block(x, mask)
        features, masks = [x], [mask]
        for block in self.branch:
            x, mask = block(x, mask)
            features.append(x)
            masks.append(mask)
        return features, masks


def windows_per_level(window: int | Sequence[int], num_levels: int) -> list[int]:
    """Give every level its window.

    Args:
        window: One for all levels, or one per level.
        num_levels: Levels L.

    Returns:
        L windows.

    Raises:
        ValueError: If there are not as many windows as levels.
    """
    windows = [window] * num_levels if isinstance(window, int) else list(window)
    if len(windows) != num_levels:
        raise ValueError(f"{num_levels} levels need as many windows, got {windows}")
    return windows
