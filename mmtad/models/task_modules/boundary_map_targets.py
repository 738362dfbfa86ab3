"""Targets of boundary-matching detectors: where actions start and end, and how well cells fit."""

import torch
from torch import Tensor

from mmtad.structures import segment_iou


def boundary_targets(
    segments: Tensor, num_steps: int, width: float = 3.0, whole_only: bool = False
) -> Tensor:
    """How much of each step lies within a region around the start, or the end, of an action.

    `BMN <https://arxiv.org/abs/1907.09702>`_, section 4.1. Step ``i`` is the unit cell ``[i, i +
    1]``, a region is ``width`` steps long with the boundary in its middle.

    Args:
        segments: ``[N, 2]`` start and end in steps; N may be 0.
        num_steps: Steps T.
        width: Length of the regions in steps.
        whole_only: Steps that a region does not cover whole get 0. OpenTAD does so, as it stores
            the shares as integers.

    Returns:
        ``[2, T]`` shares in [0, 1], of starts and of ends; the largest over all actions.
    """
    cells = torch.arange(num_steps, device=segments.device, dtype=segments.dtype)
    low = segments.t()[..., None] - width / 2  # [2, N, 1]
    covered = torch.minimum(low + width, cells + 1) - torch.maximum(low, cells)
    shares = covered.clamp(min=0)
    shares = shares.floor() if whole_only else shares
    nothing = shares.new_zeros(2, 1, num_steps)
    return torch.cat([nothing, shares], dim=1).amax(1)


def map_targets(segments: Tensor, proposals: Tensor) -> Tensor:
    """Overlap (tIoU) of every proposal with the action that it fits best.

    Args:
        segments: ``[N, 2]`` start and end in steps; N may be 0.
        proposals: ``[M, 2]`` in steps.

    Returns:
        ``[M]`` in [0, 1].
    """
    if len(segments) == 0:
        return proposals.new_zeros(len(proposals))
    return segment_iou(proposals, segments.to(proposals)).amax(1)


def choose_boundaries(scores: Tensor, mask: Tensor) -> Tensor:
    """Steps that may be a boundary: those with more than half of the best score, and local peaks.

    `BSN <https://arxiv.org/abs/1806.02964>`_, section 3.3. A step is a peak if neither neighbour
    scores higher.

    Args:
        scores: ``[..., T]``, >= 0.
        mask: Bool, broadcast to the shape of ``scores``; other steps are never chosen.

    Returns:
        Bool ``[..., T]``.
    """
    scores = scores.masked_fill(~mask, 0.0)
    high = scores > 0.5 * scores.amax(-1, keepdim=True)
    flat = scores.reshape(-1, 1, scores.shape[-1])
    around = torch.nn.functional.max_pool1d(flat, 3, stride=1, padding=1).view_as(scores)
    return (high | (scores == around)) & mask
