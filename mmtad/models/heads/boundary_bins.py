"""Distances to boundaries as expectations over bins, the idea of TriDet's head."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def pad_and_join(levels: Sequence[Tensor], before: int, after: int) -> Tensor:
    """Surround every level with zeros and join the levels, in at least float32.

    Args:
        levels: L tensors ``[B, K, T_l]``.
        before: Zeros before the first step.
        after: Zeros after the last step.

    Returns:
        ``[B, K, S + L (before + after)]``, S = sum of T_l.
    """
    joined = torch.cat([F.pad(x, (before, after)) for x in levels], dim=-1)
    return joined if joined.dtype == torch.float64 else joined.float()


def first_bins(lengths: Sequence[int], num_bins: int, device: torch.device | str | None) -> Tensor:
    """Where in the result of :func:`pad_and_join` the bins of each point begin.

    With ``num_bins`` zeros on one side of every level, the ``num_bins + 1`` bins of a point are
    consecutive: those that end at its own step if the zeros come first, those that begin there if
    they come last.

    Args:
        lengths: Steps T_l of each level.
        num_bins: Bins beside that of distance 0.
        device: Where to make them.

    Returns:
        int64 ``[S]``.
    """
    points = torch.arange(sum(lengths), device=device)
    levels = torch.arange(len(lengths), device=device)
    return points + num_bins * levels.repeat_interleave(torch.tensor(lengths, device=device))


def expected_distances(start_bins: Tensor, end_bins: Tensor, offsets: Tensor) -> Tensor:
    """Expected distances of points to their start and end.

    The response of the start branch at the steps ``t - n .. t``, n = ``num_bins``, plus an offset
    per bin, is the logit of the distances ``n .. 0``; mirrored for the end. `TriDet
    <https://arxiv.org/abs/2303.07347>`_, eq. 5 to 7.

    Args:
        start_bins: ``[N, n + 1]`` responses at the steps ``t - n .. t``.
        end_bins: ``[N, n + 1]`` responses at the steps ``t .. t + n``.
        offsets: ``[N, 2 (n + 1)]`` offset per bin, those of the start first.

    Returns:
        ``[N, 2]`` distances over the stride, in [0, n].
    """
    distance = torch.arange(start_bins.shape[-1], device=offsets.device, dtype=offsets.dtype)
    start_offsets, end_offsets = offsets.chunk(2, dim=-1)
    # Sums of products, not matrix products: autocast would run those in half precision.
    left = (start_bins + start_offsets).softmax(-1) * distance.flip(0)
    right = (end_bins + end_offsets).softmax(-1) * distance
    return torch.stack([left.sum(-1), right.sum(-1)], dim=-1)
