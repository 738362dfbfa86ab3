"""Feature projection of ActionFormer: convolutions, then a pyramid of transformer blocks."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmtad.registry import MODELS

from ..layers import (
    AbsolutePosition,
    ConvTransformerBlock,
    MaskedConv1d,
    MaskedConvUnit,
    fill_padding,
    resolve_preset,
)


@MODELS.register_module()
class ConvTransformerProjection(BaseModule):
    """Multi-scale transformer over a feature sequence.

    `ActionFormer: Localizing Moments of Actions with Transformers
    <https://arxiv.org/abs/2202.07925>`_: embedding convolutions, ``stem`` blocks at
    full length (the last gives level 0), then one block per further level, each of which halves the
    time axis. Any length is accepted.

    The paper halves with a strided depth-wise convolution and says nothing on padding; the public
    codes pad to ``max_seq_len`` and let padding touch the last valid steps (presets ``official``
    and ``opentad``). Ours does not.

    Args:
        in_channels: Channels of the input, or a list with one number per stream when several
            feature streams are stacked along the channels.
        out_channels: Channels of every level; for several streams a list, whose sum is the width.
        arch: Numbers of embedding convolutions, stem blocks and branch (down-sampling) blocks.
        num_heads: Attention heads.
        window: Odd number of steps that local attention sees, -1 for all, or a list with one entry
            per level.
        kernel_size: Odd kernel of the embedding convolutions.
        max_seq_len: Training length in steps: the length of the position table, and in the presets
            of the public codes the length that shorter inputs are padded to.
        use_abs_pos: Add sinusoidal absolute positions (ActivityNet and Ego4D in the paper).
        mlp_ratio: Hidden width of the MLPs over ``out_channels``.
        input_dropout: Chance that a whole input channel is dropped (OpenTAD: 0.2; the paper: 0).
        attn_dropout: Chance that an attention weight is dropped.
        dropout: Chance that an output value of attention or MLP is dropped.
        drop_path: Chance that a residual branch of a sample is dropped.
        preset: See :func:`~mmtad.models.layers.resolve_preset`.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If ``window`` is a list whose length is not the number of levels.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        out_channels: int | Sequence[int] = 512,
        arch: tuple[int, int, int] = (2, 2, 5),
        num_heads: int = 4,
        window: int | Sequence[int] = 19,
        kernel_size: int = 3,
        max_seq_len: int = 2304,
        use_abs_pos: bool = False,
        mlp_ratio: float = 4,
        input_dropout: float = 0.0,
        attn_dropout: float = 0.0,
        dropout: float = 0.0,
        drop_path: float = 0.1,
        preset: str = "padding_free",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        num_convs, num_stem, num_branch = arch
        windows = [window] * (1 + num_branch) if isinstance(window, int) else list(window)
        if len(windows) != 1 + num_branch:
            raise ValueError(f"{1 + num_branch} levels need as many windows, got {windows}")
        self.preset = resolve_preset(preset)
        self.windows = windows
        self.max_seq_len = max_seq_len
        self.input_dropout = nn.Dropout1d(input_dropout)
        in_channels, out_channels = self._build_streams(in_channels, out_channels)
        self.embed = nn.ModuleList(
            MaskedConvUnit(
                out_channels if i else in_channels,
                out_channels,
                kernel_size,
                remask=self.preset.remask_activations,
                eps=self.preset.norm_eps,
            )
            for i in range(num_convs)
        )
        isolate = self.preset.isolate_padding
        self.position = (
            AbsolutePosition(out_channels, max_seq_len, by_valid_length=isolate)
            if use_abs_pos
            else None
        )

        def block(window: int, stride: int) -> ConvTransformerBlock:
            return ConvTransformerBlock(
                out_channels,
                num_heads,
                window,
                stride,
                mlp_ratio=mlp_ratio,
                attn_dropout=attn_dropout,
                dropout=dropout,
                drop_path=drop_path,
                isolate_padding=isolate,
            )

        self.stem = nn.ModuleList(block(windows[0], 1) for _ in range(num_stem))
        self.branch = nn.ModuleList(block(window, 2) for window in windows[1:])

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

    def legal_length(self, length: int) -> int:
        """Length that the public implementations pad a sequence to.

        ``max_seq_len`` for anything shorter, else the next multiple of the largest ``stride *
        (window - 1)``.

        Args:
            length: Steps.

        Returns:
            Steps.
        """
        if length <= self.max_seq_len:
            return self.max_seq_len
        factors = [(max(w - 1, 1) if w > 1 else 1) << level for level, w in enumerate(self.windows)]
        return -(-length // max(factors)) * max(factors)

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
        if not self.preset.isolate_padding:
            missing = self.legal_length(x.shape[-1]) - x.shape[-1]
            x, mask = F.pad(x, (0, missing)), F.pad(mask, (0, missing))
        x = fill_padding(x, mask)
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
