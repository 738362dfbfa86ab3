"""One-to-one matching of queries and actions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from mmengine.logging import MessageHub
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mmtad.registry import TASK_UTILS
from mmtad.structures import (
    centerwidth_to_segment,
    segment_giou,
    segment_iou,
    segment_to_centerwidth,
)

_REMEDY = "lower the learning rate, clip the gradients or train in float32, and check the features"
IOU_TYPES = {"iou": segment_iou, "giou": segment_giou}
L1_FORMATS = {"centerwidth": segment_to_centerwidth, "segment": lambda segments: segments}


@dataclass(frozen=True)
class SetTargets:
    """The actions of one window.

    Args:
        segments: ``[N, 2]`` (start, end) in unit, the share of the window's valid length.
        labels: ``[N, K]``, 1 for every class of the action, else 0.
    """

    segments: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Matches:
    """Which query stands for which action, in one layer; M pairs of a whole batch.

    Args:
        samples: int64 ``[M]``, sample in the batch.
        queries: int64 ``[M]``, rising within a sample.
        targets: int64 ``[M]``, index among the sample's own actions.
    """

    samples: Tensor
    queries: Tensor
    targets: Tensor


def resolve_iou(name: str) -> Callable[..., Tensor]:
    """Overlap function of a name; raises a ValueError for an unknown one."""
    if name not in IOU_TYPES:
        raise ValueError(f"iou_type must be one of {sorted(IOU_TYPES)}, got {name!r}")
    return IOU_TYPES[name]


def resolve_l1_format(name: str) -> Callable[[Tensor], Tensor]:
    """From (start, end) to what L1 distances compare; raises a ValueError for an unknown name."""
    if name not in L1_FORMATS:
        raise ValueError(f"l1_format must be one of {sorted(L1_FORMATS)}, got {name!r}")
    return L1_FORMATS[name]


def pad_targets(targets: Sequence[SetTargets]) -> tuple[Tensor, Tensor]:
    """Stack the actions of a batch.

    Args:
        targets: B windows.

    Returns:
        Segments ``[B, N, 2]`` and labels ``[B, N, K]``, N the largest number; zeros fill up.
    """
    pad = torch.nn.utils.rnn.pad_sequence
    segments = pad([target.segments for target in targets], batch_first=True)
    return segments, pad([target.labels for target in targets], batch_first=True)


@TASK_UTILS.register_module()
class HungarianMatcher:
    """The cheapest one-to-one matching of queries and actions.

    `DETR <https://arxiv.org/abs/2005.12872>`_, eq. 1, with the focal class cost of
    `Deformable DETR <https://arxiv.org/abs/2010.04159>`_: ``cost_class (focal loss of a positive -
    focal loss of a negative) + cost_l1 L1 - cost_iou IoU``. For an action of several classes the
    class costs are summed. The costs of all layers and windows are computed at once.

    Args:
        cost_class: Weight of the class cost.
        cost_l1: Weight of the L1 distance, in unit.
        cost_iou: Weight of the overlap.
        iou_type: ``"iou"`` as in TadTR, or ``"giou"``.
        l1_format: L1 of ``"centerwidth"`` as in DETR, or of start and end, ``"segment"``.
        alpha: Weight of positives in the focal loss.
        gamma: Focus on hard examples.

    Raises:
        ValueError: If ``iou_type`` or ``l1_format`` is unknown.
    """

    def __init__(
        self,
        cost_class: float = 6.0,
        cost_l1: float = 5.0,
        cost_iou: float = 2.0,
        iou_type: str = "iou",
        l1_format: str = "centerwidth",
        alpha: float = 0.25,
        gamma: float = 2.0,
    ) -> None:
        self.weights = (cost_class, cost_l1, cost_iou)
        self.overlap = resolve_iou(iou_type)
        self.l1_view = resolve_l1_format(l1_format)
        self.alpha = alpha
        self.gamma = gamma

    @torch.no_grad()
    def __call__(
        self, class_logits: Tensor, segments: Tensor, targets: Sequence[SetTargets]
    ) -> list[Matches]:
        """Match every layer by itself.

        Args:
            class_logits: ``[L, B, Q, K]``.
            segments: ``[L, B, Q, 2]`` (centre, width) in unit.
            targets: B windows; a window may have no action, or more than there are queries: then
                the dearest ones stay unmatched.

        Returns:
            L matchings on the device of the logits.

        Raises:
            ValueError: If a cost is NaN or infinite.
        """
        counts = [len(target.segments) for target in targets]
        if not any(counts):
            _check_predictions(class_logits, segments)
            nothing = torch.zeros(0, dtype=torch.int64, device=class_logits.device)
            return [Matches(nothing, nothing, nothing)] * len(class_logits)
        wanted, labels = pad_targets(targets)
        costs = self.costs(class_logits, segments, wanted, labels).cpu().numpy()
        return [
            _solve(costs[layer], counts, layer, len(costs), class_logits.device)
            for layer in range(len(costs))
        ]

    def costs(
        self, class_logits: Tensor, segments: Tensor, wanted: Tensor, labels: Tensor
    ) -> Tensor:
        """Cost of every pair of a query and an action.

        Args:
            class_logits: ``[..., B, Q, K]``.
            segments: ``[..., B, Q, 2]`` (centre, width) in unit.
            wanted: ``[B, N, 2]`` (start, end) in unit.
            labels: ``[B, N, K]``.

        Returns:
            ``[..., B, Q, N]``.
        """
        exact = torch.promote_types(class_logits.dtype, torch.float32)
        prob = class_logits.to(exact).sigmoid()
        positive = -self.alpha * (1 - prob) ** self.gamma * (prob + 1e-8).log()
        negative = -(1 - self.alpha) * prob**self.gamma * (1 - prob + 1e-8).log()
        of_class = (positive - negative) @ labels.to(exact).mT
        pairs, wanted = centerwidth_to_segment(segments.to(exact)), wanted.to(exact)
        ours, theirs = self.l1_view(pairs), self.l1_view(wanted)
        of_l1 = (ours[..., :, None, :] - theirs[..., None, :, :]).abs().sum(-1)
        overlap = self.overlap(pairs, wanted)
        by_class, by_l1, by_iou = self.weights
        return by_class * of_class + by_l1 * of_l1 - by_iou * overlap


def _solve(
    costs: np.ndarray, counts: Sequence[int], layer: int, num_layers: int, device: torch.device
) -> Matches:
    """Match one layer; costs ``[B, Q, N]``."""
    samples, queries, targets = [], [], []
    for sample, count in enumerate(counts):
        cost = costs[sample, :, :count]
        if not np.isfinite(cost).all():
            raise ValueError(_describe_bad(cost, sample, layer, num_layers))
        rows, columns = linear_sum_assignment(cost)
        samples.append(np.full(len(rows), sample))
        queries.append(rows)
        targets.append(columns)
    stacked = np.stack([np.concatenate(x) for x in (samples, queries, targets)])
    return Matches(*torch.from_numpy(stacked).to(device, torch.int64))


def _check_predictions(class_logits: Tensor, segments: Tensor) -> None:
    """Without an action there are no costs that would show a model that has diverged."""
    finite = class_logits.isfinite().all(-1) & segments.isfinite().all(-1)
    if not finite.all():
        bad = (~finite).sum((1, 2))
        layer = int(bad.nonzero()[0])
        raise ValueError(
            f"the predictions of {int(bad[layer])} of {finite[layer].numel()} queries, decoder "
            f"layer {layer + 1} of {len(bad)}, are NaN or infinite{_when()}; {_REMEDY}"
        )


def _when() -> str:
    step = MessageHub.get_current_instance().get_info("iter", None)
    return "" if step is None else f" at step {step}"


def _describe_bad(cost: np.ndarray, sample: int, layer: int, num_layers: int) -> str:
    bad = ~np.isfinite(cost)
    return (
        f"{bad.sum()} of {cost.size} matching costs of sample {sample} in the batch, decoder layer "
        f"{layer + 1} of {num_layers}, are NaN or infinite{_when()}: the predictions of "
        f"{bad.any(1).sum()} of {len(cost)} queries, or the annotation, are not finite; {_REMEDY}"
    )
