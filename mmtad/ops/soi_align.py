"""Pooling of segments of interest (SoI) from a temporal pyramid, each from the level it belongs to.

`Towards High-Quality Temporal Action Detection with Sparse Proposals
<https://arxiv.org/abs/2109.08847>`_, section 3.3. No public code exists; what the paper leaves open
is said where it is decided.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def assign_levels(widths: Tensor, num_levels: int) -> Tensor:
    """Choose the level of every segment: ``floor(l0 + log2(t / T))``, limited to the levels.

    ``l0`` is the top level: a segment as long as the window is read there, one of half its length
    or more one level below, and so on. Computed by comparisons with the powers of two, so that no
    rounding of a logarithm moves a boundary.

    Args:
        widths: ``[...]``, lengths in unit: t / T.
        num_levels: Levels L.

    Returns:
        int64 ``[...]``, 0 (finest) to L - 1 (top). Empty segments are on level 0.
    """
    boundaries = 2.0 ** -torch.arange(
        num_levels - 1, device=widths.device, dtype=torch.promote_types(widths.dtype, torch.float32)
    )
    return (widths[..., None] >= boundaries).sum(-1)


def enlarge_segments(segments: Tensor, eta: float = 5.0) -> Tensor:
    """Add ``w / eta`` on each side, so that a segment is seen with what surrounds it.

    Args:
        segments: ``[..., 2]`` centre and width in any unit.
        eta: Width of a segment over the margin; the paper's 5 makes them 1.4 times as long.

    Returns:
        ``[..., 2]`` start and end in the same unit.
    """
    center, width = segments.unbind(-1)
    half = width / 2 + width / eta
    return torch.stack([center - half, center + half], dim=-1)


def soi_align(
    levels: Sequence[Tensor],
    lengths: Sequence[Tensor],
    segments: Tensor,
    level_index: Tensor,
    output_size: int = 16,
    sampling_ratio: int = 2,
) -> Tensor:
    """Pool segments from the levels of a pyramid, all levels in one gather.

    RoI align in one dimension, see :func:`~mmtad.ops.roi_align1d`, with steps as cells: step ``i``
    of a level covers positions i to i + 1 and its value lies in the middle (`aligned` in Detectron2
    and MMCV). Segments are first limited to the window. Positions before the middle of the first
    step or behind that of the last valid one read that step, so padding is never seen. Gradients
    reach the features, not the segments. Half precision is summed in float32.

    Args:
        levels: L tensors ``[B, C, T_l]``; every step finite.
        lengths: L tensors ``[B]``: valid length of each level in its own steps, which need not be a
            whole number. Steps behind it are not read.
        segments: ``[B, N, 2]`` start and end in unit, or ``[1, N, 2]`` for all samples.
        level_index: int64 ``[B, N]`` or ``[1, N]``, the level of each segment.
        output_size: Bins P of a segment.
        sampling_ratio: Positions in a bin, whose mean is taken.

    Returns:
        ``[B, N, C, P]`` in the dtype of the levels.

    Raises:
        ValueError: If ``output_size`` or ``sampling_ratio`` is not positive, or there are not as
            many lengths as levels.
    """
    if output_size < 1 or sampling_ratio < 1:
        raise ValueError(
            "output_size and sampling_ratio must be positive, got "
            f"{output_size} and {sampling_ratio}"
        )
    if len(lengths) != len(levels):
        raise ValueError(f"{len(levels)} levels need as many lengths, got {len(lengths)}")
    (batch, channels), count = levels[0].shape[:2], segments.shape[1]
    pyramid = levels[0] if len(levels) == 1 else torch.cat(list(levels), dim=-1)
    exact = torch.promote_types(pyramid.dtype, torch.float32)
    rows = pyramid.transpose(1, 2).flatten(0, 1).to(exact)
    steps, weights = _positions(
        [level.shape[-1] for level in levels],
        torch.stack(list(lengths), dim=-1).to(exact),
        segments.detach().to(exact),
        level_index.expand(batch, count),
        output_size * sampling_ratio,
    )
    pooled = F.embedding_bag(
        steps.view(batch * count * output_size, 2 * sampling_ratio),
        rows,
        mode="sum",
        per_sample_weights=(weights / sampling_ratio).view(-1, 2 * sampling_ratio),
    )
    return pooled.view(batch, count, output_size, channels).transpose(2, 3).to(pyramid.dtype)


def _positions(
    sizes: Sequence[int], lengths: Tensor, segments: Tensor, level_index: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    """Rows of the joined pyramid that segments read, and their weights.

    Args:
        sizes: L numbers of steps.
        lengths: ``[B, L]`` valid lengths in steps.
        segments: ``[B or 1, N, 2]`` start and end in unit.
        level_index: ``[B, N]``.
        count: Positions M in a segment, evenly spaced.

    Returns:
        Rows int64 and weights, each ``[B, N, M, 2]``: lower and upper step of every position.
    """
    device = segments.device
    starts = torch.tensor([0, *sizes], device=device).cumsum(0)
    valid = lengths.gather(1, level_index)[..., None]  # [B, N, 1]
    start, end = segments.clamp(0, 1)[..., None, :].unbind(-1)
    share = (torch.arange(count, device=device, dtype=segments.dtype) + 0.5) / count
    last = (valid.ceil() - 1).clamp(min=0)
    position = ((start + (end - start) * share) * valid - 0.5).clamp(min=0).minimum(last)
    position = position.nan_to_num(0.0)  # such a segment is reported by the matcher, not here
    lower = position.floor()
    upper = (lower + 1).minimum(last)
    fraction = position - lower
    first = starts[level_index] + starts[-1] * torch.arange(len(lengths), device=device)[:, None]
    rows = torch.stack([lower, upper], dim=-1).long() + first[..., None, None]
    return rows, torch.stack([1 - fraction, fraction], dim=-1)
