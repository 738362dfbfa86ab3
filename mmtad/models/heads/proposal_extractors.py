"""Features of every proposal of a map: the BMN layer and the sub-graph alignment of G-TAD."""

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmtad.ops import (
    SamplePoints,
    SparseSum,
    align_sample_points,
    boundary_sample_points,
    proposal_arrays,
    sampled_projection,
)
from mmtad.registry import MODELS

from ..layers import GCNeXt, mean_of_neighbours, resolve_preset, zero_padding


class ProposalExtractor(BaseModule):
    """What both extractors share: the cells they compute, and how these become a map.

    Args:
        num_steps: Steps T.
        num_durations: Durations D.
        preset: See :func:`~mmtad.models.layers.resolve_preset`. In ours, cells that end beyond T
            are zero and cost nothing; in the public codes they hold features of nothing in
            particular, which reach their neighbours in 3x3 convolutions.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(
        self, num_steps: int, num_durations: int, preset: str, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.num_steps, self.num_durations = num_steps, num_durations
        self.isolate_padding = resolve_preset(preset).isolate_padding
        self.segments, self.valid = proposal_arrays(num_steps, num_durations)
        cells = torch.tensor(np.flatnonzero(self.valid))
        self.register_buffer("cells", cells, persistent=False)

    def _sums(self, points: SamplePoints) -> SparseSum:
        if self.isolate_padding:
            points = points.keep(self.valid.flatten())
        return points.projection()

    def _to_map(self, rows: Tensor) -> Tensor:
        """Rows of cells ``[B, M, C]`` to a map ``[B, C, D, T]``, channels last in memory."""
        num_cells = self.num_durations * self.num_steps
        if self.isolate_padding:
            full = rows.new_zeros(len(rows), num_cells, rows.shape[2])
            rows = full.index_copy(1, self.cells, rows)
        return rows.unflatten(1, (self.num_durations, self.num_steps)).permute(0, 3, 1, 2)


@MODELS.register_module()
class BoundaryMatchingExtractor(ProposalExtractor):
    """Points sampled within and around every proposal, convolved together.

    `BMN: Boundary-Matching Network for Temporal Action Proposal Generation
    <https://arxiv.org/abs/1907.09702>`_, section 3.2: a convolution (kernel 3) narrows the
    features, N points of each proposal are read and convolved into one, then a 1x1 convolution;
    a ReLU follows each. Sampling and convolution are done by
    :func:`~mmtad.ops.sparse_sum.sampled_projection`; the output of the plain layer, N x D times the
    size of the features, never exists.

    Args:
        in_channels: Channels of the features.
        num_steps: Steps T.
        num_durations: Durations D.
        hidden_channels: Channels of the sampled features.
        roi_channels: Channels after the convolution over the points.
        out_channels: Channels C of the output.
        num_points: Points N of a proposal.
        num_subsamples: Positions averaged into a point.
        extend_ratio: Enlargement of a proposal at each side, in its length.
        preset: See :class:`ProposalExtractor`.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(
        self,
        in_channels: int = 256,
        num_steps: int = 100,
        num_durations: int = 100,
        hidden_channels: int = 128,
        roi_channels: int = 512,
        out_channels: int = 128,
        num_points: int = 32,
        num_subsamples: int = 3,
        extend_ratio: float = 0.5,
        preset: str = "padding_free",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(num_steps, num_durations, preset, init_cfg)
        self.reduce = nn.Conv1d(in_channels, hidden_channels, 3, padding=1)
        self.point_conv = nn.Conv2d(hidden_channels, roi_channels, (num_points, 1))
        self.cell_conv = nn.Conv2d(roi_channels, out_channels, 1)
        self.sums = self._sums(
            boundary_sample_points(
                num_steps, num_durations, num_points, num_subsamples, extend_ratio
            )
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Extract.

        Args:
            x: ``[B, C_in, T]``, zero at padded steps.
            mask: Bool ``[B, T]``, True = valid.

        Returns:
            ``[B, C, D, T]``; cell (d, t) belongs to the proposal ``[t, t + d + 1]``.
        """
        x = F.relu(self.reduce(x))
        if self.isolate_padding:
            x = zero_padding(x, mask)
        rows = sampled_projection(x, self.point_conv.weight.squeeze(-1), self.sums)
        rows = F.relu(rows + self.point_conv.bias)
        rows = F.linear(rows, self.cell_conv.weight.flatten(1), self.cell_conv.bias)
        return self._to_map(F.relu(rows))


@MODELS.register_module()
class SubGraphAlignment(ProposalExtractor):
    """Features of the sub-graph of every proposal: the steps inside, and their nearest neighbours.

    `G-TAD: Sub-Graph Localization for Temporal Action Detection
    <https://arxiv.org/abs/1911.11462>`_, section 3.3 (SGAlign): after one more
    :class:`~mmtad.models.layers.GCNeXt`, the enlarged proposal is cut into ``roi_size`` bins of the
    features and ``context_size`` bins of the mean over each step's k neighbours in feature space,
    both by 1-D RoI align; a 1x1 convolution with ReLU maps all bins of a proposal together.
    Alignment and convolution are done by :func:`~mmtad.ops.sparse_sum.sampled_projection`. Within a
    step behind the last one the public codes read it in full, unless padding follows; ours fades to
    zero in either case.

    Args:
        in_channels: Channels C_in of the features.
        num_steps: Steps T.
        num_durations: Durations D.
        out_channels: Channels C of the output.
        roi_size: Bins of the features (ActivityNet 32, THUMOS14 16).
        context_size: Bins of the neighbours' features (ActivityNet 4, THUMOS14 16).
        k: Neighbours in feature space.
        groups: Groups of the middle convolutions of the block.
        extend_ratio: Enlargement of a proposal at each side, in its length.
        closed_end: Whether the enlarged proposal ends at step t + d, as in the code of G-TAD,
            instead of t + d + 1; None as the preset says (only ``official`` does).
        half_precision: Round what is aligned to float16, as OpenTAD does; None as the preset says
            (only ``opentad`` does).
        preset: See :class:`ProposalExtractor`.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(
        self,
        in_channels: int = 256,
        num_steps: int = 100,
        num_durations: int = 100,
        out_channels: int = 512,
        roi_size: int = 32,
        context_size: int = 4,
        k: int = 3,
        groups: int = 32,
        extend_ratio: float = 0.5,
        closed_end: bool | None = None,
        half_precision: bool | None = None,
        preset: str = "padding_free",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(num_steps, num_durations, preset, init_cfg)
        self.k = k
        self.sizes = (roi_size, context_size)
        self.half_precision = preset == "opentad" if half_precision is None else half_precision
        self.graph = GCNeXt(in_channels, k, groups, isolate_padding=self.isolate_padding)
        self.bin_conv = nn.Conv2d(in_channels * (roi_size + context_size), out_channels, 1)
        start, end = np.moveaxis(self.segments * self.valid[..., None], -1, 0).reshape(2, -1)
        margin = extend_ratio * (end - start)
        closed = preset == "official" if closed_end is None else closed_end
        last = np.maximum(end - 1, 0) if closed else end
        self.anchors = np.stack([start - margin, last + margin], axis=-1)
        self.inner, self.context = (
            self._sums(
                align_sample_points(self.anchors, num_steps, size, open_end=self.isolate_padding)
            )
            for size in self.sizes
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Extract.

        Args:
            x: ``[B, C_in, T]``, zero at padded steps.
            mask: Bool ``[B, T]``, True = valid.

        Returns:
            ``[B, C, D, T]``; cell (d, t) belongs to the proposal ``[t, t + d + 1]``.
        """
        x = self.graph(x, mask)
        neighbours = mean_of_neighbours(x, self.k, mask if self.isolate_padding else None)
        if self.isolate_padding:
            neighbours = zero_padding(neighbours, mask)
        if self.half_precision:
            x, neighbours = x.half().to(x.dtype), neighbours.half().to(x.dtype)
        weight = self.bin_conv.weight.reshape(len(self.bin_conv.weight), -1, sum(self.sizes))
        of_inner, of_context = weight.split(self.sizes, dim=2)
        rows = sampled_projection(x, of_inner, self.inner)
        rows = rows + sampled_projection(neighbours, of_context, self.context)
        return self._to_map(F.relu(rows + self.bin_conv.bias))
