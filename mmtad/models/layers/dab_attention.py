"""Attention of DAB-DETR: what a query holds and where it looks have projections of their own."""

import torch
from torch import Tensor, nn

from .channels_last import FastLinear, Linear
from .multihead_attention import attend


def _check_heads(embed_dims: int, num_heads: int) -> None:
    if embed_dims % num_heads:
        raise ValueError(f"{num_heads} heads do not divide a width of {embed_dims}")


class DABSelfAttention(nn.Module):
    """Attention among queries whose scores compare sums of projected content and position.

    `DAB-DETR <https://arxiv.org/abs/2201.12329>`_, as Conditional DETR. The biases start at random,
    for the content that the first layer sees is zero.

    Args:
        embed_dims: Width C.
        num_heads: Heads H.
        dropout: Chance that an attention weight is dropped in training.

    Raises:
        ValueError: If the heads do not divide the width.
    """

    returns_map = True

    def __init__(self, embed_dims: int, num_heads: int = 8, dropout: float = 0.0) -> None:
        super().__init__()
        _check_heads(embed_dims, num_heads)
        self.num_heads = num_heads
        self.dropout = dropout
        self.content_query_proj = FastLinear(embed_dims, embed_dims)
        self.position_query_proj = FastLinear(embed_dims, embed_dims)
        self.content_key_proj = FastLinear(embed_dims, embed_dims)
        self.position_key_proj = FastLinear(embed_dims, embed_dims)
        self.value_proj = FastLinear(embed_dims, embed_dims)
        self.out_proj = Linear(embed_dims, embed_dims)

    def forward(
        self,
        content: Tensor,
        position: Tensor,
        return_map: bool = False,
        bias: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Args:
            content: ``[B, Q, C]``.
            position: ``[B, Q, C]``, code of the anchors.
            return_map: Return the weights as well.
            bias: See :func:`~mmtad.models.layers.attend`.

        Returns:
            ``[B, Q, C]`` and the weights ``[B, H, Q, Q]`` before dropout, or None.
        """
        query = self.content_query_proj(content) + self.position_query_proj(position)
        key = self.content_key_proj(content) + self.position_key_proj(position)
        heads = (self.num_heads, -1)
        out, weights = attend(
            query.unflatten(-1, heads),
            key.unflatten(-1, heads),
            self.value_proj(content).unflatten(-1, heads),
            dropout=self.dropout if self.training else 0.0,
            return_map=return_map,
            bias=bias,
        )
        return self.out_proj(out.flatten(2)), weights


class DABCrossAttention(nn.Module):
    """Attention of queries to steps whose heads put content and position side by side.

    `DAB-DETR <https://arxiv.org/abs/2201.12329>`_, section 4: the score of a head is the product of
    contents plus the product of the anchor's code and the step's. Queries and keys are 2C wide
    (2C / H a head, the scale is its square root), values C.

    Args:
        embed_dims: Width C.
        num_heads: Heads H.
        dropout: Chance that an attention weight is dropped in training.
        additive_position: Also add projected positions to the contents, as the first layer does,
            whose queries have no content yet.

    Raises:
        ValueError: If the heads do not divide the width.
    """

    returns_map = True

    def __init__(
        self,
        embed_dims: int,
        num_heads: int = 8,
        dropout: float = 0.0,
        additive_position: bool = False,
    ) -> None:
        super().__init__()
        _check_heads(embed_dims, num_heads)
        self.num_heads = num_heads
        self.dropout = dropout
        self.content_query_proj = FastLinear(embed_dims, embed_dims)
        self.content_key_proj = FastLinear(embed_dims, embed_dims)
        self.code_query_proj = FastLinear(embed_dims, embed_dims)
        self.position_key_proj = FastLinear(embed_dims, embed_dims)
        self.value_proj = FastLinear(embed_dims, embed_dims)
        self.out_proj = Linear(embed_dims, embed_dims)
        self.position_query_proj = FastLinear(embed_dims, embed_dims) if additive_position else None

    def forward(
        self,
        content: Tensor,
        position: Tensor,
        code: Tensor,
        memory: Tensor,
        positions: Tensor,
        mask: Tensor | None = None,
        return_map: bool = False,
        bias: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Args:
            content: ``[B, Q, C]``.
            position: ``[B, Q, C]``, code of the anchors after an MLP; read in the first layer only.
            code: ``[B, Q, C]``, sine code of the anchors, scaled and modulated.
            memory: ``[B, T, C]``, finite at padded steps.
            positions: ``[B, T, C]``, sine code of the steps.
            mask: Bool ``[B, T]``, True = valid step; None for all.
            return_map: Return the weights as well.
            bias: See :func:`~mmtad.models.layers.attend`.

        Returns:
            ``[B, Q, C]`` and the weights ``[B, H, Q, T]`` before dropout, or None.
        """
        query, key = self.content_query_proj(content), self.content_key_proj(memory)
        if positions.stride(0) == 0:  # one row for all samples, which need not be multiplied
            positions = positions[:1]
        key_position = self.position_key_proj(positions)
        if self.position_query_proj is not None:
            query = query + self.position_query_proj(position)
            key = key + key_position
        heads = (self.num_heads, -1)
        out, weights = attend(
            _side_by_side(query, self.code_query_proj(code), heads),
            _side_by_side(key, key_position, heads),
            self.value_proj(memory).unflatten(-1, heads),
            mask,
            self.dropout if self.training else 0.0,
            return_map,
            bias,
        )
        return self.out_proj(out.flatten(2)), weights


def _side_by_side(content: Tensor, position: Tensor, heads: tuple[int, int]) -> Tensor:
    """Two ``[B, N, C]``, the second one maybe ``[1, N, C]``, as ``[B, N, H, 2C / H]``."""
    position = position.expand_as(content)
    return torch.cat([content.unflatten(-1, heads), position.unflatten(-1, heads)], dim=-1)
