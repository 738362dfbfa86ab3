"""Pooling of pairs of steps that does not see padding."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .masked_conv import fill_padding


def halve(x: Tensor, mask: Tensor, mode: str) -> tuple[Tensor, Tensor]:
    """Pool pairs of steps into one, over the valid ones of each pair.

    Args:
        x: ``[B, C, T]``; padded steps may hold anything.
        mask: Bool ``[B, T]``, True = valid.
        mode: ``"max"`` or ``"mean"``.

    Returns:
        ``[B, C, ceil(T / 2)]``, zero at padded steps, and its mask: a step is valid if one of its
        pair is.
    """
    shorter = pool_pairs(mask[:, None].float())[:, 0] > 0
    if mode == "max":
        pooled = pool_pairs(fill_padding(x, mask, torch.finfo(x.dtype).min))
        return fill_padding(pooled, shorter), shorter
    parts = F.pad(fill_padding(x, mask), (0, x.shape[-1] % 2)).unflatten(-1, (-1, 2)).sum(-1)
    counts = F.pad(mask, (0, x.shape[-1] % 2)).unflatten(-1, (-1, 2)).sum(-1).clamp(min=1)
    return parts / counts[:, None].to(x.dtype), shorter


def pool_pairs(x: Tensor) -> Tensor:
    """Maximum of every two steps: ``[B, C, T]`` to ``[B, C, ceil(T / 2)]``."""
    return F.max_pool1d(x, 2, 2, ceil_mode=True)
