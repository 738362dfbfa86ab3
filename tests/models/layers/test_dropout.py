import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers import MultiheadAttention, dropout, multihead_attention
from mmtad.models.layers.dropout import Dropout


@pytest.mark.parametrize("chance", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_share_and_scale(chance, dtype):
    torch.manual_seed(0)
    x = torch.ones(401, 997, dtype=dtype)
    out = dropout.dropout(x, chance)
    assert out.dtype == dtype
    dropped = (out == 0).double()
    assert float(dropped.mean()) == pytest.approx(chance, rel=0.05)
    kept = out[out != 0]
    assert_close(kept, torch.full_like(kept, 1 / (1 - chance)), rtol=1e-2, atol=0)
    # Neighbours, which share a random number, are dropped by themselves.
    both = (dropped[:, 1:] * dropped[:, :-1]).mean()
    assert float(both) == pytest.approx(chance**2, abs=3e-3)


def test_gradient_passes_where_values_do():
    x = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    out = dropout.dropout(x, 0.5)
    assert_close(torch.autograd.grad(out.sum(), x)[0], out.detach() / x.detach())


def test_one_seed_gives_one_mask():
    x = torch.ones(3, 11)
    found = []
    for _ in range(2):
        torch.manual_seed(3)
        found.append(dropout.dropout(x, 0.5))
    assert torch.equal(*found) and not torch.equal(found[0], dropout.dropout(x, 0.5))


@pytest.mark.parametrize("shape", [(0, 4), (1,), (2, 3)])
def test_edges(shape):
    x = torch.ones(shape)
    assert_close(dropout.dropout(x, 0.0), x)
    assert_close(dropout.dropout(x, 1.0), torch.zeros(shape))
    assert dropout.dropout(x, 0.5).shape == shape
    layer = Dropout(0.5)
    assert layer.eval()(x) is x
    with pytest.raises(ValueError, match="probability"):
        Dropout(1.5)


def test_attention_with_dropout_without_a_map(monkeypatch):
    """In fewer passes than PyTorch's, but the same."""
    monkeypatch.setattr(multihead_attention, "drop", lambda weights, chance: weights)
    module = MultiheadAttention(8, 2, dropout=0.5).double()
    x, mask = torch.randn(2, 5, 8).double(), torch.arange(5) < torch.tensor([[5], [3]])
    found, weights = module.train()(x, x, x, mask)
    assert weights is None
    assert_close(found, module.eval()(x, x, x, mask)[0])
