"""Pieces of the boundary map that :class:`BoundaryMapHead` is made of."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import GCNeXt
from ..task_modules import choose_boundaries

BLOCKS = ("conv", "gcnext")


class BoundaryMapOutputs(NamedTuple):
    """Raw outputs of :class:`BoundaryMapHead`.

    Attributes:
        boundary_logits: ``[B, 2, T]``, start and end.
        map_logits: ``[B, 2, D, T]``, classification and regression of the overlap; cell (d, t)
            belongs to the proposal ``[t, t + d + 1]``.
    """

    boundary_logits: Tensor
    map_logits: Tensor


class BoundaryTower(nn.Module):
    """One block with ReLU and a 1x1 convolution: boundary logits of every step.

    Args:
        channels: Channels C of the features.
        out_channels: Boundaries to score: 2 if start and end share the tower.
        block: ``"conv"`` (BMN): a convolution of kernel 3; ``"gcnext"`` (G-TAD): a graph block.
        groups: Groups of the block.
        isolate_padding: Padding does not touch valid steps.

    Raises:
        ValueError: If the block is unknown.
    """

    def __init__(
        self, channels: int, out_channels: int, block: str, groups: int, isolate_padding: bool
    ) -> None:
        super().__init__()
        if block not in BLOCKS:
            raise ValueError(f"the block of a boundary tower is one of {BLOCKS}, got {block!r}")
        self.graph = block == "gcnext"
        self.block = (
            GCNeXt(channels, groups=groups, isolate_padding=isolate_padding)
            if self.graph
            else nn.Conv1d(channels, channels, 3, padding=1, groups=groups)
        )
        self.out = nn.Conv1d(channels, out_channels, 1)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Score the steps: ``[B, C, T]``, zero at padded steps, to ``[B, out_channels, T]``."""
        return self.out(self.block(x, mask) if self.graph else F.relu(self.block(x)))


def valid_cells(segments: Tensor, mask: Tensor) -> Tensor:
    """Cells whose proposal ends by the last valid step.

    Args:
        segments: ``[D, T, 2]`` in steps.
        mask: Bool ``[B, T]``, True = valid; valid steps come first.

    Returns:
        Bool ``[B, D, T]``.
    """
    return segments[..., 1] <= mask.sum(1)[:, None, None]


def candidate_cells(
    boundary: Tensor, segments: Tensor, mask: Tensor, accept_ends: bool = False
) -> Tensor:
    """Cells whose first step may be a start and whose last step may be an end.

    `BMN <https://arxiv.org/abs/1907.09702>`_, section 4.3; see
    :func:`~mmtad.models.task_modules.choose_boundaries`.

    Args:
        boundary: Scores ``[B, 2, T]`` of starts and ends.
        segments: ``[D, T, 2]`` in steps.
        mask: Bool ``[B, T]``, True = valid; valid steps come first.
        accept_ends: The first valid step may always be a start, the last always an end.

    Returns:
        Bool ``[B, D, T]``.
    """
    chosen = choose_boundaries(boundary, mask[:, None])
    if accept_ends:
        last = (mask.sum(1) - 1).clamp(min=0)
        chosen[:, 0, 0] |= mask[:, 0]
        chosen[torch.arange(len(mask), device=mask.device), 1, last] |= mask.any(1)
    first, final = _boundary_steps(segments)
    return chosen[:, 0][:, first] & chosen[:, 1][:, final] & valid_cells(segments, mask)


def boundary_scores(boundary: Tensor, segments: Tensor) -> Tensor:
    """Score of the start times score of the end, ``[B, 2, T]`` to ``[B, D, T]``."""
    first, final = _boundary_steps(segments)
    return boundary[:, 0][:, first] * boundary[:, 1][:, final]


def _boundary_steps(segments: Tensor) -> tuple[Tensor, Tensor]:
    """First and last step of the segments ``[D, T, 2]``; of those that end beyond T, any."""
    first = segments[..., 0].long()
    return first, (segments[..., 1].long() - 1).clamp(max=segments.shape[1] - 1)
