"""RoI align along time, in tensor operations: linear in memory, no compiled extension."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .sparse_sum import SamplePoints


def align_points(
    start: Any, length: Any, counts: Any, bins: Any, index: Any, num_steps: int
) -> tuple[Any, Any, Any, Any]:
    """Steps and weights whose weighted sums are the bins of 1-D RoI align.

    A bin is the mean of values interpolated linearly at evenly spaced positions around its centre.
    Step ``i`` lies at position ``i``. Positions before 0 or after the last step read the nearest
    step as long as they lie in [-1, T]; farther out they count as zero. Works on arrays and on
    tensors alike.

    Args:
        start: ``[M]`` in steps.
        length: ``[M]`` in steps.
        counts: ``[M]`` positions in each bin.
        bins: 0 to P - 1.
        index: 0 to S - 1, S the largest of the counts.
        num_steps: Steps T.

    Returns:
        Lower and upper step of each position ``[M, P, S]``, both within [0, T), and their weights;
        positions not needed have the weight 0.
    """
    offset = (index + 0.5) / counts[:, None]  # [M, S], in bins
    width = (length / len(bins))[:, None, None]
    position = start[:, None, None] + (bins[:, None] + offset[:, None]) * width
    used = (index < counts[:, None])[:, None] & (position >= -1) & (position <= num_steps)
    position = position.clip(0, num_steps - 1)
    lower = position // 1
    upper = (lower + 1).clip(0, num_steps - 1)
    fraction = position - lower
    share = used / counts[:, None, None]
    return lower, upper, (1 - fraction) * share, fraction * share


def align_sample_points(
    segments: np.ndarray,
    num_steps: int,
    output_size: int,
    sampling_ratio: int = 0,
    open_end: bool = False,
) -> SamplePoints:
    """Where the bins of constant segments read, for sums whose table is made once.

    Args:
        segments: ``[M, 2]`` start and end in steps.
        num_steps: Steps T.
        output_size: Bins P of a segment, which become points.
        sampling_ratio: See :func:`roi_align1d`.
        open_end: Positions after the last step fade into a step of zeros, as if padding followed.
            Otherwise they read the last step.

    Returns:
        Points of M cells.
    """
    start = segments[:, 0].astype(np.float64)
    length = np.maximum(segments[:, 1] - start, 1)
    counts = np.full_like(length, sampling_ratio) if sampling_ratio else -(-length // output_size)
    index = np.arange(int(counts.max(initial=1)))
    bins = np.arange(output_size)
    lower, upper, of_lower, of_upper = align_points(
        start, length, counts, bins, index, num_steps + open_end
    )
    entries = []
    for steps, weights in ((lower, of_lower), (upper, of_upper)):
        cell, point, position = np.nonzero(weights * (steps < num_steps))
        chosen = (cell, point, position)
        entries.append((cell, point, steps[chosen].astype(np.int64), weights[chosen]))
    cells, points, positions, shares = (
        np.concatenate(column) for column in zip(*entries, strict=True)
    )
    size = (len(segments), output_size, num_steps)
    return SamplePoints(cells, points, positions, shares, size)


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
        sampling_ratio: Positions in a bin; 0 takes ``ceil(length / P)``, about one a step.
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
    start, end = segments.detach().double().unbind(-1)
    length = (end - start).clamp(min=1)
    if sampling_ratio > 0:
        counts = torch.full_like(length, sampling_ratio)
    else:
        counts = (length / output_size).ceil()
    if sampling_ratio > 0 or not len(counts):
        most = max(1, sampling_ratio)
    elif type(counts) is Tensor:
        most = int(counts.max())
    else:  # tensors without values, of which memory is planned: a segment of the whole sequence
        most = -(-num_steps // output_size)
    bins, index = (torch.arange(n, device=segments.device) for n in (output_size, most))
    lower, upper, *weights = align_points(start, length, counts, bins, index, num_steps)
    steps = torch.cat([lower, upper], dim=-1).long() + batch_index[:, None, None] * num_steps
    pooled = F.embedding_bag(
        steps.flatten(0, 1),
        rows,
        mode="sum",
        per_sample_weights=torch.cat(weights, dim=-1).flatten(0, 1).to(rows.dtype),
    )
    return pooled.unflatten(0, (-1, output_size)).transpose(1, 2).to(features.dtype)
