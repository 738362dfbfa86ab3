"""The head of SP-TAD: a small set of learned proposals, refined stage by stage."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmtad.registry import MODELS
from mmtad.structures import centerwidth_to_segment

from ..layers.attention_maps import AttentionMaps
from ..layers.sparse_stage import SparseStage
from ..losses.set_criterion import make_targets
from .anchor_free import init_class_prior, select_candidates
from .clip_classifier import ClipClassifier
from .query_outputs import QueryOutputs

CRITERION = dict(
    type="mmtad.SetCriterion",
    matcher=dict(cost_class=2.0, cost_l1=5.0, cost_iou=2.0),
    loss_class=2.0,
    loss_l1=5.0,
    loss_iou=2.0,
    iou_type="giou",
    l1_format="segment",
)


@dataclass
class SparseOutputs(QueryOutputs):
    """Raw outputs of a detector with sparse proposals; ``memory`` is its finest level.

    Args:
        clip_logits: ``[B, K]`` of the clip classifier, or None.
        window_mask: Bool ``[B, T_0]`` of the first stage; its valid steps are the unit of segments.
    """

    clip_logits: Tensor | None = None
    window_mask: Tensor | None = None


@MODELS.register_module()
class SparseProposalHead(BaseModule):
    """N learned segments with learned features, refined in stages on a temporal pyramid.

    `Towards High-Quality Temporal Action Detection with Sparse Proposals
    <https://arxiv.org/abs/2109.08847>`_ (SP-TAD). No public code exists. From the paper: the
    pyramid over intermediate stages, M stages that share no weights (:class:`SparseStage`) with a
    loss at each and segments that pass on without gradient, a clip classifier, matching by focal,
    L1 (start and end) and GIoU terms. Not printed there, and taken from `Sparse R-CNN
    <https://arxiv.org/abs/2011.12450>`_, on which it builds: the weights 2, 5 and 2 of cost and
    loss, division by the number of actions, segments that start as the whole window, features that
    start from a normal distribution.

    Segments inside are (centre, width) in *unit*, the share of the valid length of the first stage.

    Args:
        num_classes: Number of classes K.
        pyramid: Arguments of a :class:`~mmtad.models.necks.StagePyramid`, or a config with a
            ``type``; ``in_channels`` are those of the stages.
        num_proposals: Proposals N (paper: 50 on THUMOS14, 100 on ActivityNet).
        num_stages: Refinement stages M.
        embed_dims: Width C.
        stage: Further arguments of :class:`~mmtad.models.layers.sparse_stage.SparseStage`, such as
            ``soi_steps`` and ``dropout``.
        refinement: ``"deltas"`` as in Sparse R-CNN, or ``"sigmoid"`` as in DETR's successors.
        initial_segment: Centre and width, in unit, from which every learned segment starts.
        clip_classifier: Arguments of :class:`ClipClassifier`, may be empty; None for none.
        criterion: What differs from the set loss described above.
        prior_prob: Probability that every class starts with.
        merge_labels: See :func:`~mmtad.models.losses.make_targets`.
        max_per_window: Most predictions of a window, the best pairs of proposal and class.
        score_threshold: Predictions must score above this.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If a number is below 1, or the initial segment is not a segment in unit.
    """

    def __init__(
        self,
        num_classes: int,
        pyramid: dict,
        num_proposals: int = 50,
        num_stages: int = 4,
        embed_dims: int = 256,
        stage: dict | None = None,
        refinement: str = "deltas",
        initial_segment: Sequence[float] = (0.5, 1.0),
        clip_classifier: dict | None = None,
        criterion: dict | None = None,
        prior_prob: float = 0.01,
        merge_labels: bool = True,
        max_per_window: int = 200,
        score_threshold: float = 0.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        for name, value in dict(
            num_classes=num_classes,
            num_proposals=num_proposals,
            num_stages=num_stages,
            max_per_window=max_per_window,
        ).items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if len(initial_segment) != 2 or not 0 < initial_segment[1] <= 1:
            raise ValueError(
                "initial_segment is a centre and a width in (0, 1], as shares of the window, got "
                f"{initial_segment!r}"
            )
        self.num_classes, self.num_queries, self.embed_dims = num_classes, num_proposals, embed_dims
        self.merge_labels = merge_labels
        self.max_per_window = max_per_window
        self.score_threshold = score_threshold
        self.pyramid = MODELS.build(
            dict(type="mmtad.StagePyramid", out_channels=embed_dims) | pyramid
        )
        self.proposal_features = nn.Parameter(torch.randn(num_proposals, embed_dims))
        start = torch.tensor(initial_segment, dtype=torch.float32)
        self.proposal_segments = nn.Parameter(start.repeat(num_proposals, 1))
        self.stages = nn.ModuleList(
            SparseStage(num_classes, embed_dims, refinement=refinement, **(stage or {}))
            for _ in range(num_stages)
        )
        for module in self.stages:
            init_class_prior(module.classifier.bias, prior_prob)
        self.clip_classifier = None
        if clip_classifier is not None:
            self.clip_classifier = ClipClassifier(
                self.pyramid.in_channels, num_classes, **clip_classifier
            )
        self.criterion = MODELS.build(CRITERION | dict(criterion or {}))

    def forward(
        self,
        features: Sequence[Tensor],
        masks: Sequence[Tensor],
        query_code: Tensor | None = None,
        return_maps: bool = False,
    ) -> SparseOutputs:
        """Refine the proposals.

        Args:
            features: S stages ``[B, C_s, T_s]``, the finest first; padded steps may hold anything.
            masks: S bool tensors ``[B, T_s]``, True = valid.
            query_code: ``[B, C]``, added to every proposal feature; None for nothing.
            return_maps: Return the maps of the self-attentions too.

        Returns:
            The outputs of all stages.
        """
        levels, level_masks = self.pyramid(features, masks)
        valid = masks[0].sum(1)
        lengths = [valid / stride for stride in self.pyramid.strides]
        states, segments = self.proposal_features[None], self.proposal_segments[None]
        if query_code is not None:
            states = states + query_code[:, None]
        found = []
        for stage in self.stages:
            found.append(stage(states, segments, levels, lengths, return_map=return_maps))
            states, segments = found[-1].states, found[-1].segments.detach()
        clip_logits = None
        if self.clip_classifier is not None:
            clip_logits = self.clip_classifier(features, masks)
        maps = None
        if return_maps:
            shown = [x.attention_map.expand(len(valid), -1, -1, -1) for x in found]
            maps = AttentionMaps(decoder=shown)
        return SparseOutputs(
            class_logits=[x.class_logits for x in found],
            segments=[x.segments for x in found],
            memory=levels[0].transpose(1, 2),
            mask=level_masks[0],
            references=[x.segments.detach() for x in found],
            states=[x.states for x in found],
            maps=maps,
            clip_logits=clip_logits,
            window_mask=masks[0],
        )

    def loss(
        self,
        features: Sequence[Tensor],
        masks: Sequence[Tensor],
        instances: Sequence[InstanceData],
    ) -> dict[str, Tensor]:
        """Compute the losses, in at least float32 also under autocast.

        Args:
            features: S stages ``[B, C_s, T_s]``.
            masks: S bool tensors ``[B, T_s]``, True = valid.
            instances: Ground truth of B samples: ``segments`` ``[N, 2]`` in steps of the first
                stage and ``labels`` int64 ``[N]``; N may be 0.

        Returns:
            See :class:`~mmtad.models.losses.SetCriterion`, ``d0.`` being the first stage; and
            ``loss_clip``.
        """
        outputs = self(features, masks)
        with torch.autocast(masks[0].device.type, enabled=False):
            return self.loss_by_outputs(outputs, instances)

    def loss_by_outputs(
        self, outputs: SparseOutputs, instances: Sequence[InstanceData]
    ) -> dict[str, Tensor]:
        """Compute the losses of given raw outputs; see :meth:`loss`."""
        targets = make_targets(instances, outputs.window_mask, self.num_classes, self.merge_labels)
        losses = self.criterion(outputs.class_logits, outputs.segments, targets)
        if self.clip_classifier is not None:
            losses["loss_clip"] = self.clip_classifier.loss(outputs.clip_logits, targets)
        return losses

    @torch.no_grad()
    def predict(self, features: Sequence[Tensor], masks: Sequence[Tensor]) -> list[InstanceData]:
        """Detect actions by the last stage, before suppression.

        Args:
            features: S stages ``[B, C_s, T_s]``.
            masks: S bool tensors ``[B, T_s]``, True = valid.

        Returns:
            B instances with ``segments`` ``[N, 2]`` in steps of the first stage, ``scores``
            ``[N]`` in falling order and ``labels`` int64 ``[N]``; N is at most ``max_per_window``.
        """
        outputs = self(features, masks)
        exact = torch.promote_types(outputs.class_logits[-1].dtype, torch.float32)
        scores = outputs.class_logits[-1].to(exact).sigmoid()
        if outputs.clip_logits is not None:
            scores = scores * outputs.clip_logits.to(exact).sigmoid()[:, None]
        unit = masks[0].sum(1)[:, None, None]
        segments = centerwidth_to_segment(outputs.segments[-1].to(exact)) * unit
        return [
            select_candidates(pairs, of_pairs, self.score_threshold, self.max_per_window, 0.0)
            for pairs, of_pairs in zip(segments, scores, strict=True)
        ]
