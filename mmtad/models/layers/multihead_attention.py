"""Multi-head attention that can show its map."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .channels_last import Linear
from .masked_conv import known_full


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    dropout: float = 0.0,
    return_map: bool = False,
    bias: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Scaled dot-product attention of H heads; the scale is ``1 / sqrt(D)``.

    Without a map this is PyTorch's fused attention. With one the weights are computed in at least
    float32 and returned as they are before dropout, so that rows sum to 1.

    Args:
        query: ``[B, Q, H, D]``.
        key: ``[B, T, H, D]``.
        value: ``[B, T, H, D_v]``.
        mask: Bool ``[B, T]``, True = valid key; None for all. A sample without a valid key attends
            to its padding, which keeps the result finite.
        dropout: Chance that a weight is dropped.
        return_map: Return the weights as well.
        bias: Added to the scores before the softmax, broadcast to ``[B, H, Q, T]``; None for none.

    Returns:
        ``[B, Q, H, D_v]`` and the weights ``[B, H, Q, T]``, or None; 0 at padded keys.
    """
    q, k, v = (x.transpose(1, 2) for x in (query, key, value))
    allowed = (
        None
        if mask is None or known_full(mask)
        else (mask | ~mask.any(dim=1, keepdim=True))[:, None, None]
    )
    if not return_map:
        extra = allowed
        if bias is not None:
            extra = bias.to(q.dtype)
            if allowed is not None:
                extra = extra.masked_fill(~allowed, float("-inf"))
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=extra, dropout_p=dropout)
        return out.transpose(1, 2), None
    with torch.autocast(query.device.type, enabled=False):
        exact = torch.promote_types(q.dtype, torch.float32)
        scores = (q.to(exact) * q.shape[-1] ** -0.5) @ k.to(exact).mT
        if bias is not None:
            scores = scores + bias.to(exact)
        if allowed is not None:
            scores = scores.masked_fill(~allowed, float("-inf"))
        weights = scores.softmax(dim=-1)
    out = F.dropout(weights, dropout).to(v.dtype) @ v
    return out.transpose(1, 2), weights


class MultiheadAttention(nn.Module):
    """Attention with projections of query, key and value, and of the result.

    `Attention is all you need <https://arxiv.org/abs/1706.03762>`_, section 3.2.2. The projections
    start as in ``torch.nn.MultiheadAttention``.

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
        if embed_dims % num_heads:
            raise ValueError(f"{num_heads} heads do not divide a width of {embed_dims}")
        self.num_heads = num_heads
        self.dropout = dropout
        self.query_proj = Linear(embed_dims, embed_dims)
        self.key_proj = Linear(embed_dims, embed_dims)
        self.value_proj = Linear(embed_dims, embed_dims)
        self.out_proj = Linear(embed_dims, embed_dims)
        for layer in (self.query_proj, self.key_proj, self.value_proj):
            # PyTorch initialises the three as one matrix, which makes their range smaller.
            nn.init.xavier_uniform_(layer.weight, gain=2**-0.5)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None = None,
        return_map: bool = False,
        bias: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Args:
            query: ``[B, Q, C]``, positions added.
            key: ``[B, T, C]``, positions added; finite at padded steps.
            value: ``[B, T, C]``; finite at padded steps.
            mask: Bool ``[B, T]``, True = valid key; None for all.
            return_map: Return the weights as well.
            bias: See :func:`attend`.

        Returns:
            ``[B, Q, C]`` and the weights ``[B, H, Q, T]`` before dropout, or None.
        """
        heads = (self.num_heads, -1)
        out, weights = attend(
            self.query_proj(query).unflatten(-1, heads),
            self.key_proj(key).unflatten(-1, heads),
            self.value_proj(value).unflatten(-1, heads),
            mask,
            self.dropout if self.training else 0.0,
            return_map,
            bias,
        )
        return self.out_proj(out.flatten(2)), weights
