"""The encoder of Deformable-DETR and TadTR."""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmtad.registry import MODELS

from .dab_encoder import init_by_xavier
from .deformable_attention import DeformableAttention
from .feed_forward import FeedForward


class DeformableEncoderLayer(nn.Module):
    """Deformable self-attention and a feed-forward network, each normalised after its residual.

    Args:
        attention: Arguments of :class:`DeformableAttention`.
        feedforward_channels: Hidden channels of the feed-forward network.
        dropout: Chance that a value is dropped.
    """

    def __init__(self, attention: dict, feedforward_channels: int, dropout: float) -> None:
        super().__init__()
        embed_dims = attention["embed_dims"]
        self.attention = DeformableAttention(**attention)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(embed_dims)
        self.feed_forward = FeedForward(embed_dims, feedforward_channels, dropout)
        init_by_xavier(self.feed_forward)

    def forward(
        self, x: Tensor, positions: Tensor, references: Tensor, mask: Tensor, return_map: bool
    ) -> tuple[Tensor, Tensor | None]:
        """``[B, T, C]`` to ``[B, T, C]`` and the map ``[B, H, T, T]`` or None."""
        out, attention_map = self.attention(x + positions, references, x, mask, return_map)
        return self.feed_forward(self.norm(x + self.dropout(out))), attention_map


@MODELS.register_module()
class DeformableEncoder(BaseModule):
    """Steps that look at a few steps around themselves.

    `Deformable DETR <https://arxiv.org/abs/2010.04159>`_ on one level, as in `TadTR
    <https://arxiv.org/abs/2106.10271>`_: references are the centres of the steps, and a learned
    code of the only level is added to the positions.

    Args:
        embed_dims: Width C.
        num_layers: Layers L (2 in LTP's setting, 4 in TadTR's on THUMOS14).
        num_heads: Heads H.
        num_points: Places that a head looks at.
        feedforward_channels: Hidden channels of the feed-forward networks.
        dropout: Chance that a value is dropped.
        preset: See :class:`DeformableAttention`.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_layers: int = 2,
        num_heads: int = 8,
        num_points: int = 4,
        feedforward_channels: int = 1024,
        dropout: float = 0.1,
        preset: str = "padding_free",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        attention = dict(
            embed_dims=embed_dims, num_heads=num_heads, num_points=num_points, preset=preset
        )
        self.embed_dims = embed_dims
        self.preset = preset
        self.level_code = nn.Parameter(torch.randn(embed_dims))
        self.layers = nn.ModuleList(
            DeformableEncoderLayer(attention, feedforward_channels, dropout)
            for _ in range(num_layers)
        )

    def forward(
        self, x: Tensor, positions: Tensor, mask: Tensor, return_maps: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """Encode.

        Args:
            x: ``[B, T, C]``, finite at padded steps.
            positions: Position codes ``[B, T, C]``.
            mask: Bool ``[B, T]``, True = valid; valid steps first.
            return_maps: Return the attention maps of the layers.

        Returns:
            Memory ``[B, T, C]`` and L maps ``[B, H, T, T]`` (none unless asked for).
        """
        lengths = mask.sum(1).clamp(min=1)[:, None]
        centres = torch.arange(mask.shape[1], device=mask.device) + 0.5
        references = (centres / lengths)[..., None]
        positions = positions + self.level_code
        maps = []
        for layer in self.layers:
            x, attention_map = layer(x, positions, references, mask, return_maps)
            if attention_map is not None:
                maps.append(attention_map)
        return x, maps
