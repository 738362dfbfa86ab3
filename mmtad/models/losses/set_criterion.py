"""The set loss of query-based detectors."""

import logging
from collections.abc import Sequence

import torch
from mmengine.dist import all_reduce
from mmengine.logging import print_log
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmtad.registry import MODELS, TASK_UTILS
from mmtad.structures import centerwidth_to_segment

from ..task_modules.hungarian_matcher import (
    Matches,
    SetTargets,
    resolve_iou,
    resolve_l1_format,
)
from .focal_loss import sigmoid_focal_loss


def make_targets(
    instances: Sequence[InstanceData],
    masks: Tensor,
    num_classes: int,
    merge_labels: bool = True,
) -> list[SetTargets]:
    """Turn the ground truth of a batch into targets of queries.

    Args:
        instances: B samples with ``segments`` ``[N, 2]`` in grid units and ``labels`` int64
            ``[N]``; N may be 0.
        masks: Bool ``[B, T]``, True = valid; the valid length of a window is its unit.
        num_classes: K. With 1 every action is of class 0, whatever its label.
        merge_labels: Actions with the same segment are one action with several classes, as
            CliffDiving and Diving in THUMOS14. Otherwise they compete for queries.

    Returns:
        B targets.

    Raises:
        ValueError: If a label is not below K.
    """
    targets = []
    for sample, length in zip(instances, masks.sum(1).clamp(min=1), strict=True):
        segments = sample.segments.reshape(-1, 2).to(masks.device)
        segments = segments.to(torch.promote_types(segments.dtype, torch.float32)) / length
        labels = sample.labels.to(masks.device)
        if num_classes == 1:
            labels = torch.zeros_like(labels)
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
            raise ValueError(
                f"labels must lie in 0 to {num_classes - 1}, got {int(labels.min())} to "
                f"{int(labels.max())}; set num_classes of the head to the number of classes"
            )
        hot = torch.nn.functional.one_hot(labels, num_classes).to(segments.dtype)
        if merge_labels and len(segments):
            segments, group = segments.unique(dim=0, return_inverse=True)
            merged = hot.new_zeros(len(segments), num_classes)
            hot = merged.index_add_(0, group, hot).clamp_(max=1)
        targets.append(SetTargets(segments, hot))
    return targets


@MODELS.register_module()
class SetCriterion(nn.Module):
    """Focal, L1 and overlap losses of matched queries, at every layer of a decoder.

    `DETR <https://arxiv.org/abs/2005.12872>`_ with the focal loss of `Deformable DETR
    <https://arxiv.org/abs/2010.04159>`_ and, by default, the weights of `TadTR
    <https://arxiv.org/abs/2106.10271>`_. All sums are divided by the number of actions in the batch
    of all processes, averaged over them, at least 1; every layer is matched by itself.

    Args:
        matcher: Config of the matcher; ``iou_type``, ``l1_format``, ``alpha`` and ``gamma`` default
            to those of the losses.
        loss_class: Weight of the focal loss.
        loss_l1: Weight of the L1 distance in unit.
        loss_iou: Weight of ``1 - IoU``.
        iou_type: ``"iou"`` as in TadTR, or ``"giou"``, whose gradient reaches segments apart.
        l1_format: L1 of ``"centerwidth"`` as in DETR, or of start and end, ``"segment"``.
        alpha: Weight of positives in the focal loss.
        gamma: Focus on hard examples.

    Raises:
        ValueError: If ``iou_type`` or ``l1_format`` is unknown.
    """

    def __init__(
        self,
        matcher: dict | None = None,
        loss_class: float = 2.0,
        loss_l1: float = 5.0,
        loss_iou: float = 2.0,
        iou_type: str = "iou",
        l1_format: str = "centerwidth",
        alpha: float = 0.25,
        gamma: float = 2.0,
    ) -> None:
        super().__init__()
        common = dict(iou_type=iou_type, l1_format=l1_format, alpha=alpha, gamma=gamma)
        self.matcher = TASK_UTILS.build(
            dict(type="mmtad.HungarianMatcher", **common) | dict(matcher or {})
        )
        self.weights = dict(cls=loss_class, l1=loss_l1, iou=loss_iou)
        self.overlap = resolve_iou(iou_type)
        self.l1_view = resolve_l1_format(l1_format)
        self.alpha = alpha
        self.gamma = gamma
        self.warned = False

    def forward(
        self,
        class_logits: Sequence[Tensor],
        segments: Sequence[Tensor],
        targets: Sequence[SetTargets],
    ) -> dict[str, Tensor]:
        """Compute the losses.

        Args:
            class_logits: L tensors ``[B, Q, K]``, the last layer last.
            segments: L tensors ``[B, Q, 2]``, (centre, width) in unit.
            targets: B windows.

        Returns:
            Weighted scalars ``loss_cls``, ``loss_l1`` and ``loss_iou`` of the last layer, the same
            with ``d0.``, ``d1.``, .. before it of the earlier ones, and ``unmatched_instances``,
            the number of actions that found no query as there were too few.

        Raises:
            ValueError: If a prediction or a target is not finite.
        """
        logits, pairs = torch.stack(list(class_logits)), torch.stack(list(segments))
        exact = torch.promote_types(logits.dtype, torch.float32)
        logits, pairs = logits.to(exact), pairs.to(exact)
        matches = self.matcher(logits, pairs, targets)
        counts = [len(target.segments) for target in targets]
        count = logits.new_tensor(float(sum(counts)))
        all_reduce(count, "mean")
        count = count.clamp(min=1)
        losses = {}
        last = len(matches) - 1
        for layer, found in enumerate(matches):
            prefix = "" if layer == last else f"d{layer}."
            terms = self.layer_losses(logits[layer], pairs[layer], targets, found)
            for name, value in terms.items():
                losses[f"{prefix}loss_{name}"] = self.weights[name] * value / count
        missed = sum(max(0, number - logits.shape[2]) for number in counts)
        if missed and not self.warned:
            self.warned = True
            print_log(
                f"{missed} actions of a batch found no query: a window has {max(counts)} actions "
                f"and the head {logits.shape[2]} queries; raise num_queries or shorten the windows "
                "(the log counts them as unmatched_instances)",
                "current",
                logging.WARNING,
            )
        losses["unmatched_instances"] = logits.new_tensor(float(missed))
        return losses

    def layer_losses(
        self,
        class_logits: Tensor,
        segments: Tensor,
        targets: Sequence[SetTargets],
        matches: Matches,
    ) -> dict[str, Tensor]:
        """Sums of the loss terms of one layer, neither weighted nor divided.

        Args:
            class_logits: ``[B, Q, K]``.
            segments: ``[B, Q, 2]`` (centre, width) in unit.
            targets: B windows.
            matches: Their matching.

        Returns:
            ``cls``, ``l1`` and ``iou``.
        """
        chosen = (matches.samples, matches.queries)
        starts = torch.tensor([0, *(len(t.segments) for t in targets)], device=segments.device)
        index = starts.cumsum(0)[matches.samples] + matches.targets
        wanted = torch.cat([target.segments for target in targets])[index].to(segments)
        labels = torch.zeros_like(class_logits)
        labels[chosen] = torch.cat([target.labels for target in targets])[index].to(labels)
        found = centerwidth_to_segment(segments[chosen])
        return dict(
            cls=sigmoid_focal_loss(class_logits, labels, self.alpha, self.gamma).sum(),
            l1=(self.l1_view(found) - self.l1_view(wanted)).abs().sum(),
            iou=(1 - self.overlap(found, wanted, aligned=True)).sum(),
        )
