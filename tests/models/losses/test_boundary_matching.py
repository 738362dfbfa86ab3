import math

import pytest
import torch
from torch.testing import assert_close

from mmtad.models.losses import (
    BalancedBCELoss,
    BalancedL2Loss,
    balanced_bce_loss,
    balanced_l2_loss,
)


def logit(p):
    return math.log(p / (1 - p))


def draws(shape, value=0.0):
    return torch.full(shape, value), torch.full(shape, value)


def test_bce_by_hand():
    logits = torch.tensor([logit(0.8), logit(0.6), logit(0.1), logit(0.3)])
    targets = torch.tensor([0.9, 0.5, 0.2, 0.0])
    of_negatives = -(math.log(0.4) + math.log(0.9) + math.log(0.7)) / 3
    expected = 0.5 * -math.log(0.8) + 0.5 * of_negatives
    assert_close(balanced_bce_loss(logits, targets, 0.5), torch.tensor(expected))
    # Only the first two count: one positive, one negative.
    valid = torch.tensor([True, True, False, False])
    expected = 0.5 * -math.log(0.8) + 0.5 * -math.log(0.4)
    assert_close(balanced_bce_loss(logits, targets, 0.5, valid), torch.tensor(expected))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_bce_of_one_kind_is_the_mean(value):
    logits = torch.randn(3, 5)
    targets = torch.full((3, 5), value)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
    assert_close(balanced_bce_loss(logits, targets, 0.5), expected)


def test_l2_by_hand():
    targets = torch.tensor([0.9, 0.5, 0.4, 0.1, 0.2, 0.0])
    pred = torch.tensor([0.5, 0.0, 0.0, 1.0, 0.0, 1.0])
    # One high cell, two middle, three low: a middle one joins above 1/2, a low one above 2/3.
    middle = torch.tensor([0.0, 0.6, 0.4, 0, 0, 0])
    low = torch.tensor([0, 0, 0, 0.6, 0.7, 0.5])
    expected = (0.4**2 + 0.5**2 + 0.2**2) / 3
    assert_close(balanced_l2_loss(pred, targets, draws=(middle, low)), torch.tensor(expected))


def test_l2_draws_about_as_many_of_each_kind():
    generator = torch.Generator().manual_seed(0)
    targets = torch.cat([torch.full((400,), 0.8), torch.full((4000,), 0.5), torch.zeros(40000)])
    pred = targets + torch.cat([torch.zeros(400), torch.ones(4000), torch.zeros(40000)])
    loss = balanced_l2_loss(pred, targets, generator=generator)
    assert abs(float(loss) - 1 / 3) < 0.03
    again = balanced_l2_loss(pred, targets, generator=generator.manual_seed(0))
    assert torch.equal(loss, again)


KINDS = {"no high": [0.5, 0.1, 0.2], "no middle": [0.9, 0.1, 0.2], "no low": [0.9, 0.5, 0.4]}


@pytest.mark.parametrize("as_published", [False, True])
@pytest.mark.parametrize("targets", [*KINDS.values(), [0.9], [0.5], [0.1]])
def test_l2_is_finite_whatever_is_missing(targets, as_published):
    targets = torch.tensor(targets)
    logits = torch.zeros_like(targets, requires_grad=True)
    loss = BalancedL2Loss(as_published=as_published)(logits, targets)
    loss.backward()
    assert loss.isfinite() and logits.grad.isfinite().all()


def test_l2_without_a_high_cell_is_the_mean():
    targets, logits = torch.tensor([0.5, 0.1, 0.2]), torch.tensor([0.0, 1.0, -1.0])
    mean = (logits.sigmoid() - targets).square().mean()
    assert_close(BalancedL2Loss(loss_weight=5.0)(logits, targets), 5 * mean)
    # Public code forgets the weight then.
    published = BalancedL2Loss(loss_weight=5.0, as_published=True)
    assert_close(published(logits, targets), mean)


def test_l2_rare_kinds_are_taken_whole():
    targets, pred = torch.tensor([0.9, 0.8, 0.5, 0.1, 0.1]), torch.tensor([0.9, 0.8, 0.5, 1.1, 1.1])
    low_never = (torch.zeros(5), torch.zeros(5))
    assert float(balanced_l2_loss(pred, targets, draws=low_never)) == 0
    # With two high cells and one middle cell, public code lets every cell in once more.
    leaked = balanced_l2_loss(pred, targets, draws=low_never, as_published=True)
    assert_close(leaked, torch.tensor(2 / 7))


def test_l2_may_leave_out_cells_without_any_overlap():
    targets = torch.tensor([0.9, 0.5, 0.2, 0.1, 0.0, 0.0])
    always = (torch.ones(6), torch.ones(6))
    for overlapping_only in (False, True):
        pred = torch.zeros(6, requires_grad=True)
        balanced_l2_loss(
            pred + 1, targets, draws=always, overlapping_only=overlapping_only
        ).backward()
        assert (pred.grad != 0).tolist() == [True] * 4 + [not overlapping_only] * 2


def test_elements_that_are_not_valid_do_not_count():
    torch.manual_seed(0)
    logits, targets = torch.randn(2, 30), torch.rand(2, 30)
    valid = torch.arange(30) < torch.tensor([[30], [11]])
    choice = (torch.rand(2, 30), torch.rand(2, 30))
    nothing = torch.zeros_like(valid)
    bce, l2 = BalancedBCELoss(0.5), BalancedL2Loss()
    assert_close(bce(logits, targets, valid), bce(logits[valid], targets[valid]))
    chosen = (choice[0][valid], choice[1][valid])
    expected = l2(logits[valid], targets[valid], draws=chosen)
    assert_close(l2(logits, targets, valid, choice), expected)
    assert float(bce(logits, targets, nothing)) == float(l2(logits, targets, nothing)) == 0


def test_wrong_thresholds_are_named():
    with pytest.raises(ValueError, match="0.8 and 0.7"):
        BalancedL2Loss(low=0.8)
