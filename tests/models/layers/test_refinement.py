import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers.refinement import inverse_sigmoid, refine


def test_inverse_sigmoid():
    x = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    assert_close(inverse_sigmoid(x.sigmoid()), x)
    assert_close(inverse_sigmoid(torch.tensor([0.25])), torch.tensor([1 / 3]).log())


@pytest.mark.parametrize("eps, most", [(1e-3, 6.9077553), (1e-5, 11.5129255)])  # -log(eps)
def test_ends_of_the_range(eps, most):
    x = torch.tensor([-0.5, 0.0, 1.0, 1.5], dtype=torch.float64, requires_grad=True)
    logits = inverse_sigmoid(x, eps)
    expected = torch.tensor([-most, -most, most, most]).double()
    assert_close(logits.clamp(-most, most), expected, atol=1e-5, rtol=0)
    assert torch.autograd.grad(logits.sum(), x)[0].isfinite().all()


def test_segments_move_by_odds():
    moved = refine(torch.tensor([[0.5, 0.25]]), torch.tensor([[0.0, 1.0986123]]))
    assert_close(moved, torch.tensor([[0.5, 0.5]]))  # odds 1/3, three times as much


def test_centres_leave_the_width_to_the_offset():
    offsets = torch.tensor([[[0.5, -1.0]]])
    moved = refine(torch.tensor([[[0.25]]]), offsets)
    third = torch.tensor(1 / 3).log()
    assert_close(moved, torch.stack([third + 0.5, torch.tensor(-1.0)]).sigmoid()[None, None])


def test_half_precision_is_refined_in_single():
    """In bfloat16 a centre at 0.9 could only be told to 0.004, half a step of 128."""
    reference = torch.tensor([[0.9012, 0.0123]])
    moved = refine(reference, torch.zeros(1, 2, dtype=torch.bfloat16))
    assert moved.dtype == torch.float32
    assert_close(moved, reference, rtol=0, atol=1e-6)
