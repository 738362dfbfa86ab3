"""The head of BMN and G-TAD: boundary scores of every step, confidence of every proposal."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmtad.ops import proposal_segments
from mmtad.registry import MODELS

from ..task_modules import boundary_targets, map_targets
from .boundary_map import (
    BoundaryMapOutputs,
    BoundaryTower,
    boundary_scores,
    build_map_convs,
    candidate_cells,
    only_level,
    resolve_map_behaviour,
    valid_cells,
)

SCORE_TYPES = ("product", "iou")
CANDIDATES = ("boundaries", "all")


@MODELS.register_module()
class BoundaryMapHead(BaseModule):
    """Scores where actions start and end, and every segment of a map of durations and starts.

    `BMN <https://arxiv.org/abs/1907.09702>`_ with ``boundary_block="conv"`` and a
    ``BoundaryMatchingExtractor``; `G-TAD <https://arxiv.org/abs/1911.11462>`_ with
    ``boundary_block="gcnext"`` and a ``SubGraphAlignment``. It does not know classes: all
    predictions have label 0, and ``DetectionPostProcessor(video_scores=...)`` gives them the
    classes of the whole video.

    Features must have the ``num_steps`` of the config: every cell of the map has its own place.

    What is left at None follows the paper: BMN has one tower for starts and ends, a regression
    weight of 10 and the score ``product``; G-TAD has two towers, 5 (its code: 10 * 0.5) and
    ``iou``. Padded steps, and cells that end beyond the valid ones, touch nothing and get neither
    loss nor proposals.

    ``preset="opentad"`` has two towers, 5 and ``iou`` for both; the first step is always a
    candidate start and the last an end; a step is a boundary only if the region around it covers it
    whole; padding and cells beyond the sequence take part in everything; overlaps are sampled as in
    its code. ``official`` shares these last two, but regresses no cell that no action overlaps; and
    every cell is a candidate in G-TAD.

    Args:
        in_channels: Channels of the features.
        num_steps: Steps T of the features.
        num_durations: Longest proposal D in steps.
        boundary_block: ``"conv"`` or ``"gcnext"``.
        boundary_groups: Groups of that block (BMN 4, G-TAD 32).
        shared_tower: Whether one tower scores starts and ends.
        extractor: Config of the features of the map, without the sizes and channels given here.
        extractor_channels: Channels that the extractor gives.
        feat_channels: Channels of the convolutions over the map.
        num_convs: Convolutions over the map, each with a ReLU, before the last 1x1.
        kernel_size: Odd kernel of these, one or a list (BMN, and G-TAD on THUMOS14 in OpenTAD: 3;
            in G-TAD's code [1, 3, 3]; on ActivityNet 1).
        loss_boundary: Config of the loss of starts and of ends.
        loss_cls: Config of the classification loss of the map.
        loss_reg: Config of the regression loss of the map.
        reg_weight: Weight of the regression loss.
        score_type: ``"product"``: p_start * p_end * p_cls * p_reg; ``"iou"``: p_cls * p_reg.
        candidates: Cells that become proposals: ``"boundaries"``, those whose start and end may be
            boundaries, see :func:`candidate_cells`; ``"all"``.
        accept_ends: Take the first valid step as a start and the last as an end, whatever their
            scores.
        score_threshold: Proposals must score above this.
        preset: See :func:`~mmtad.models.layers.resolve_preset`.
        init_cfg: MMEngine initialisation config; ``dict(type="Xavier", layer=["Conv1d", "Conv2d"],
            distribution="uniform")`` for BMN, none for G-TAD.

    Raises:
        ValueError: If an option is out of range or an argument of the extractor is wrong.
    """

    def __init__(
        self,
        in_channels: int = 256,
        num_steps: int = 100,
        num_durations: int = 100,
        boundary_block: str = "conv",
        boundary_groups: int = 4,
        shared_tower: bool | None = None,
        extractor: dict | None = None,
        extractor_channels: int = 128,
        feat_channels: int = 128,
        num_convs: int = 2,
        kernel_size: int | Sequence[int] = 3,
        loss_boundary: dict | None = None,
        loss_cls: dict | None = None,
        loss_reg: dict | None = None,
        reg_weight: float | None = None,
        score_type: str | None = None,
        candidates: str | None = None,
        accept_ends: bool | None = None,
        score_threshold: float = 0.0,
        preset: str = "padding_free",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        behaviour = resolve_map_behaviour(boundary_block, preset)
        self.isolate_padding = isolate = behaviour.isolate_padding
        self.score_type = score_type or behaviour.score_type
        self.candidates = candidates or behaviour.candidates
        if self.score_type not in SCORE_TYPES or self.candidates not in CANDIDATES:
            raise ValueError(
                f"score_type is one of {SCORE_TYPES} and candidates of {CANDIDATES}, got "
                f"{score_type!r} and {candidates!r}"
            )
        if not 1 <= num_durations <= num_steps:
            raise ValueError(
                f"num_durations must be between 1 and num_steps={num_steps}, got {num_durations}"
            )
        self.num_steps, self.num_durations = num_steps, num_durations
        self.accept_ends = behaviour.accept_ends if accept_ends is None else accept_ends
        self.score_threshold = score_threshold
        self.whole_steps = behaviour.whole_steps
        shared = behaviour.shared_tower if shared_tower is None else shared_tower
        self.towers = nn.ModuleList(
            BoundaryTower(in_channels, outputs, boundary_block, boundary_groups, isolate)
            for outputs in ((2,) if shared else (1, 1))
        )
        self.extractor = MODELS.build(
            dict(
                in_channels=in_channels,
                num_steps=num_steps,
                num_durations=num_durations,
                out_channels=extractor_channels,
                preset=preset,
            )
            | (extractor or dict(type="mmtad.BoundaryMatchingExtractor"))
        )
        self.map_convs = build_map_convs(extractor_channels, feat_channels, num_convs, kernel_size)
        self.map_out = nn.Conv2d(feat_channels, 2, 1)
        cross_entropy = dict(type="mmtad.BalancedBCELoss")
        self.loss_boundary = MODELS.build(loss_boundary or dict(cross_entropy, threshold=0.5))
        self.loss_cls = MODELS.build(loss_cls or dict(cross_entropy, threshold=0.9))
        self.loss_reg = MODELS.build(behaviour.regression_loss(reg_weight) | (loss_reg or {}))
        segments, valid = proposal_segments(num_steps, num_durations)
        self.register_buffer("segments", segments, persistent=False)
        self.register_buffer("inside", valid, persistent=False)

    def forward(self, features: Sequence[Tensor], masks: Sequence[Tensor]) -> BoundaryMapOutputs:
        """Score steps and proposals.

        Args:
            features: One tensor ``[B, C, T]``, zero at padded steps.
            masks: One bool tensor ``[B, T]``, True = valid.

        Returns:
            Boundary logits ``[B, 2, T]`` and map logits ``[B, 2, D, T]``.

        Raises:
            ValueError: If there are several levels or T is not ``num_steps``.
        """
        x, (mask,) = only_level(features, self.num_steps), masks
        boundary = torch.cat([tower(x, mask) for tower in self.towers], dim=1)
        cells = valid_cells(self.segments, mask)[:, None]
        x = self.extractor(x, mask)
        for conv in self.map_convs:
            if self.isolate_padding:
                x = x * cells.to(x.dtype)
            x = F.relu(conv(x))
        return BoundaryMapOutputs(boundary, self.map_out(x))

    def loss(
        self,
        features: Sequence[Tensor],
        masks: Sequence[Tensor],
        instances: Sequence[InstanceData],
    ) -> dict[str, Tensor]:
        """Compute the losses, in at least float32 also under autocast.

        Args:
            features: One tensor ``[B, C, T]``.
            masks: One bool tensor ``[B, T]``, True = valid.
            instances: Ground truth of B samples: ``segments`` ``[N, 2]`` in steps; N may be 0.
                Labels do not matter.

        Returns:
            ``loss_boundary``, ``loss_cls`` and ``loss_reg`` (weighted), scalars whose sum is the
            total.
        """
        outputs = self(features, masks)
        with torch.autocast(masks[0].device.type, enabled=False):
            return self.loss_by_outputs(outputs, masks, instances)

    def loss_by_outputs(
        self,
        outputs: BoundaryMapOutputs,
        masks: Sequence[Tensor],
        instances: Sequence[InstanceData],
        draws: tuple[Tensor, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Compute the losses of given raw outputs; see :meth:`loss`.

        Args:
            outputs: Raw outputs.
            masks: One bool tensor ``[B, T]``, True = valid.
            instances: Ground truth of B samples.
            draws: See :func:`~mmtad.models.losses.balanced_l2_loss`; ``[B, M]`` for the M cells
                that end by T, by duration and then by start. None draws them.
        """
        exact = torch.promote_types(outputs.map_logits.dtype, torch.float32)
        boundary = outputs.boundary_logits.to(exact)
        cells = outputs.map_logits[:, :, self.inside].to(exact)
        boundaries, overlaps = self.get_targets(instances, exact)
        steps = cell_mask = None
        if self.isolate_padding:
            steps = masks[0]
            cell_mask = valid_cells(self.segments, steps)[:, self.inside]
        return dict(
            loss_boundary=self.loss_boundary(boundary[:, 0], boundaries[:, 0], steps)
            + self.loss_boundary(boundary[:, 1], boundaries[:, 1], steps),
            loss_cls=self.loss_cls(cells[:, 0], overlaps, cell_mask),
            loss_reg=self.loss_reg(cells[:, 1], overlaps, cell_mask, draws=draws),
        )

    @torch.no_grad()
    def get_targets(
        self, instances: Sequence[InstanceData], dtype: torch.dtype = torch.float32
    ) -> tuple[Tensor, Tensor]:
        """Make the targets of a batch.

        Args:
            instances: Ground truth of B samples, see :meth:`loss`.
            dtype: Floating type.

        Returns:
            Shares of boundary regions ``[B, 2, T]`` and overlaps ``[B, M]`` of the M cells that end
            by T, by duration and then by start.
        """
        proposals = self.segments[self.inside].to(dtype)
        truth = [sample.segments.to(proposals).reshape(-1, 2) for sample in instances]
        boundaries = [
            boundary_targets(segments, self.num_steps, whole_only=self.whole_steps)
            for segments in truth
        ]
        overlaps = [map_targets(segments, proposals) for segments in truth]
        return torch.stack(boundaries), torch.stack(overlaps)

    @torch.no_grad()
    def predict(self, features: Sequence[Tensor], masks: Sequence[Tensor]) -> list[InstanceData]:
        """Score the proposals whose start and end are candidate boundaries, before suppression.

        Args:
            features: One tensor ``[B, C, T]``.
            masks: One bool tensor ``[B, T]``, True = valid.

        Returns:
            B instances with ``segments`` ``[N, 2]`` in steps, ``scores`` ``[N]`` and ``labels``
            int64 ``[N]``, all 0.
        """
        outputs = self(features, masks)
        exact = torch.promote_types(outputs.map_logits.dtype, torch.float32)
        boundary = outputs.boundary_logits.to(exact).sigmoid()
        scores = outputs.map_logits.to(exact).sigmoid().prod(1)  # [B, D, T]
        mask = masks[0] if self.isolate_padding else torch.ones_like(masks[0])
        if self.candidates == "all":
            keep = valid_cells(self.segments, mask)
        else:
            keep = candidate_cells(boundary, self.segments, mask, self.accept_ends)
        if self.score_type == "product":
            scores = scores * boundary_scores(boundary, self.segments)
        keep &= scores > self.score_threshold
        return [
            InstanceData(
                segments=self.segments[cells].to(exact),
                scores=values[cells],
                labels=torch.zeros(int(cells.sum()), dtype=torch.int64, device=values.device),
            )
            for cells, values in zip(keep, scores, strict=True)
        ]
