"""Linear layers: which are plain ones, and how to spare the product of one."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from .channels_last import FastLinear


def is_plain_linear(module: nn.Module) -> bool:
    """Whether a module computes ``W x + b`` and nothing else; MMCV's wrapper does."""
    cls = type(module)
    return cls in (nn.Linear, FastLinear) or (
        issubclass(cls, nn.Linear) and cls.__module__.startswith("mmcv.")
    )


def is_bare_linear(*modules: nn.Module) -> bool:
    """Whether the last is a plain linear layer, and no forward hook would see what they return."""
    return is_plain_linear(modules[-1]) and not any(m._forward_hooks for m in modules)


def speed_up_linear(model: nn.Module) -> None:
    """Let the plain linear layers of a model run as :class:`FastLinear`, in place."""
    for module in model.modules():
        if is_plain_linear(module):
            # Another class for the same object, so that names, copies and state dicts stay.
            module.__class__ = FastLinear


@contextmanager
def gradient_only(layer: nn.Linear | None) -> Iterator[None]:
    """Within, zeros stand for the output of a linear layer; gradients are the right ones.

    For a recomputation whose result is known: the layer's matrix product is saved. Only sums, and
    factors that are not trained, may follow the layer.

    Args:
        layer: The layer; None changes nothing.
    """
    if layer is None:
        yield
        return
    layer.forward = lambda x: _GradientOnly.apply(x, layer.weight, layer.bias)
    try:
        yield
    finally:
        del layer.forward


class _GradientOnly(torch.autograd.Function):
    """``F.linear``, that yields zeros."""

    @staticmethod
    def forward(ctx, x, weight, bias):
        device = x.device.type
        half = torch.is_autocast_enabled(device)
        dtype = torch.get_autocast_dtype(device) if half else x.dtype
        needs_x = ctx.needs_input_grad[1]
        ctx.save_for_backward(x if needs_x else None, weight)
        ctx.input_dtype = x.dtype
        return torch.zeros((), dtype=dtype, device=x.device).expand(*x.shape[:-1], len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_x = (grad @ weight.to(grad.dtype)).to(ctx.input_dtype)
        if ctx.needs_input_grad[1]:
            rows = grad.flatten(0, -2)
            of_weight = (rows.mT @ x.flatten(0, -2).to(grad.dtype)).to(weight.dtype)
        if ctx.needs_input_grad[2]:
            of_bias = grad.flatten(0, -2).sum(0, dtype=weight.dtype)
        return of_x, of_weight, of_bias
