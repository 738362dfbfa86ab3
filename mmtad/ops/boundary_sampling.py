"""Boundary-matching sampling of BMN as sparse sums instead of a dense ``[T, N, D, T]`` matrix."""

import numpy as np
import torch
from torch import Tensor, nn

from .sparse_sum import SamplePoints


def proposal_segments(num_steps: int, num_durations: int) -> tuple[Tensor, Tensor]:
    """Segments of a proposal map: cell (d, t) is ``[t, t + d + 1]``.

    Args:
        num_steps: Steps T.
        num_durations: Durations D.

    Returns:
        Segments float ``[D, T, 2]`` in steps and bool ``[D, T]``, True where the segment ends by T;
        the other segments reach beyond.
    """
    segments, valid = proposal_arrays(num_steps, num_durations)
    return torch.tensor(segments), torch.tensor(valid)


def proposal_arrays(num_steps: int, num_durations: int) -> tuple[np.ndarray, np.ndarray]:
    """:func:`proposal_segments` as arrays, float32 and bool."""
    duration, start = np.indices((num_durations, num_steps))
    segments = np.stack([start, start + duration + 1], axis=-1)
    return segments.astype(np.float32), segments[..., 1] <= num_steps


def boundary_sample_points(
    num_steps: int,
    num_durations: int,
    num_points: int = 32,
    num_subsamples: int = 3,
    extend_ratio: float = 0.5,
) -> SamplePoints:
    """Where the boundary-matching layer of BMN reads, for every cell of the map.

    `BMN <https://arxiv.org/abs/1907.09702>`_, section 3.2. Cell (d, t) covers the steps t to t + d,
    enlarged at both sides by ``extend_ratio * (d + 1)``. ``num_points * num_subsamples`` positions
    divide this range evenly, both ends among them; every point is the mean of ``num_subsamples``
    successive ones, each interpolated linearly between two steps. Steps outside [0, T) count as
    zero, except that a position between -1 and 0 reads step 0 in full (public code truncates it
    towards zero). Cells that end beyond T read nothing.

    Args:
        num_steps: Steps T.
        num_durations: Durations D.
        num_points: Points N of a cell.
        num_subsamples: Positions averaged into a point.
        extend_ratio: Enlargement at each side, in lengths of the segment.

    Returns:
        Points of ``D * T`` cells, cell (d, t) the ``d * T + t``-th.
    """
    duration = np.arange(num_durations)[:, None, None, None]
    start = np.arange(num_steps)[None, :, None, None]
    margin = (duration + 1) * extend_ratio
    total = num_points * num_subsamples
    spacing = (duration + 2 * margin) / max(total - 1, 1)
    index = np.arange(total).reshape(num_points, num_subsamples)
    positions = np.where(start + duration < num_steps, start - margin + spacing * index, np.nan)
    lower = np.trunc(positions)
    upper = np.ceil(positions)
    fraction = positions - lower
    shape = positions.shape
    cell = np.broadcast_to(duration * num_steps + start, shape)
    point = np.broadcast_to(np.arange(num_points)[:, None], shape)
    entries = []
    for step, weight in ((lower, 1 - fraction), (upper, fraction)):
        inside = (step >= 0) & (step < num_steps)
        entries.append((cell[inside], point[inside], step[inside].astype(np.int64), weight[inside]))
    cells, points, steps, weights = (
        np.concatenate(column) for column in zip(*entries, strict=True)
    )
    size = (num_durations * num_steps, num_points, num_steps)
    return SamplePoints(cells, points, steps, weights / num_subsamples, size)


class BoundarySampling(nn.Module):
    """The boundary-matching layer alone: features to the points of every cell.

    Its output is ``N * D`` times as large as its input; where a convolution over the points
    follows, :func:`sampled_projection` spares it.

    Args:
        num_steps: Steps T.
        num_durations: Durations D.
        num_points: Points N of a cell.
        num_subsamples: Positions averaged into a point.
        extend_ratio: Enlargement at each side, in lengths of the segment.
    """

    def __init__(
        self,
        num_steps: int,
        num_durations: int,
        num_points: int = 32,
        num_subsamples: int = 3,
        extend_ratio: float = 0.5,
    ) -> None:
        super().__init__()
        self.size = (num_durations, num_steps, num_points)
        self.sums = boundary_sample_points(
            num_steps, num_durations, num_points, num_subsamples, extend_ratio
        ).sampling()

    def forward(self, x: Tensor) -> Tensor:
        """Sample.

        Args:
            x: ``[B, C, T]``.

        Returns:
            ``[B, C, N, D, T]``; zero where cell (d, t) ends beyond T.
        """
        points = self.sums(x.transpose(1, 2))
        return points.unflatten(1, self.size).permute(0, 4, 3, 1, 2)
