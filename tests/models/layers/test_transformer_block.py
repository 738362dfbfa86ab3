import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers import ConvTransformerBlock, MaskedConvAttention


@pytest.mark.parametrize("window", [-1, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_shapes_and_zero_padding(window, stride):
    block = ConvTransformerBlock(8, 2, window, stride)
    mask = torch.arange(11) < torch.tensor([[11], [6]])
    x = torch.randn(2, 8, 11) * mask[:, None]
    out, out_mask = block(x, mask)
    length = -(-11 // stride)
    assert out.shape == (2, 8, length)
    assert out_mask.sum(1).tolist() == [length, -(-6 // stride)]
    assert (out.transpose(1, 2)[~out_mask] == 0).all()


def test_starts_close_to_the_identity():
    block = ConvTransformerBlock(8, 2)
    x = torch.randn(1, 8, 6)
    out, _ = block(x, torch.ones(1, 6, dtype=torch.bool))
    assert_close(out, x, atol=1e-2, rtol=0)


def test_every_parameter_gets_a_gradient():
    block = ConvTransformerBlock(8, 2, window=3, stride=2, drop_path=0.1)
    block(torch.randn(2, 8, 9), torch.ones(2, 9, dtype=torch.bool))[0].square().sum().backward()
    assert all(p.grad is not None for p in block.parameters())


@pytest.mark.parametrize("window", [0, 4, -2])
def test_rejects_windows_without_a_centre(window):
    with pytest.raises(ValueError, match=str(window)):
        MaskedConvAttention(8, 2, window)


def test_rejects_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="3 heads"):
        MaskedConvAttention(8, 3)
