"""The decoder of Deformable-DETR and TadTR."""

from dataclasses import dataclass

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmtad.registry import MODELS

from .attention_maps import DecoderOutputs
from .channels_last import Linear
from .dab_encoder import init_by_xavier
from .deformable_attention import DeformableAttention
from .feed_forward import FeedForward
from .mlp import MLP
from .multihead_attention import MultiheadAttention
from .refinement import refine

REFERENCE_EPS = 1e-5  # of both public codes


@dataclass
class Looks:
    """What a decoder layer of queries looks at.

    Args:
        memory: ``[B, T, C]``.
        mask: Bool ``[B, T]``, True = valid; valid steps first.
        return_maps: Whether attention maps are asked for.
    """

    memory: Tensor
    mask: Tensor
    return_maps: bool


class DeformableDecoderLayer(nn.Module):
    """Self-attention among queries, deformable attention to the memory, a feed-forward network.

    Each is normalised after its residual.

    Args:
        attention: Arguments of :class:`DeformableAttention`.
        feedforward_channels: Hidden channels of the feed-forward network.
        dropout: Chance that a value, or an attention weight among queries, is dropped.
    """

    def __init__(self, attention: dict, feedforward_channels: int, dropout: float) -> None:
        super().__init__()
        embed_dims = attention["embed_dims"]
        self.self_attention = MultiheadAttention(embed_dims, attention["num_heads"], dropout)
        self.self_norm = nn.LayerNorm(embed_dims)
        self.cross_attention = DeformableAttention(**attention)
        self.cross_norm = nn.LayerNorm(embed_dims)
        self.dropout = nn.Dropout(dropout)
        self.feed_forward = FeedForward(embed_dims, feedforward_channels, dropout)
        for part in (self.self_attention, self.feed_forward):
            init_by_xavier(part)

    def forward(
        self, content: Tensor, positions: Tensor, references: Tensor, seen: Looks
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Update the queries.

        Args:
            content: ``[B, Q, C]``.
            positions: ``[B, Q, C]``, added to queries and keys.
            references: ``[B, Q, 1]`` or ``[B, Q, 2]`` in unit.
            seen: What to look at.

        Returns:
            Content ``[B, Q, C]``, and the maps ``[B, H, Q, Q]`` and ``[B, H, Q, T]`` or None.
        """
        query = content + positions
        out, self_map = self.self_attention(query, query, content, return_map=seen.return_maps)
        content = self.self_norm(content + self.dropout(out))
        out, cross_map = self.cross_attention(
            content + positions, references, seen.memory, seen.mask, seen.return_maps
        )
        content = self.cross_norm(content + self.dropout(out))
        return self.feed_forward(content), self_map, cross_map


@MODELS.register_module()
class DeformableDecoder(BaseModule):
    """Queries with learned codes, whose segments are refined from layer to layer.

    `Deformable DETR <https://arxiv.org/abs/2010.04159>`_ with iterative refinement, as in `TadTR
    <https://arxiv.org/abs/2106.10271>`_. The first reference of a query is a centre, linear in its
    position code; from the first layer on it is the segment that the layer predicts, handed on
    without gradient. Every layer predicts its segment as ``sigmoid(MLP(content) + logit of the
    reference)`` by an MLP of its own; the width that the first layer predicts starts at
    ``sigmoid(-2)``.

    Args:
        embed_dims: Width C.
        num_layers: Layers L.
        num_queries: Queries Q (40 on THUMOS14, 10 on ActivityNet).
        num_heads: Heads H.
        num_points: Places that a head looks at.
        feedforward_channels: Hidden channels of the feed-forward networks.
        dropout: Chance that a value, or an attention weight among queries, is dropped.
        preset: See :class:`DeformableAttention`.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_layers: int = 4,
        num_queries: int = 40,
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
        self.num_layers = num_layers
        self.num_queries = num_queries
        self.query_positions = nn.Parameter(torch.randn(num_queries, embed_dims))
        self.query_content = nn.Parameter(torch.randn(num_queries, embed_dims))
        self.reference_proj = Linear(embed_dims, 1)
        nn.init.xavier_uniform_(self.reference_proj.weight)
        self.layers = nn.ModuleList(
            DeformableDecoderLayer(attention, feedforward_channels, dropout)
            for _ in range(num_layers)
        )
        self.regressors = nn.ModuleList(
            MLP(embed_dims, embed_dims, 2, num_layers=3) for _ in range(num_layers)
        )
        for index, regressor in enumerate(self.regressors):
            nn.init.zeros_(regressor.layers[-1].weight)
            if index == 0:  # narrow segments, as the first layer knows centres alone
                nn.init.constant_(regressor.layers[-1].bias[1:], -2.0)

    def forward(
        self,
        memory: Tensor,
        positions: Tensor,
        mask: Tensor,
        query_code: Tensor | None = None,
        return_maps: bool = False,
    ) -> DecoderOutputs:
        """Decode.

        Args:
            memory: ``[B, T, C]``; padded steps may hold anything.
            positions: Position codes of the steps; deformable attention has no use for them.
            mask: Bool ``[B, T]``, True = valid; valid steps first.
            query_code: ``[B, C]``, added to the content of every query, or None.
            return_maps: Return the attention maps of the layers.

        Returns:
            States, segments, references and maps of every layer.
        """
        batch = len(memory)
        codes = self.query_positions.expand(batch, -1, -1)
        content = self.query_content.expand(batch, -1, -1)
        if query_code is not None:
            content = content + query_code[:, None]
        exact = torch.promote_types(memory.dtype, torch.float32)
        reference = self.reference_proj(codes).to(exact).sigmoid()
        outputs = DecoderOutputs([], [])
        seen = Looks(memory, mask, return_maps)
        for layer, regressor in zip(self.layers, self.regressors, strict=True):
            content, self_map, cross_map = layer(content, codes, reference, seen)
            segments = refine(reference, regressor(content), REFERENCE_EPS)
            reference = segments.detach()
            outputs.states.append(content)
            outputs.segments.append(segments)
            outputs.references.append(reference)
            if self_map is not None and cross_map is not None:
                outputs.self_maps.append(self_map)
                outputs.cross_maps.append(cross_map)
        return outputs
