"""Pieces of the boundary map that :class:`BoundaryMapHead` is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import GCNeXt, resolve_preset
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


@dataclass(frozen=True)
class MapBehaviour:
    """In what the papers of BMN and G-TAD and the public codes differ.

    Attributes:
        shared_tower: One tower scores starts and ends.
        reg_weight: Weight of the regression loss of the map.
        score_type: ``"product"`` or ``"iou"``.
        candidates: ``"boundaries"`` or ``"all"``.
        accept_ends: The first step is always a candidate start, the last an end.
        whole_steps: A step is a boundary only if the region around it covers it whole.
        isolate_padding: Padding, and cells that end beyond it, touch nothing and get no loss;
            overlaps are sampled by kind, see :func:`~mmtad.models.losses.balanced_l2_loss`.
        overlapping_only: Cells without any overlap are not regressed, see there.
    """

    shared_tower: bool
    reg_weight: float
    score_type: str
    candidates: str
    accept_ends: bool
    whole_steps: bool
    isolate_padding: bool
    overlapping_only: bool

    def regression_loss(self, weight: float | None = None) -> dict:
        """Config of the regression loss of the map; ``weight`` replaces that of the preset."""
        return dict(
            type="mmtad.BalancedL2Loss",
            as_published=not self.isolate_padding,
            overlapping_only=self.overlapping_only,
            loss_weight=self.reg_weight if weight is None else weight,
        )


def resolve_map_behaviour(block: str, preset: str) -> MapBehaviour:
    """What is done under a preset.

    Args:
        block: ``"conv"`` for BMN, ``"gcnext"`` for G-TAD.
        preset: See :func:`~mmtad.models.layers.resolve_preset`.

    Returns:
        The behaviour.

    Raises:
        ValueError: If block or preset is unknown.
    """
    if block not in BLOCKS:
        raise ValueError(f"the block of a boundary tower is one of {BLOCKS}, got {block!r}")
    opentad = preset == "opentad"
    as_bmn = block == "conv" and not opentad
    return MapBehaviour(
        shared_tower=as_bmn,
        reg_weight=10.0 if as_bmn else 5.0,
        score_type="product" if as_bmn else "iou",
        candidates="all" if block == "gcnext" and preset == "official" else "boundaries",
        accept_ends=opentad,
        whole_steps=opentad,
        isolate_padding=resolve_preset(preset).isolate_padding,
        overlapping_only=preset == "official",
    )


class BoundaryTower(nn.Module):
    """One block with ReLU and a 1x1 convolution: boundary logits of every step.

    Args:
        channels: Channels C of the features.
        out_channels: Boundaries to score: 2 if start and end share the tower.
        block: ``"conv"`` (BMN): a convolution of kernel 3; ``"gcnext"`` (G-TAD): a graph block.
        groups: Groups of the block.
        isolate_padding: Padding does not touch valid steps.
    """

    def __init__(
        self, channels: int, out_channels: int, block: str, groups: int, isolate_padding: bool
    ) -> None:
        super().__init__()
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


def build_map_convs(
    in_channels: int, channels: int, num_convs: int, kernel_size: int | Sequence[int]
) -> nn.ModuleList:
    """Convolutions over the map that keep its size.

    Args:
        in_channels: Channels of the map.
        channels: Channels of every convolution.
        num_convs: Convolutions.
        kernel_size: Odd kernel, one or a list.

    Returns:
        The convolutions.

    Raises:
        ValueError: If there are not as many kernels, or one is even.
    """
    kernels = [kernel_size] * num_convs if isinstance(kernel_size, int) else list(kernel_size)
    if len(kernels) != num_convs or any(kernel % 2 == 0 for kernel in kernels):
        raise ValueError(
            f"{num_convs} convolutions need as many kernels, all odd, got {kernel_size}"
        )
    return nn.ModuleList(
        nn.Conv2d(channels if i else in_channels, channels, kernel, padding=kernel // 2)
        for i, kernel in enumerate(kernels)
    )


def only_level(features: Sequence[Tensor], num_steps: int) -> Tensor:
    """The one level ``[B, C, T]`` of the features.

    Raises:
        ValueError: If there are several levels or T is not ``num_steps``.
    """
    if len(features) != 1:
        raise ValueError(
            f"this head works on one level, got {len(features)}; use a projection of one level "
            "such as ConvProjection"
        )
    if features[0].shape[-1] != num_steps:
        raise ValueError(
            f"the head was built for windows of num_steps={num_steps} steps, got features of "
            f"{features[0].shape[-1]}; set the window_size of the dataset, or num_steps, so that "
            "both agree"
        )
    return features[0]


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
