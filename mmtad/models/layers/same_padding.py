"""TensorFlow's "SAME" padding: a stride of s makes ``ceil(n / s)`` outputs out of n inputs."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after a dimension for ``ceil(size / stride)`` outputs, as in TensorFlow."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class _MaxPool(torch.autograd.Function):
    """Max pooling that finds the places of its maxima again in the backward pass.

    PyTorch keeps them as int64, twice the memory of the output; the input is kept by the layers
    around anyway.
    """

    @staticmethod
    def forward(ctx, x, kernel, stride, padding):
        ctx.save_for_backward(x)
        ctx.options = kernel, stride, padding
        return _max_pool(x, *ctx.options)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        with torch.enable_grad():
            x = ctx.saved_tensors[0].detach().requires_grad_()
            pooled = _max_pool(x, *ctx.options)
        return *torch.autograd.grad(pooled, x, grad), None, None, None


def _max_pool(
    x: Tensor, kernel: Sequence[int], stride: Sequence[int], padding: list[int]
) -> Tensor:
    # The end may be padded by one more than the front, which is what `ceil_mode` adds. Autocast on
    # a CPU would widen the input, for nothing.
    with torch.autocast(x.device.type, enabled=False):
        return F.max_pool3d(x, kernel, stride, padding, ceil_mode=True)


def same_max_pool(x: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Max pooling with "SAME" padding, whose padding is never the largest; nothing is copied.

    Args:
        x: ``[B, C, T, H, W]``.
        kernel: Size in time, height and width.
        stride: Stride in time, height and width; 1 for even kernels is not supported.

    Returns:
        ``[B, C, ceil(T / s_t), ceil(H / s_h), ceil(W / s_w)]``.
    """
    pads = [same_padding(*one) for one in zip(x.shape[2:], kernel, stride, strict=True)]
    return _MaxPool.apply(x, kernel, stride, [front for front, _ in pads])


def pad_same(
    x: Tensor, kernel: Sequence[int], stride: Sequence[int]
) -> tuple[Tensor, list[int] | int]:
    """Prepare the "SAME" padding of a convolution.

    Args:
        x: ``[B, C, T, H, W]``.
        kernel: Size in time, height and width.
        stride: Stride in time, height and width.

    Returns:
        The input, copied with zeros around it only where front and end differ, and the padding that
        is left to the convolution.
    """
    pads = [same_padding(*one) for one in zip(x.shape[2:], kernel, stride, strict=True)]
    if all(front == end for front, end in pads):
        return x, [front for front, _ in pads]
    return F.pad(x, [zeros for pair in reversed(pads) for zeros in pair]), 0
