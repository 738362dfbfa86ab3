import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers import MLP


def test_relu_stands_between_the_layers():
    mlp = MLP(3, 5, 2, num_layers=3)
    x = torch.randn(2, 4, 3)
    expected = x
    for index, layer in enumerate(mlp.layers):
        expected = expected @ layer.weight.T + layer.bias
        expected = expected.clamp(min=0) if index < 2 else expected
    assert_close(mlp(x), expected)
    assert [tuple(layer.weight.shape) for layer in mlp.layers] == [(5, 3), (5, 5), (2, 5)]


def test_no_layer_is_refused():
    with pytest.raises(ValueError, match="num_layers=0"):
        MLP(3, 5, 2, num_layers=0)
