"""Attention that looks at a few places around a reference."""

import math

import torch
from torch import Tensor, nn

from mmtad.ops import deform_attn1d, deform_attn1d_map

from .channels_last import Linear
from .masked_conv import known_full
from .query_presets import resolve_query_preset


class DeformableAttention(nn.Module):
    """Every head of a query reads P places around the query's reference.

    `Deformable DETR <https://arxiv.org/abs/2010.04159>`_, section 4.1, along time and on one level,
    as in `TadTR <https://arxiv.org/abs/2106.10271>`_: ``out = proj(concat over heads of sum over p
    of weight[p] * value(place[p]))``. Places are ``centre + offset / V`` around a centre alone (V
    valid steps, so offsets are in steps), ``centre + offset / P * width / 2`` around a segment.
    Offsets and weights are linear in the query. At the start a query's content moves nothing: the
    heads look ahead, or behind, or at the centre, by 1 to P steps.

    Args:
        embed_dims: Width C.
        num_heads: Heads H.
        num_points: Places P of a head.
        preset: See :func:`resolve_query_preset`. In OpenTAD's code the sequence is an image of one
            column that is read at the column's edge, so that everything read counts half.

    Raises:
        ValueError: If the heads do not divide the width.
    """

    returns_map = True

    def __init__(
        self,
        embed_dims: int = 256,
        num_heads: int = 8,
        num_points: int = 4,
        preset: str = "padding_free",
    ) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(f"{num_heads} heads do not divide a width of {embed_dims}")
        self.num_heads = num_heads
        self.num_points = num_points
        self.halve = resolve_query_preset(preset).halve_samples
        self.offset_proj = Linear(embed_dims, num_heads * num_points)
        self.weight_proj = Linear(embed_dims, num_heads * num_points)
        self.value_proj = Linear(embed_dims, embed_dims)
        self.out_proj = Linear(embed_dims, embed_dims)
        self._init_weights()

    def _init_weights(self) -> None:
        for layer in (self.value_proj, self.out_proj):
            nn.init.xavier_uniform_(layer.weight)
        for layer in (self.offset_proj, self.weight_proj):
            nn.init.zeros_(layer.weight)
        angle = torch.arange(self.num_heads) * (4 * math.pi / self.num_heads)
        reach = torch.arange(1, self.num_points + 1)
        with torch.no_grad():
            self.offset_proj.bias.copy_(torch.outer(angle.cos(), reach).flatten())

    def forward(
        self,
        query: Tensor,
        references: Tensor,
        value: Tensor,
        mask: Tensor | None = None,
        return_map: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Args:
            query: ``[B, Q, C]``, positions added.
            references: ``[B, Q, 1]`` centres or ``[B, Q, 2]`` centres and widths, in unit.
            value: ``[B, T, C]``; padded steps may hold anything.
            mask: Bool ``[B, T]``, True = valid, valid steps first; None for all.
            return_map: Return what was read as a map over the steps as well.

        Returns:
            ``[B, Q, C]``, and ``[B, H, Q, T]`` or None. Rows of the map sum to 1: a place outside
            the sequence, where nothing is read, counts for the first or last valid step.
        """
        batch, length = value.shape[:2]
        places, weights, end = self.places(query, references, mask, length)
        value = self.value_proj(value)
        if mask is not None and not known_full(mask):
            value = value.masked_fill(~mask[..., None], 0.0)
        out = deform_attn1d(value.unflatten(-1, (self.num_heads, -1)), places, weights)
        out = self.out_proj((out * 0.5 if self.halve else out).flatten(2))
        if not return_map:
            return out, None
        inside = torch.minimum(places.clamp(min=0.5 / length), end - 0.5 / length)
        return out, deform_attn1d_map(inside, weights, length)

    def places(
        self, query: Tensor, references: Tensor, mask: Tensor | None, length: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Decide where to look.

        Args:
            query: ``[B, Q, C]``.
            references: ``[B, Q, 1]`` or ``[B, Q, 2]`` in unit.
            mask: Bool ``[B, T]`` or None.
            length: Padded length T.

        Returns:
            Places ``[B, Q, H, P]`` as a share of T, their weights ``[B, Q, H, P]``, and the share
            of the valid steps ``[B, 1, 1, 1]``.

        Raises:
            ValueError: If references are neither centres nor segments.
        """
        shape = (self.num_heads, self.num_points)
        exact = torch.promote_types(references.dtype, torch.float32)
        offsets = self.offset_proj(query).to(exact).unflatten(-1, shape)
        weights = self.weight_proj(query).to(exact).unflatten(-1, shape).softmax(-1)
        if mask is None:
            valid = offsets.new_full((len(query), 1, 1, 1), length)
        else:
            valid = mask.sum(1).clamp(min=1).to(exact)[:, None, None, None]
        share = valid / length
        centre = references[..., :1, None].to(exact) * share
        if references.shape[-1] == 1:
            return centre + offsets / length, weights, share
        if references.shape[-1] != 2:
            raise ValueError(
                f"references are [B, Q, 1] or [B, Q, 2], got {tuple(references.shape)}"
            )
        width = references[..., 1:, None].to(exact) * share
        return centre + offsets / self.num_points * width * 0.5, weights, share
