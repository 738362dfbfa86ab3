"""Necks over a temporal feature pyramid."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmtad.registry import MODELS

from ..layers import ChannelLayerNorm, MaskedConv1d, resolve_preset, zero_padding


@MODELS.register_module()
class FPNIdentity(BaseModule):
    """A layer norm per level and nothing else (the default neck of ActionFormer and TriDet).

    Args:
        channels: Channels C of every level.
        num_levels: Levels L.
        preset: See :func:`~mmtad.models.layers.resolve_preset`. The public implementations leave
            the norm's bias in the padded steps; ours zeroes them.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(
        self,
        channels: int = 512,
        num_levels: int = 6,
        preset: str = "padding_free",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.preset = resolve_preset(preset)
        self.norms = nn.ModuleList(
            ChannelLayerNorm(channels, eps=self.preset.norm_eps) for _ in range(num_levels)
        )

    def forward(
        self, features: Sequence[Tensor], masks: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Normalise every level.

        Args:
            features: L tensors ``[B, C, T_l]``.
            masks: L bool tensors ``[B, T_l]``, True = valid.

        Returns:
            Features and masks of the same shapes.

        Raises:
            ValueError: If the number of levels is not that of the constructor.
        """
        _check_levels(features, len(self.norms))
        outs = [norm(x) for norm, x in zip(self.norms, features, strict=True)]
        return _isolate(outs, masks, self.preset.isolate_padding), list(masks)


@MODELS.register_module()
class FPN1D(BaseModule):
    """Feature pyramid network along time.

    `Feature Pyramid Networks <https://arxiv.org/abs/1612.03144>`_ as the authors of ActionFormer
    use it: 1x1 lateral convolutions, a top-down path by nearest neighbours, then a depth-wise
    convolution of kernel 3 and a layer norm per level; no biases.

    Args:
        in_channels: Channels of the levels, one number or a list.
        out_channels: Channels C of the output.
        num_levels: Levels L.
        preset: See :func:`~mmtad.models.layers.resolve_preset`. In the public implementation a
            coarse step that covers the end of a sequence writes into the padding behind it, and the
            norm's bias stays there; ours zeroes both.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int] = 512,
        out_channels: int = 512,
        num_levels: int = 6,
        preset: str = "padding_free",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.preset = resolve_preset(preset)
        widths = [in_channels] * num_levels if isinstance(in_channels, int) else list(in_channels)
        _check_levels(widths, num_levels)
        self.lateral_convs = nn.ModuleList(
            MaskedConv1d(width, out_channels, 1, bias=False) for width in widths
        )
        self.fpn_convs = nn.ModuleList(
            MaskedConv1d(out_channels, out_channels, 3, bias=False, groups=out_channels)
            for _ in widths
        )
        self.norms = nn.ModuleList(
            ChannelLayerNorm(out_channels, eps=self.preset.norm_eps) for _ in widths
        )

    def forward(
        self, features: Sequence[Tensor], masks: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Mix the levels from coarse to fine.

        Args:
            features: L tensors ``[B, C_in, T_l]`` with ``T_(l+1) = ceil(T_l / 2)``.
            masks: L bool tensors ``[B, T_l]``, True = valid.

        Returns:
            L tensors ``[B, C, T_l]`` and the masks.

        Raises:
            ValueError: If the number of levels is not that of the constructor.
        """
        _check_levels(features, len(self.norms))
        isolate = self.preset.isolate_padding
        laterals = [
            conv(x, m) for conv, x, m in zip(self.lateral_convs, features, masks, strict=True)
        ]
        for level in range(len(laterals) - 2, -1, -1):
            length = laterals[level].shape[-1]
            coarse = F.interpolate(laterals[level + 1], scale_factor=2, mode="nearest")
            mixed = laterals[level] + coarse[..., :length]
            laterals[level] = zero_padding(mixed, masks[level]) if isolate else mixed
        outs = [
            norm(conv(x, m))
            for norm, conv, x, m in zip(self.norms, self.fpn_convs, laterals, masks, strict=True)
        ]
        return _isolate(outs, masks, isolate), list(masks)


def _isolate(features: list[Tensor], masks: Sequence[Tensor], isolate: bool) -> list[Tensor]:
    if not isolate:
        return features
    return [zero_padding(x, mask) for x, mask in zip(features, masks, strict=True)]


def _check_levels(levels: Sequence, expected: int) -> None:
    if len(levels) != expected:
        raise ValueError(f"the neck was built for {expected} levels, got {len(levels)}")
