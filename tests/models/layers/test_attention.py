import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers import global_attention, local_attention


def dense(query, key, value, allowed):
    """Attention by the textbook; ``allowed`` is bool [B, T, T]."""
    scores = torch.einsum("bihd,bjhd->bhij", query, key) / query.shape[-1] ** 0.5
    weights = scores.masked_fill(~allowed[:, None], -torch.inf).softmax(-1)
    return torch.einsum("bhij,bjhd->bihd", weights, value)


def inputs(length, batch=2, heads=2, width=4):
    generator = torch.Generator().manual_seed(length)
    shape = (3, batch, length, heads, width)
    return torch.randn(shape, generator=generator, dtype=torch.float64).unbind(0)


@pytest.mark.parametrize("length", [1, 5, 31, 33, 64, 100, 131])
@pytest.mark.parametrize("window", [1, 3, 19, 41, 255])
def test_local_equals_dense_band(length, window):
    qkv = inputs(length)
    mask = torch.ones(2, length, dtype=torch.bool)
    mask[1, max(1, length * 2 // 3) :] = False
    steps = torch.arange(length)
    band = (steps[:, None] - steps).abs() <= window // 2
    out = local_attention(*qkv, mask, window)
    expected = dense(*qkv, (band & mask[:, None]) | ~mask[..., None])
    assert_close(out[mask], expected[mask])
    assert out.isfinite().all()


def test_global_equals_dense():
    qkv = inputs(20)
    mask = torch.arange(20) < torch.tensor([[20], [13]])
    out = global_attention(*qkv, mask)
    assert_close(out, dense(*qkv, mask[:, None].expand(2, 20, 20)))


@pytest.mark.parametrize("window", [5, -1])
def test_sample_without_a_valid_step_is_finite(window):
    qkv = [x.clone().requires_grad_() for x in inputs(12)]
    mask = torch.zeros(2, 12, dtype=torch.bool)
    out = global_attention(*qkv, mask) if window < 0 else local_attention(*qkv, mask, window)
    out.sum().backward()
    assert out.isfinite().all()
    assert all(x.grad.isfinite().all() for x in qkv)


def test_local_memory_is_linear():
    """No intermediate of 20,000 steps comes near T * T."""
    largest = 0

    def note(tensor):
        nonlocal largest
        largest = max(largest, tensor.numel())
        return tensor

    length = 20_000
    qkv = [torch.randn(1, length, 1, 2, requires_grad=True) for _ in range(3)]
    mask = torch.ones(1, length, dtype=torch.bool)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
        local_attention(*qkv, mask, 19).sum().backward()
    assert largest <= length * 64
