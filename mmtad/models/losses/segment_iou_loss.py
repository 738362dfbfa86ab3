"""Overlap losses between aligned segments; time and memory are linear in their number."""

import torch
from torch import Tensor, nn

from mmtad.registry import MODELS
from mmtad.structures import segment_diou, segment_giou, segment_iou

OVERLAPS = {"iou": segment_iou, "giou": segment_giou, "diou": segment_diou}


def offset_iou_loss(pred: Tensor, target: Tensor, kind: str = "diou") -> Tensor:
    """``1 - overlap`` of segments given by their distances to the left and right of one point.

    ``diou`` is 1 - IoU + (distance of the centres / length of the hull)^2,
    `Distance-IoU <https://arxiv.org/abs/1911.08287>`_, eq. 7, in one dimension. The overlap does
    not depend on the scale, so offsets over the stride of a level (official ActionFormer) and
    segments in steps (OpenTAD) agree.

    Args:
        pred: ``[..., 2]``, distances >= 0.
        target: ``[..., 2]``, same unit; the segment must not be empty.
        kind: ``"iou"``, ``"giou"`` or ``"diou"``.

    Returns:
        ``[...]``, not reduced.
    """
    sign = pred.new_tensor([-1.0, 1.0])
    return 1 - OVERLAPS[kind](pred * sign, target * sign, aligned=True)


@MODELS.register_module()
class OffsetIoULoss(nn.Module):
    """Sum of :func:`offset_iou_loss` over the points that count.

    Args:
        kind: ``"iou"``, ``"giou"`` or ``"diou"``.

    Raises:
        ValueError: If the kind is unknown.
    """

    def __init__(self, kind: str = "diou") -> None:
        super().__init__()
        if kind not in OVERLAPS:
            raise ValueError(f"the kind of overlap is one of {sorted(OVERLAPS)}, got {kind!r}")
        self.kind = kind

    def forward(self, pred: Tensor, target: Tensor, positive: Tensor) -> Tensor:
        """Sum the loss.

        Args:
            pred: ``[..., 2]`` distances >= 0.
            target: ``[..., 2]``; anything where ``positive`` is False.
            positive: Bool ``[...]``; other points give neither loss nor gradient. May be False
                everywhere.

        Returns:
            Scalar.
        """
        chosen = positive[..., None]
        # Masked inputs rather than masked outputs: an empty segment would have an infinite
        # gradient.
        pred = torch.where(chosen, pred, torch.ones_like(pred))
        target = torch.where(chosen, target, torch.ones_like(target))
        return offset_iou_loss(pred, target, self.kind).masked_fill(~positive, 0.0).sum()
