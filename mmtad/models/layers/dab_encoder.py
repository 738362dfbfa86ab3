"""The encoder of DAB-DETR, and how its parts start."""

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmtad.registry import MODELS

from .feed_forward import FeedForward
from .mlp import MLP
from .multihead_attention import MultiheadAttention


def init_by_xavier(module: nn.Module) -> None:
    """Draw the weights of all linear layers from Xavier's uniform distribution, in place.

    Those that :class:`MultiheadAttention` draws as one matrix with others keep its range.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight)
    for part in module.modules():
        if isinstance(part, MultiheadAttention):
            for layer in (part.query_proj, part.key_proj, part.value_proj):
                nn.init.xavier_uniform_(layer.weight, gain=2**-0.5)


class DABEncoderLayer(nn.Module):
    """Self-attention and feed-forward layer, each followed by its norm.

    Args:
        embed_dims: Width C.
        num_heads: Heads H.
        feedforward_channels: Width inside the feed-forward layer.
        dropout: Chance of dropout everywhere.
        activation: See :class:`FeedForward`.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        feedforward_channels: int,
        dropout: float,
        activation: str,
    ) -> None:
        super().__init__()
        self.attention = MultiheadAttention(embed_dims, num_heads, dropout)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(embed_dims)
        self.feed_forward = FeedForward(embed_dims, feedforward_channels, dropout, activation)

    def forward(
        self,
        x: Tensor,
        positions: Tensor,
        mask: Tensor | None,
        return_map: bool = False,
        bias: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Apply the layer.

        Args:
            x: ``[B, T, C]``, finite at padded steps.
            positions: ``[B, T, C]``, added to queries and keys.
            mask: Bool ``[B, T]``, True = valid; None for all.
            return_map: Return the attention weights as well.
            bias: Added to the scores, broadcast to ``[B, H, T, T]``; None for none.

        Returns:
            ``[B, T, C]`` and the weights ``[B, H, T, T]``, or None.
        """
        placed = x + positions
        seen, weights = self.attention(placed, placed, x, mask, return_map, bias)
        return self.feed_forward(self.norm(x + self.dropout(seen))), weights


@MODELS.register_module()
class DABEncoder(BaseModule):
    """The encoder of `DAB-DETR <https://arxiv.org/abs/2201.12329>`_.

    DETR's, but what a step holds scales its position code, channel by channel, before each layer:
    ``q = k = x + MLP(x) * position``. One MLP serves all layers. No norm follows the last layer.

    Args:
        embed_dims: Width C.
        num_layers: Layers.
        num_heads: Heads H.
        feedforward_channels: Width inside the feed-forward layers (TadTR 1024, DAB-DETR 2048).
        dropout: Chance of dropout in training (TadTR 0.1, DAB-DETR 0).
        activation: ``"relu"`` as in TadTR, ``"prelu"`` as in DAB-DETR.
        relative: Config of a bias of the scores by distance, see :class:`RelativeTimeBias`; None
            for none.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If the heads do not divide the width or the activation is unknown.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_layers: int = 2,
        num_heads: int = 8,
        feedforward_channels: int = 1024,
        dropout: float = 0.1,
        activation: str = "relu",
        relative: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.embed_dims, self.num_layers = embed_dims, num_layers
        self.position_scale = MLP(embed_dims, embed_dims, embed_dims, 2)
        self.layers = nn.ModuleList(
            DABEncoderLayer(embed_dims, num_heads, feedforward_channels, dropout, activation)
            for _ in range(num_layers)
        )
        init_by_xavier(self)
        self.relative = relative and MODELS.build(dict(num_heads=num_heads) | relative)

    def forward(
        self, x: Tensor, positions: Tensor, mask: Tensor | None, return_maps: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """Encode the steps.

        Args:
            x: ``[B, T, C]``, finite at padded steps.
            positions: ``[B, T, C]``, sine code of the steps.
            mask: Bool ``[B, T]``, True = valid; None for all.
            return_maps: Return the attention maps as well.

        Returns:
            ``[B, T, C]`` and the maps of all layers, each ``[B, H, T, T]``; none unless asked for.
        """
        maps = []
        bias = None if self.relative is None else self.relative(x.shape[1])
        for layer in self.layers:
            x, weights = layer(x, positions * self.position_scale(x), mask, return_maps, bias)
            if return_maps:
                maps.append(weights)
        return x, maps
