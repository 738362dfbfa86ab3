"""RoI align along time, in tensor operations: linear in memory, no compiled extension."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .sparse_sum import SamplePoints


def align_points(
    segments: Tensor, num_steps: int, output_size: int, sampling_ratio: int = 0
) -> tuple[Tensor, Tensor]:
    """Steps and weights whose weighted sums are the bins of 1-D RoI align.

    A segment of at least one step is cut into ``output_size`` bins; a bin is the mean of values
    interpolated linearly at evenly spaced positions around its centre. Step ``i`` lies at position
    ``i``. Positions before 0 or after the last step read the nearest step as long as they lie in
    [-1, T]; farther out they count as zero.

    Args:
        segments: ``[M, 2]`` start and end in steps.
        num_steps: Steps T of the features.
        output_size: Bins P of a segment.
        sampling_ratio: Positions in a bin; 0 takes ``ceil(length / P)``, at least one a step.

    Returns:
        Steps int64 ``[M, P, 2 S]`` in [0, T) and weights ``[M, P, 2 S]``, S the largest number of
        positions in a bin; entries not needed have the weight 0.
    """
    start = segments[:, 0]
    length = (segments[:, 1] - start).clamp(min=1)
    if sampling_ratio > 0:
        counts = torch.full_like(length, sampling_ratio)
    else:
        counts = (length / output_size).ceil()
    most = int(counts.max()) if len(segments) else 1
    index = torch.arange(most, device=segments.device)
    bins = torch.arange(output_size, device=segments.device)
    offset = (index + 0.5) / counts[:, None]  # [M, S] in bins
    width = (length / output_size)[:, None, None]
    position = start[:, None, None] + (bins[:, None] + offset[:, None]) * width
    used = (index < counts[:, None])[:, None] & (position >= -1) & (position <= num_steps)
    position = position.clamp(0, num_steps - 1)
    lower = position.floor()
    fraction = position - lower
    share = used / counts[:, None, None]
    steps = torch.cat([lower, (lower + 1).clamp(max=num_steps - 1)], dim=-1).long()
    return steps, torch.cat([(1 - fraction) * share, fraction * share], dim=-1)


def align_sample_points(
    segments: Tensor, num_steps: int, output_size: int, sampling_ratio: int = 0
) -> SamplePoints:
    """Where the bins of constant segments read, for sums that are computed once.

    Args:
        segments: ``[M, 2]`` start and end in steps.
        num_steps: Steps T.
        output_size: Bins P of a segment, which become points.
        sampling_ratio: See :func:`align_points`.

    Returns:
        Points of M cells.
    """
    steps, weights = align_points(segments.double(), num_steps, output_size, sampling_ratio)
    cell, point = np.indices(steps.shape)[:2]
    used = weights.numpy() != 0
    return SamplePoints(
        cell[used],
        point[used],
        steps.numpy()[used],
        weights.numpy()[used],
        (len(segments), output_size, num_steps),
    )


def roi_align1d(
    features: Tensor,
    segments: Tensor,
    output_size: int,
    sampling_ratio: int = 0,
    batch_index: Tensor | None = None,
) -> Tensor:
    """Pool every segment of a feature sequence into a fixed number of bins.

    `Mask R-CNN <https://arxiv.org/abs/1703.06870>`_ in one dimension, as G-TAD and TadTR use it.
    Gradients reach the features, not the segments, as in their code. Half precision is computed in
    float32. Memory grows with the output and with the positions, not with their product: no sample
    is ever gathered for all channels.

    Args:
        features: ``[B, C, T]``; step ``i`` lies at position ``i``.
        segments: ``[B, N, 2]`` start and end in steps, or ``[M, 2]`` with ``batch_index``. They may
            reach beyond the sequence; shorter ones than one step count as one step from their
            start.
        output_size: Bins P of a segment.
        sampling_ratio: Positions in a bin; 0 adapts to the length, see :func:`align_points`.
        batch_index: int64 ``[M]`` sample of each segment.

    Returns:
        ``[B, N, C, P]``, or ``[M, C, P]``, in the dtype of the features.

    Raises:
        ValueError: If ``output_size`` or ``sampling_ratio`` is out of range, or shapes do not fit.
    """
    if output_size < 1 or sampling_ratio < 0:
        raise ValueError(
            "output_size must be positive and sampling_ratio >= 0, got "
            f"{output_size} and {sampling_ratio}"
        )
    batch, channels, num_steps = features.shape
    if batch_index is None:
        if segments.dim() != 3 or len(segments) != batch:
            raise ValueError(
                f"segments are [B, N, 2] with B={batch}, or [M, 2] with a batch_index; got "
                f"{tuple(segments.shape)}"
            )
        index = torch.arange(batch, device=segments.device).repeat_interleave(segments.shape[1])
        flat = roi_align1d(features, segments.flatten(0, 1), output_size, sampling_ratio, index)
        return flat.unflatten(0, segments.shape[:2])
    if segments.shape != (len(batch_index), 2):
        raise ValueError(
            f"{len(batch_index)} batch indices need segments [M, 2], got {tuple(segments.shape)}"
        )
    exact = features if features.dtype == torch.float64 else features.float()
    rows = exact.transpose(1, 2).reshape(batch * num_steps, channels)
    steps, weights = align_points(
        segments.detach().double(), num_steps, output_size, sampling_ratio
    )
    steps = steps + batch_index[:, None, None] * num_steps
    weights = weights.flatten(0, 1).to(rows.dtype)
    pooled = F.embedding_bag(steps.flatten(0, 1), rows, mode="sum", per_sample_weights=weights)
    return pooled.unflatten(0, (-1, output_size)).transpose(1, 2).to(features.dtype)
