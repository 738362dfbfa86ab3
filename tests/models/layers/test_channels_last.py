"""Convolutions and linear layers in channels-last memory are PyTorch's own."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmtad.models.layers.channels_last import Linear, conv1d, linear

TOL = dict(rtol=1e-4, atol=1e-5)


def gradients(function, x, *parameters):
    leaves = [t.clone().requires_grad_() for t in (x, *parameters)]
    out = function(*leaves)
    weights = torch.linspace(-1, 1, out.numel()).view(out.shape)
    return out.detach(), torch.autograd.grad((out * weights).sum(), leaves)


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize(
    "batch, length, taps, options",
    [
        (2, 300, 3, dict(padding=1)),
        (3, 40, 5, dict(padding=2)),
        (2, 40, 3, dict(padding=2, dilation=2)),
        (2, 41, 3, dict(padding=1, stride=2)),
        (2, 40, 3, dict(padding=1, groups=4)),
        (2, 40, 1, dict()),
        (2, 40, 3, dict()),
        (1, 2, 7, dict(padding=3)),
        (2, 1, 3, dict(padding=1)),
        (2, 40, 4, dict(padding=3, dilation=2)),
    ],
)
def test_conv1d(batch, length, taps, options, last):
    torch.manual_seed(0)
    x = torch.randn(batch, 8, length)
    x = x.transpose(1, 2).contiguous().transpose(1, 2) if last else x
    weight, bias = torch.randn(12, 8 // options.get("groups", 1), taps), torch.randn(12)

    def theirs(x, weight, bias):
        return F.conv1d(x, weight, bias, **options)

    def ours(x, weight, bias):
        return conv1d(x, weight, bias, **options)

    expected = gradients(theirs, x, weight, bias)
    assert_close(gradients(ours, x, weight, bias), expected, **TOL)
    out = ours(x, weight, None)
    assert_close(out, theirs(x, weight, None), **TOL)
    assert out.transpose(1, 2).is_contiguous()


def test_conv1d_without_gradient_of_the_input():
    x, weight = torch.randn(2, 6, 30), torch.randn(4, 6, 3).requires_grad_()
    (own,) = torch.autograd.grad(conv1d(x, weight, padding=1).square().sum(), weight)
    (other,) = torch.autograd.grad(F.conv1d(x, weight, padding=1).square().sum(), weight)
    assert_close(own, other, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("shape", [(30, 8), (2, 30, 8), (2, 3, 5, 4, 8), (8,)])
def test_linear_of_any_rank(shape, trained):
    torch.manual_seed(0)
    x = torch.randn(shape, requires_grad=True)
    weight = torch.randn(5, 8, requires_grad=trained)
    bias = torch.randn(5, requires_grad=trained)
    leaves = [x, weight, bias] if trained else [x]
    results = []
    for function in (linear, F.linear):
        out = function(x, weight, bias)
        scale = torch.linspace(-1, 1, out.numel()).view(out.shape)
        results.append((out.detach(), torch.autograd.grad((out * scale).sum(), leaves)))
    assert_close(*results, **TOL)


def test_linear_keeps_its_input_for_trained_weights_only():
    def kept(trained: bool) -> int:
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: sizes.append(t.numel()) or t, lambda t: t
        ):
            x = torch.randn(2, 30, 8, requires_grad=True)
            linear(x, torch.randn(5, 8, requires_grad=trained))
        return sum(sizes)

    assert (kept(False), kept(True)) == (40, 40 + 480)


def test_linear():
    torch.manual_seed(0)
    x, weight, bias = torch.randn(2, 30, 8), torch.randn(5, 8), torch.randn(5)
    assert_close(gradients(linear, x, weight, bias), gradients(F.linear, x, weight, bias), **TOL)
    layer = Linear(8, 5)
    assert not layer.bias.any() and layer.weight.any()
    assert_close(layer(x), F.linear(x, layer.weight), **TOL)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_types_stay_themselves(dtype):
    x, weight = torch.randn(2, 8, 30, dtype=dtype), torch.randn(4, 8, 3, dtype=dtype)
    assert torch.equal(conv1d(x, weight, padding=1), F.conv1d(x, weight, padding=1))


def test_autocast_decides_the_type():
    x, weight = torch.randn(2, 8, 30), torch.randn(4, 8, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert conv1d(x, weight, padding=1).dtype == torch.bfloat16
        assert linear(x.transpose(1, 2), torch.randn(4, 8)).dtype == torch.bfloat16


def test_empty_sequences():
    assert conv1d(torch.randn(0, 8, 30), torch.randn(4, 8, 3), padding=1).shape == (0, 4, 30)
