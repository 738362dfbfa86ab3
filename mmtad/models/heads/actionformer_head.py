"""The anchor-free head of ActionFormer."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmtad.registry import MODELS, TASK_UTILS

from ..layers import LevelScale, MaskedConv1d, resolve_preset
from ..losses import LossNormalizer
from .anchor_free import (
    AnchorFreeOutputs,
    ConvTower,
    concat_levels,
    decode_offsets,
    init_class_prior,
    select_candidates,
)


@MODELS.register_module()
class ActionFormerHead(BaseModule):
    """Every point of a pyramid predicts class probabilities and its distances to start and end.

    `ActionFormer: Localizing Moments of Actions with Transformers
    <https://arxiv.org/abs/2202.07925>`_. The loss is ``(sum over valid points of focal +
    loss_weight * sum over positive points of DIoU) / N+``, N+ a running count
    (:class:`LossNormalizer`).

    Where the codes differ, ``preset`` decides. ``official`` keeps the top-k of every level and
    drops segments of at most 0.05 steps; ``opentad`` keeps the top-k of all levels together and
    drops none (with a single class it keeps every point: ``score_threshold=0``). Ours does as
    OpenTAD but drops empty segments, which no ground truth can match.

    Args:
        num_classes: Number of classes K.
        in_channels: Channels of the pyramid.
        feat_channels: Channels of the two towers.
        num_convs: Convolutions of each tower before the last one.
        kernel_size: Odd kernel of all convolutions.
        point_generator: Config of the points; its strides tell the number of levels.
        assigner: Config of the target assignment.
        loss_cls: Config of the classification loss.
        loss_reg: Config of the regression loss.
        loss_weight: Weight of the regression loss, or ``"auto"`` for ``loss_cls / max(loss_reg,
            0.01)`` without gradient.
        label_smoothing: Epsilon of ``target * (1 - eps) + eps / (K + 1)``.
        normalizer_init: Start of the running count of positives (100 THUMOS14 and Ego4D, 250 EPIC,
            200 ANet).
        normalizer_momentum: Share of the old count kept by an update.
        prior_prob: Probability that every class starts with.
        offset_bias: What the regression bias starts with; 0 in the codes. Offsets pass a ReLU that,
            in a narrow head, may be closed at every point from the start, for good; 1 opens it.
        empty_classes: Classes without a training instance; they start close to zero.
        score_threshold: Candidates must score above this.
        pre_nms_topk: Candidates kept, per level or in all as the preset says.
        topk_per_level: Overrides the preset.
        min_duration: Overrides the preset: candidates must be longer than this, in steps; negative
            keeps all.
        preset: See :func:`~mmtad.models.layers.resolve_preset`.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If ``loss_weight`` is neither ``"auto"`` nor a number >= 0.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 512,
        feat_channels: int = 512,
        num_convs: int = 2,
        kernel_size: int = 3,
        point_generator: dict | None = None,
        assigner: dict | None = None,
        loss_cls: dict | None = None,
        loss_reg: dict | None = None,
        loss_weight: float | str = 1.0,
        label_smoothing: float = 0.0,
        normalizer_init: float = 100.0,
        normalizer_momentum: float = 0.9,
        prior_prob: float = 0.01,
        offset_bias: float = 0.0,
        empty_classes: Sequence[int] = (),
        score_threshold: float = 0.001,
        pre_nms_topk: int = 2000,
        topk_per_level: bool | None = None,
        min_duration: float | None = None,
        preset: str = "padding_free",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if loss_weight != "auto" and (isinstance(loss_weight, str) or loss_weight < 0):
            raise ValueError(f"loss_weight is 'auto' or a number >= 0, got {loss_weight!r}")
        behaviour = resolve_preset(preset)
        self.num_classes = num_classes
        self.loss_weight = loss_weight
        self.label_smoothing = label_smoothing
        self.score_threshold = score_threshold
        self.pre_nms_topk = pre_nms_topk
        self.topk_per_level = behaviour.topk_per_level if topk_per_level is None else topk_per_level
        self.min_duration = behaviour.min_duration if min_duration is None else min_duration
        self.point_generator = TASK_UTILS.build(
            point_generator or dict(type="mmtad.PointGenerator")
        )
        self.assigner = TASK_UTILS.build(assigner or dict(type="mmtad.PointAssigner"))
        self.loss_cls = MODELS.build(loss_cls or dict(type="mmtad.SigmoidFocalLoss"))
        self.loss_reg = MODELS.build(loss_reg or dict(type="mmtad.OffsetIoULoss"))
        self.normalizer = LossNormalizer(normalizer_init, normalizer_momentum)
        tower = (in_channels, feat_channels, num_convs, kernel_size, behaviour)
        self.cls_tower = ConvTower(*tower)
        self.reg_tower = ConvTower(*tower)
        self.cls_out = MaskedConv1d(feat_channels, num_classes, kernel_size)
        self.reg_out = MaskedConv1d(feat_channels, 2, kernel_size)
        self.scales = nn.ModuleList(LevelScale() for _ in self.point_generator.strides)
        init_class_prior(self.cls_out.bias, prior_prob, empty_classes)
        nn.init.constant_(self.reg_out.bias, offset_bias)

    def forward(self, features: Sequence[Tensor], masks: Sequence[Tensor]) -> AnchorFreeOutputs:
        """Run both towers on every level.

        Args:
            features: L tensors ``[B, C, T_l]``.
            masks: L bool tensors ``[B, T_l]``, True = valid.

        Returns:
            Class logits ``[B, K, T_l]`` and offsets ``[B, 2, T_l]`` per level.

        Raises:
            ValueError: If the number of levels is not that of the point generator.
        """
        if len(features) != len(self.scales):
            raise ValueError(
                f"the point generator has {len(self.scales)} strides but the features have "
                f"{len(features)} levels"
            )
        logits, offsets = [], []
        for x, mask, scale in zip(features, masks, self.scales, strict=True):
            logits.append(self.cls_out(self.cls_tower(x, mask), mask))
            offsets.append(F.relu(scale(self.reg_out(self.reg_tower(x, mask), mask))))
        return AnchorFreeOutputs(logits, offsets)

    def loss(
        self,
        features: Sequence[Tensor],
        masks: Sequence[Tensor],
        instances: Sequence[InstanceData],
    ) -> dict[str, Tensor]:
        """Compute the losses, in at least float32 also under autocast.

        Args:
            features: L tensors ``[B, C, T_l]``.
            masks: L bool tensors ``[B, T_l]``, True = valid.
            instances: Ground truth of B samples: ``segments`` ``[N, 2]`` in steps of level 0 and
                ``labels`` int64 ``[N]``; N may be 0.

        Returns:
            ``loss_cls`` and ``loss_reg`` (weighted), scalars whose sum is the total.

        Raises:
            ValueError: If a label is not in [0, K).
        """
        outputs = self(features, masks)
        with torch.autocast(masks[0].device.type, enabled=False):
            return self.loss_by_outputs(outputs, masks, instances)

    def loss_by_outputs(
        self,
        outputs: AnchorFreeOutputs,
        masks: Sequence[Tensor],
        instances: Sequence[InstanceData],
    ) -> dict[str, Tensor]:
        """Compute the losses of given raw outputs; see :meth:`loss`."""
        valid = torch.cat(list(masks), dim=1)
        classes, distances = self.get_targets(outputs, instances)
        classes = classes * valid[..., None]
        normalizer = self.normalizer((classes.sum(-1) > 0).sum())
        sums = self.loss_sums(outputs, classes, distances, valid)
        loss_cls, loss_reg = (value / normalizer for value in sums)
        weight = self.loss_weight
        if weight == "auto":
            weight = loss_cls.detach() / loss_reg.detach().clamp(min=0.01)
        return dict(loss_cls=loss_cls, loss_reg=loss_reg * weight)

    def loss_sums(
        self, outputs: AnchorFreeOutputs, classes: Tensor, distances: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Sum both losses over the points.

        Args:
            outputs: Raw outputs.
            classes: ``[B, S, K]``, multi-hot; all zero = background or padding.
            distances: ``[B, S, 2]`` over the stride.
            valid: Bool ``[B, S]``.

        Returns:
            Classification and regression, scalars.
        """
        loss_cls = self.loss_cls(concat_levels(outputs.class_logits), self.smoothed(classes), valid)
        positive = classes.sum(-1) > 0
        return loss_cls, self.loss_reg(concat_levels(outputs.offsets), distances, positive)

    def smoothed(self, classes: Tensor) -> Tensor:
        """Apply label smoothing to classes ``[..., K]``."""
        epsilon = self.label_smoothing
        return classes * (1 - epsilon) + epsilon / (self.num_classes + 1)

    @torch.no_grad()
    def get_targets(
        self, outputs: AnchorFreeOutputs, instances: Sequence[InstanceData]
    ) -> tuple[Tensor, Tensor]:
        """Assign the ground truth of a batch to the points.

        Args:
            outputs: Raw outputs; only their lengths and device matter.
            instances: Ground truth of B samples, see :meth:`loss`.

        Returns:
            Classes ``[B, S, K]`` and distances over the stride ``[B, S, 2]``, S points of all
            levels.

        Raises:
            ValueError: If a label is not in [0, K).
        """
        points = torch.cat(self._points(outputs))
        labels = torch.cat([sample.labels for sample in instances])
        if len(labels) and not (0 <= int(labels.min()) and int(labels.max()) < self.num_classes):
            raise ValueError(
                f"the head has num_classes={self.num_classes} but a label is "
                f"{int(labels.min()) if labels.min() < 0 else int(labels.max())}"
            )
        targets = [
            self.assigner(points, sample.segments, sample.labels, self.num_classes)
            for sample in instances
        ]
        classes, distances = zip(*targets, strict=True)
        return torch.stack(classes), torch.stack(distances)

    @torch.no_grad()
    def predict(self, features: Sequence[Tensor], masks: Sequence[Tensor]) -> list[InstanceData]:
        """Decode the best candidates of every sample, before suppression.

        Args:
            features: L tensors ``[B, C, T_l]``.
            masks: L bool tensors ``[B, T_l]``, True = valid.

        Returns:
            B instances with ``segments`` ``[N, 2]`` in steps of level 0, ``scores`` ``[N]`` and
            ``labels`` int64 ``[N]``.
        """
        outputs = self(features, masks)
        points, distances = torch.cat(self._points(outputs)), self.distances(outputs)
        valid = torch.cat(list(masks), dim=1)
        scores = concat_levels(outputs.class_logits).sigmoid().masked_fill(~valid[..., None], 0.0)
        sizes = [mask.shape[1] for mask in masks] if self.topk_per_level else [len(points)]

        def segments(sample: int, first: int, chosen: Tensor, labels: Tensor) -> Tensor:
            chosen = chosen + first
            return decode_offsets(points[chosen], distances(sample, chosen, labels))

        results = []
        for sample, sample_scores in enumerate(scores):
            groups = [
                select_candidates(
                    partial(segments, sample, end - len(part)),
                    part,
                    self.score_threshold,
                    self.pre_nms_topk,
                    self.min_duration,
                )
                for part, end in zip(sample_scores.split(sizes), accumulate(sizes), strict=True)
            ]
            results.append(InstanceData.cat(groups))
        return results

    def distances(self, outputs: AnchorFreeOutputs) -> Callable[..., Tensor]:
        """Prepare the predicted distances to start and end.

        Args:
            outputs: Raw outputs.

        Returns:
            A function of samples, points and classes, indices ``[N]`` each (or one number), to
            distances over the stride ``[N, 2]``. Here they do not depend on the class.
        """
        offsets = concat_levels(outputs.offsets)
        return lambda samples, points, labels: offsets[samples, points]

    def _points(self, outputs: AnchorFreeOutputs) -> list[Tensor]:
        reference = outputs.offsets[0]
        dtype = torch.float64 if reference.dtype == torch.float64 else torch.float32
        lengths = [x.shape[-1] for x in outputs.offsets]
        return self.point_generator(lengths, device=reference.device, dtype=dtype)
