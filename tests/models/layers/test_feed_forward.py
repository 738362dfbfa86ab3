import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers import FeedForward


@pytest.mark.parametrize("activation", ["relu", "prelu"])
def test_against_a_restatement(activation):
    layer = FeedForward(6, 10, activation=activation).double()
    x = torch.randn(2, 5, 6, dtype=torch.float64)
    hidden = x @ layer.expand.weight.T + layer.expand.bias
    slope = 0.25 if activation == "prelu" else 0.0  # PyTorch's first slope
    hidden = torch.where(hidden > 0, hidden, slope * hidden)
    out = x + hidden @ layer.reduce.weight.T + layer.reduce.bias
    expected = (out - out.mean(-1, keepdim=True)) / (
        out.var(-1, unbiased=False, keepdim=True) + 1e-5
    ).sqrt()
    assert_close(layer(x), expected)


def test_dropout_acts_in_training_only():
    layer = FeedForward(6, 10, dropout=0.5)
    x = torch.randn(2, 5, 6)
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    assert_close(layer(x), layer(x), rtol=0, atol=0)


def test_an_unknown_activation():
    with pytest.raises(ValueError, match="one of .*prelu.*relu.*got 'gelu'"):
        FeedForward(6, 10, activation="gelu")
