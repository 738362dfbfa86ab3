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
    block = max(MIN_BLOCK, 2 * radius)
    outside = radius if length > block else 0  # steps of other blocks that a block needs
    block = min(block, length)
    blocks = -(-length // block)
    tail = (0, 0, 0, 0, 0, blocks * block - length)

    def cut(x: Tensor) -> Tensor:
        return F.pad(x, tail).unflatten(1, (blocks, block))

    def neighbourhoods(x: Tensor) -> Tensor:
        return _with_neighbours(cut(x), outside).flatten(0, 1).transpose(1, 2)

    valid = mask[..., None, None]
    queries, keys = cut(valid), _with_neighbours(cut(valid), outside)
    shift = torch.arange(keys.shape[2], device=mask.device) - outside
    band = (shift - torch.arange(block, device=mask.device)[:, None]).abs() <= radius
    # A padded query sees everything: a row without a single allowed key would be NaN.
    allowed = (band & keys.flatten(2)[:, :, None]) | ~queries.flatten(2)[..., None]
    out = F.scaled_dot_product_attention(
        cut(query).flatten(0, 1).transpose(1, 2),
        neighbourhoods(key),
        neighbourhoods(value),
        attn_mask=allowed.flatten(0, 1)[:, None],
        dropout_p=dropout,
    )
    return out.transpose(1, 2).reshape(batch, blocks * block, heads, width)[:, :length]


def _with_neighbours(x: Tensor, radius: int) -> Tensor:
    """Put the end of the block before and the start of the block after around every block.

    Args:
        x: ``[B, blocks, block, ...]`` with ``block >= radius``.
        radius: Steps taken from either side; zeros where there is no block.

    Returns:
        ``[B, blocks, block + 2 * radius, ...]``.
    """
    inner = (0, 0) * (x.dim() - 2)
    before = F.pad(x[:, :-1, x.shape[2] - radius :], (*inner, 1, 0))
    after = F.pad(x[:, 1:, :radius], (*inner, 0, 1))
    return torch.cat([before, x, after], dim=2)
