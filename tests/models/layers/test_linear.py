import pytest
import torch
from torch import nn

from mmtad.models.layers.linear import gradient_only, is_plain_linear


@pytest.mark.parametrize("trained", ["", "bias", "weight bias"])
@pytest.mark.parametrize("amp", [False, True])
def test_gradient_only(trained, amp):
    """Zeros go forth, and every gradient is that of the layer."""
    layer = nn.Linear(6, 4)
    for name, parameter in layer.named_parameters():
        parameter.requires_grad_(name in trained.split())
    x = torch.randn(2, 3, 6, requires_grad=True)
    wanted = [x, *(p for p in layer.parameters() if p.requires_grad)]
    grad = torch.randn(2, 3, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=amp):
        expected_out = layer(x.sin())
        with gradient_only(layer):
            out = layer(x.sin())
    assert out.dtype is expected_out.dtype and out.shape == expected_out.shape and not out.any()
    grad = grad.to(out.dtype)
    expected = torch.autograd.grad(expected_out, wanted, grad)
    found = torch.autograd.grad(out, wanted, grad)
    tolerance = dict(rtol=1e-2, atol=2e-2) if amp else dict(rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found, expected, **tolerance)
    assert layer(x).any()


def test_gradient_only_ends_after_an_error():
    layer = nn.Linear(2, 2)
    with pytest.raises(RuntimeError), gradient_only(layer):
        raise RuntimeError
    assert "forward" not in vars(layer)
    with gradient_only(None):
        pass


def test_is_plain_linear():
    from mmcv.cnn.bricks.wrappers import Linear

    class Other(nn.Linear):
        pass

    assert is_plain_linear(nn.Linear(1, 1)) and is_plain_linear(Linear(1, 1))
    assert not is_plain_linear(Other(1, 1)) and not is_plain_linear(nn.Identity())
