"""Losses of boundary-matching detectors (BMN, G-TAD): balanced between rare and common cells."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtad.registry import MODELS


def balanced_bce_loss(
    logits: Tensor, targets: Tensor, threshold: float, valid: Tensor | None = None
) -> Tensor:
    """Binary cross-entropy in which positives and negatives have the same total weight.

    `BMN <https://arxiv.org/abs/1907.09702>`_, eq. 7. Without a positive, or without a negative, it
    is the plain mean.

    Args:
        logits: Any shape.
        targets: Same shape; above ``threshold`` is positive.
        threshold: See ``targets``.
        valid: Bool, same shape: other elements do not count; None for all.

    Returns:
        Scalar; 0 if nothing is valid.
    """
    if valid is None:
        valid = torch.ones_like(targets, dtype=torch.bool)
    positive = (targets > threshold) & valid
    total = valid.sum().clamp(min=1)
    num_positive = positive.sum()
    num_negative = valid.sum() - num_positive
    one_sided = (num_positive == 0) | (num_negative == 0)
    of_positive = torch.where(one_sided, 1.0, 0.5 * total / num_positive.clamp(min=1))
    of_negative = torch.where(one_sided, 1.0, 0.5 * total / num_negative.clamp(min=1))
    weight = torch.where(positive, of_positive, of_negative) * valid
    loss = F.binary_cross_entropy_with_logits(logits, positive.to(logits), reduction="none")
    return (loss * weight.to(logits)).sum() / total


def balanced_l2_loss(
    pred: Tensor,
    targets: Tensor,
    valid: Tensor | None = None,
    high: float = 0.7,
    low: float = 0.3,
    draws: tuple[Tensor, Tensor] | None = None,
    generator: torch.Generator | None = None,
    as_published: bool = False,
    overlapping_only: bool = False,
) -> Tensor:
    """Squared error over all cells of high overlap and about as many of middle and of low overlap.

    `BMN <https://arxiv.org/abs/1907.09702>`_, section 4.2: cells of middle and of low overlap are
    sampled with the probability ``number of high ones / number of their kind``. Without a cell of
    high overlap it is the plain mean.

    Args:
        pred: Predicted overlaps, any shape.
        targets: Same shape, in [0, 1].
        valid: Bool, same shape: other elements do not count; None for all.
        high: Targets above it are of high overlap.
        low: Targets above it, up to ``high``, are of middle overlap.
        draws: Two tensors of the same shape, uniform in [0, 1), that choose among middle and among
            low cells; None draws them.
        generator: Source of the draws, on the device of ``pred``; None for PyTorch's own.
        as_published: As OpenTAD and the code of G-TAD: a kind that is rarer than the high cells, or
            absent, lets every cell of every kind in once more. In ours such a kind is taken whole.
        overlapping_only: Cells that no action overlaps are of no kind, as in the code of G-TAD.

    Returns:
        Scalar; 0 if nothing is valid.
    """
    if valid is None:
        valid = torch.ones_like(targets, dtype=torch.bool)
    if draws is None:
        shape = dict(size=targets.shape, generator=generator, device=pred.device)
        draws = (torch.rand(**shape), torch.rand(**shape))
    is_high = (targets > high) & valid
    is_low = (targets <= low) & valid
    is_middle = valid & ~is_high & ~is_low
    if overlapping_only:
        is_low = is_low & (targets > 0)
    num_high = is_high.sum()
    count = is_high.to(pred)
    for kind, draw in zip((is_middle, is_low), draws, strict=True):
        threshold = 1 - num_high / kind.sum()  # minus infinity, or NaN, without such a cell
        chosen = draw * kind > threshold
        count = count + (chosen & (valid if as_published else kind)).to(pred)
    count = torch.where(num_high > 0, count, valid.to(pred))
    return ((pred - targets).square() * count).sum() / count.sum().clamp(min=1)


@MODELS.register_module()
class BalancedBCELoss(nn.Module):
    """:func:`balanced_bce_loss` as a module.

    Args:
        threshold: Targets above it are positive (boundaries 0.5, the map 0.9).
        loss_weight: Factor of the result.
    """

    def __init__(self, threshold: float = 0.5, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.threshold = threshold
        self.loss_weight = loss_weight

    def forward(self, logits: Tensor, targets: Tensor, valid: Tensor | None = None) -> Tensor:
        """Compute the loss; see :func:`balanced_bce_loss`."""
        return self.loss_weight * balanced_bce_loss(logits, targets, self.threshold, valid)


@MODELS.register_module()
class BalancedL2Loss(nn.Module):
    """:func:`balanced_l2_loss` of probabilities as a module.

    Args:
        high: Targets above it are of high overlap.
        low: Targets above it, up to ``high``, are of middle overlap.
        loss_weight: Factor of the result: 10 in the paper of BMN, 5 in OpenTAD and, as 10 * 0.5, in
            the code of G-TAD.
        as_published: See :func:`balanced_l2_loss`; moreover, without a cell of high overlap the
            result is not multiplied by ``loss_weight``.
        overlapping_only: See :func:`balanced_l2_loss`.

    Raises:
        ValueError: If ``low`` is above ``high``.
    """

    def __init__(
        self,
        high: float = 0.7,
        low: float = 0.3,
        loss_weight: float = 10.0,
        as_published: bool = False,
        overlapping_only: bool = False,
    ) -> None:
        super().__init__()
        if low > high:
            raise ValueError(f"low must not be above high, got {low} and {high}")
        self.high, self.low = high, low
        self.loss_weight = loss_weight
        self.as_published = as_published
        self.overlapping_only = overlapping_only

    def forward(
        self,
        logits: Tensor,
        targets: Tensor,
        valid: Tensor | None = None,
        draws: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Compute the loss of ``logits.sigmoid()``; see :func:`balanced_l2_loss`."""
        loss = balanced_l2_loss(
            logits.sigmoid(),
            targets,
            valid,
            self.high,
            self.low,
            draws=draws,
            as_published=self.as_published,
            overlapping_only=self.overlapping_only,
        )
        if self.as_published:
            counted = targets if valid is None else targets.masked_fill(~valid, 0.0)
            return torch.where((counted > self.high).any(), self.loss_weight, 1.0) * loss
        return self.loss_weight * loss
