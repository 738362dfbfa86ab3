"""Arithmetic on temporal segments: the one place where overlaps are computed on tensors.

A segment is a pair (start, end) in any one unit; an overlap is a fraction. Zero-length segments
overlap nothing (0 instead of 0 / 0).
"""

import torch
from torch import Tensor


def centerwidth_to_segment(segments: Tensor) -> Tensor:
    """Turn (centre, width) pairs into (start, end) pairs.

    Args:
        segments: ``[..., 2]`` centre and width in any unit.

    Returns:
        ``[..., 2]`` start and end in the same unit.
    """
    center, width = segments.unbind(-1)
    return torch.stack([center - width / 2, center + width / 2], dim=-1)


def segment_to_centerwidth(segments: Tensor) -> Tensor:
    """Turn (start, end) pairs into (centre, width) pairs.

    Args:
        segments: ``[..., 2]`` start and end in any unit.

    Returns:
        ``[..., 2]`` centre and width in the same unit.
    """
    start, end = segments.unbind(-1)
    return torch.stack([(start + end) / 2, end - start], dim=-1)


def clip_segments(segments: Tensor, low: float, high: float) -> Tensor:
    """Clip (start, end) pairs to ``[low, high]``.

    Args:
        segments: ``[..., 2]``.
        low: Smallest value allowed, in the unit of the segments.
        high: Largest value allowed, in the unit of the segments.

    Returns:
        ``[..., 2]``, a new tensor.
    """
    return segments.clamp(min=low, max=high)


def _pair(a: Tensor, b: Tensor, aligned: bool) -> tuple[Tensor, Tensor]:
    if aligned:
        if a.shape != b.shape:
            raise ValueError(f"aligned segments need one shape, got {a.shape} and {b.shape}")
        return a, b
    return a[..., :, None, :], b[..., None, :, :]


def _positive(lengths: Tensor) -> Tensor:
    """Replace lengths that nothing may be divided by with 1, so that gradients stay finite too."""
    return torch.where(lengths > torch.finfo(lengths.dtype).tiny, lengths, 1)


def _overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Intersection over union, union and enclosing length of broadcast segments."""
    inter = (torch.minimum(a[..., 1], b[..., 1]) - torch.maximum(a[..., 0], b[..., 0])).clamp(min=0)
    union = (a[..., 1] - a[..., 0]) + (b[..., 1] - b[..., 0]) - inter
    hull = torch.maximum(a[..., 1], b[..., 1]) - torch.minimum(a[..., 0], b[..., 0])
    return inter / _positive(union), union, hull


def segment_iou(a: Tensor, b: Tensor, aligned: bool = False) -> Tensor:
    """Temporal intersection over union (tIoU).

    Args:
        a: ``[N, 2]`` start and end, floating point.
        b: ``[M, 2]``, or ``[N, 2]`` when aligned.
        aligned: Pair the i-th segments instead of all with all.

    Returns:
        ``[N, M]``, or ``[N]`` when aligned, values in [0, 1]; 0 where the union is empty.

    Raises:
        ValueError: If aligned shapes differ.
    """
    return _overlap(*_pair(a, b, aligned))[0]


def segment_giou(a: Tensor, b: Tensor, aligned: bool = False) -> Tensor:
    """Generalised IoU in one dimension (`GIoU <https://arxiv.org/abs/1902.09630>`_).

    IoU - gap between the segments / length of the enclosing segment.

    Args:
        a: ``[N, 2]`` start and end, floating point.
        b: ``[M, 2]``, or ``[N, 2]`` when aligned.
        aligned: Pair the i-th segments instead of all with all.

    Returns:
        ``[N, M]``, or ``[N]`` when aligned, values in [-1, 1]; -1 only for points apart.
    """
    iou, union, hull = _overlap(*_pair(a, b, aligned))
    return iou - (hull - union).clamp(min=0) / _positive(hull)


def segment_diou(a: Tensor, b: Tensor, aligned: bool = False) -> Tensor:
    """Distance IoU in one dimension (`DIoU <https://arxiv.org/abs/1911.08287>`_).

    IoU - (distance of the centres / length of the enclosing segment)^2.

    Args:
        a: ``[N, 2]`` start and end, floating point.
        b: ``[M, 2]``, or ``[N, 2]`` when aligned.
        aligned: Pair the i-th segments instead of all with all.

    Returns:
        ``[N, M]``, or ``[N]`` when aligned, values in [-1, 1]; -1 only for points apart.
    """
    a, b = _pair(a, b, aligned)
    iou, _, hull = _overlap(a, b)
    distance = (a.sum(-1) - b.sum(-1)) / 2
    return iou - (distance / _positive(hull)).square()
