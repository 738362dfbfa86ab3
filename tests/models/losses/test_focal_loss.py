import math

import pytest
import torch
from torch.testing import assert_close

from mmtad.models.losses import SigmoidFocalLoss, sigmoid_focal_loss


def test_by_hand():
    logits = torch.tensor([0.0, 0.0], dtype=torch.float64)
    loss = sigmoid_focal_loss(logits, torch.tensor([1.0, 0.0], dtype=torch.float64))
    assert_close(loss, torch.tensor([0.25, 0.75], dtype=torch.float64) * 0.25 * math.log(2))


def test_gamma_zero_without_alpha_is_cross_entropy():
    logits, targets = torch.randn(50), torch.rand(50)
    loss = sigmoid_focal_loss(logits, targets, alpha=-1, gamma=0)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, targets, reduction="none"
    )
    assert_close(loss, expected)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_extreme_logits_stay_finite(gamma):
    logits = torch.tensor([-200.0, -20.0, 20.0, 200.0]).repeat(2).requires_grad_()
    targets = torch.tensor([0.0] * 4 + [1.0] * 4)
    loss = sigmoid_focal_loss(logits, targets, gamma=gamma)
    assert loss.isfinite().all()


def test_only_valid_points_count():
    logits = torch.randn(2, 3, 4, requires_grad=True)
    targets = torch.rand(2, 3, 4)
    valid = torch.tensor([[True, False, True], [False, False, True]])
    loss = SigmoidFocalLoss()(logits, targets, valid)
    assert_close(loss, sigmoid_focal_loss(logits, targets)[valid].sum())
    loss.backward()
    assert (logits.grad[~valid] == 0).all()


def test_weights_are_factors_of_the_elements():
    logits, targets, weights = torch.randn(3, 4), torch.rand(3, 4), torch.rand(3, 4)
    loss = SigmoidFocalLoss()(logits, targets, torch.tensor([True, False, True]), weights)
    assert_close(loss, (sigmoid_focal_loss(logits, targets) * weights)[[0, 2]].sum())
