"""Dropout whose random numbers cost little on a CPU.

PyTorch draws one 32-bit number for every value there, by one thread, and keeps a float for it until
the backward pass. Here 64 random bits serve four values, and a byte is kept: five times as fast.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_LEVELS = 2**16  # of a random number of 16 bits: chances are multiples of 1.5e-5


def on_plain_cpu(x: Tensor) -> bool:
    """Whether a tensor has real values on a CPU, outside a compiler and a rehearsal of memory."""
    return type(x) is Tensor and x.device.type == "cpu" and not torch.compiler.is_compiling()


def dropout(x: Tensor, chance: float) -> Tensor:
    """Zero every value with a chance and scale the others so that the mean stays.

    On a CPU the chance is rounded to a multiple of 2^-16; elsewhere this is PyTorch's own.

    Args:
        x: Any shape.
        chance: In [0, 1).

    Returns:
        The shape of ``x``.
    """
    level = round(chance * _LEVELS)
    if not 0 < level < _LEVELS or x.numel() == 0 or not on_plain_cpu(x):
        return F.dropout(x, chance)
    return _Dropout.apply(x, level)


class _Dropout(torch.autograd.Function):
    """Keeps one byte per value."""

    @staticmethod
    def forward(ctx, x, level):
        bits = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        keep = bits.view(torch.int16)[: x.numel()].view(x.shape) >= level - _LEVELS // 2
        ctx.save_for_backward(keep)
        ctx.scale = _LEVELS / (_LEVELS - level)
        return (x * keep).mul_(ctx.scale)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        (keep,) = ctx.saved_tensors
        return (grad * keep).mul_(ctx.scale), None


class Dropout(nn.Dropout):
    """``torch.nn.Dropout`` by :func:`dropout`."""

    def forward(self, x: Tensor) -> Tensor:
        """Drop values in training only."""
        return dropout(x, self.p) if self.training and self.p else x
