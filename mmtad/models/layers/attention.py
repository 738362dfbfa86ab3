"""Masked multi-head attention along time, over all steps or over a window around each."""

import torch
import torch.nn.functional as F
from torch import Tensor

MIN_BLOCK = (
    32  # queries per block of windowed attention; smaller blocks cost more in calls than they save
)


def global_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, dropout: float = 0.0
) -> Tensor:
    """Attention over all valid steps.

    Args:
        query: ``[B, T, H, D]``, H heads of width D.
        key: ``[B, T, H, D]``.
        value: ``[B, T, H, D]``.
        mask: Bool ``[B, T]``, True = valid key. A sample without a valid step attends to its
            padding, which keeps the result finite.
        dropout: Chance that an attention weight is dropped.

    Returns:
        ``[B, T, H, D]``; rows of padded steps are finite and mean nothing.
    """
    allowed = mask | ~mask.any(dim=1, keepdim=True)
    out = F.scaled_dot_product_attention(
        query.transpose(1, 2),
        key.transpose(1, 2),
        value.transpose(1, 2),
        attn_mask=allowed[:, None, None],
        dropout_p=dropout,
    )
    return out.transpose(1, 2)


def local_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, window: int, dropout: float = 0.0
) -> Tensor:
    """Attention of every step to the ``window`` steps around it.

    Queries are cut into blocks; a block attends to its own steps and ``window // 2`` more on either
    side through a banded mask. Time and memory grow with ``T * max(window, 32)``, never with ``T *
    T``; T may have any length.

    Args:
        query: ``[B, T, H, D]``, H heads of width D.
        key: ``[B, T, H, D]``.
        value: ``[B, T, H, D]``.
        mask: Bool ``[B, T]``, True = valid key.
        window: Odd number of steps.
        dropout: Chance that an attention weight is dropped.

    Returns:
        ``[B, T, H, D]``; rows of padded steps are finite and mean nothing.
    """
    batch, length, heads, width = query.shape
    radius = window // 2
    block = min(max(MIN_BLOCK, 2 * radius), length)
    blocks = -(-length // block)
    tail = blocks * block - length
    span = block + 2 * radius

    def neighbourhoods(x: Tensor) -> Tensor:
        x = F.pad(x, (0, 0, 0, 0, radius, radius + tail))
        return x.unfold(1, span, block).permute(0, 1, 2, 4, 3).flatten(0, 1)

    query = F.pad(query, (0, 0, 0, 0, 0, tail)).view(batch * blocks, block, heads, width)
    out = F.scaled_dot_product_attention(
        query.transpose(1, 2),
        neighbourhoods(key),
        neighbourhoods(value),
        attn_mask=_band_mask(mask, radius, block, tail),
        dropout_p=dropout,
    )
    return out.transpose(1, 2).reshape(batch, blocks * block, heads, width)[:, :length]


def _band_mask(mask: Tensor, radius: int, block: int, tail: int) -> Tensor:
    """Steps that the queries of each block see: bool ``[B * blocks, 1, block, span]``."""
    span = block + 2 * radius
    shift = (
        torch.arange(span, device=mask.device) - torch.arange(block, device=mask.device)[:, None]
    )
    band = (shift >= 0) & (shift <= 2 * radius)
    keys = F.pad(mask, (radius, radius + tail)).unfold(1, span, block)
    queries = F.pad(mask, (0, tail)).unflatten(1, (-1, block))
    # A padded query sees everything: a row without a single allowed key would be NaN.
    allowed = (band & keys[:, :, None]) | ~queries[..., None]
    return allowed.flatten(0, 1)[:, None]
