import pytest
import torch
from torch.testing import assert_close

from mmtad.models.losses import OffsetIoULoss, offset_iou_loss


def test_by_hand():
    pred, target = torch.tensor([1.0, 3.0]), torch.tensor([1.0, 1.0])
    # [-1, 3] and [-1, 1]: IoU 1/2, hull 4, centres 1 and 0.
    assert float(offset_iou_loss(pred, target, "iou")) == pytest.approx(0.5)
    assert float(offset_iou_loss(pred, target, "giou")) == pytest.approx(0.5)
    assert float(offset_iou_loss(pred, target)) == pytest.approx(0.5 + 1 / 16)


def test_scale_and_equality():
    pred, target = torch.rand(20, 2), torch.rand(20, 2) + 0.1
    assert_close(offset_iou_loss(pred * 8, target * 8), offset_iou_loss(pred, target))
    assert_close(offset_iou_loss(target, target), torch.zeros(20))


def test_empty_predictions_have_finite_gradients():
    pred = torch.zeros(3, 2, requires_grad=True)
    target = torch.tensor([[1.0, 1.0], [0.0, 0.0], [-1.0, 2.0]])
    positive = torch.tensor([True, False, False])
    loss = OffsetIoULoss()(pred, target, positive)
    assert float(loss.detach()) == pytest.approx(1)
    loss.backward()
    assert pred.grad.isfinite().all() and (pred.grad[1:] == 0).all()


def test_no_positive_point():
    pred = torch.rand(3, 2, requires_grad=True)
    loss = OffsetIoULoss()(pred, torch.zeros(3, 2), torch.zeros(3, dtype=torch.bool))
    loss.backward()
    assert float(loss.detach()) == 0 and (pred.grad == 0).all()


def test_unknown_kind():
    with pytest.raises(ValueError, match="ciou"):
        OffsetIoULoss("ciou")
