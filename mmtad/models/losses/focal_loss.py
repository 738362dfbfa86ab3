"""Focal loss for independent (sigmoid) classes."""

import torch.nn.functional as F
from torch import Tensor, nn

from mmtad.registry import MODELS


def sigmoid_focal_loss(
    logits: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """Focal loss per element.

    ``alpha_t (1 - p_t)^gamma BCE(p, t)`` with ``p_t = p t + (1 - p)(1 - t)`` and ``alpha_t = alpha
    t + (1 - alpha)(1 - t)``: `Focal Loss for Dense Object Detection
    <https://arxiv.org/abs/1708.02002>`_, eq. 5, extended to soft targets.

    Args:
        logits: Any shape.
        targets: Same shape, in [0, 1].
        alpha: Weight of positives; negative leaves the weighting out.
        gamma: Focus on hard elements.

    Returns:
        Same shape, not reduced.
    """
    prob = logits.sigmoid()
    miss = (prob + targets - 2 * prob * targets).clamp(min=0)  # 1 - p_t
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none") * miss**gamma
    if alpha >= 0:
        loss = loss * (alpha * targets + (1 - alpha) * (1 - targets))
    return loss


@MODELS.register_module()
class SigmoidFocalLoss(nn.Module):
    """Sum of :func:`sigmoid_focal_loss` over the elements that count.

    Args:
        alpha: Weight of positives; negative leaves the weighting out.
        gamma: Focus on hard elements.
    """

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0) -> None:
        super().__init__()
        self.alpha = alpha
        self.gamma = gamma

    def forward(
        self, logits: Tensor, targets: Tensor, valid: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """Sum the loss.

        Args:
            logits: ``[..., K]``.
            targets: ``[..., K]`` in [0, 1].
            valid: Bool ``[...]``; other elements give neither loss nor gradient.
            weights: ``[..., K]``, factors of the elements; None for 1.

        Returns:
            Scalar.
        """
        loss = sigmoid_focal_loss(logits, targets, self.alpha, self.gamma)
        loss = loss if weights is None else loss * weights
        return loss.masked_fill(~valid[..., None], 0.0).sum()
