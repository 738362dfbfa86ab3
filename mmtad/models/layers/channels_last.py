"""Convolutions and linear layers on sequences whose channels lie next to each other in memory.

``[B, C, T]`` tensors of the detectors are views of ``[B, T, C]`` memory: layer norms, attention and
linear layers work on them without a copy. On a CPU such a convolution runs as a 2-D one in the
layout that oneDNN likes best, and so does a linear layer: matrix products of PyTorch go to MKL,
which on processors of other makers uses half of their vector width (measured: 220 against 510
GFLOP/s). The numbers are those of PyTorch's own functions, up to rounding.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

ONEDNN = torch.backends.mkldnn.is_available()


def _by_onednn(x: Tensor) -> bool:
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and ONEDNN
        and x.numel() > 0
    )


def conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Tensor:
    """``torch.nn.functional.conv1d``; on a CPU the result is laid out channels-last.

    Args:
        x: ``[B, C_in, T]``, best laid out channels-last.
        weight: ``[C_out, C_in / groups, K]``.
        bias: ``[C_out]`` or None.
        stride: Steps between two outputs.
        padding: Zeros on either side.
        dilation: Steps between the taps of the kernel.
        groups: Groups of channels.

    Returns:
        ``[B, C_out, T']``.
    """
    if not _by_onednn(x):
        return F.conv1d(x, weight, bias, stride, padding, dilation, groups)
    tokens = x.transpose(1, 2).contiguous()
    same = 2 * padding == dilation * (weight.shape[2] - 1)
    if same and stride == groups == 1 and weight.shape[2] > 1:
        return _SameConv.apply(tokens, weight, bias, dilation).transpose(1, 2)
    out = F.conv2d(
        _image(tokens), weight.unsqueeze(2), bias, (1, stride), (0, padding), (1, dilation), groups
    )
    return out.squeeze(2)


def _image(tokens: Tensor) -> Tensor:
    """``[B, T, C]`` as a channels-last image ``[B, C, 1, T]``."""
    return tokens.transpose(1, 2).unsqueeze(2)


class _SameConv(torch.autograd.Function):
    """Convolution that keeps the length; its gradients by faster kernels than autograd chooses.

    The gradient of the input is a convolution too, that of the weights one product per tap.
    """

    @staticmethod
    def forward(ctx, tokens, weight, bias, dilation):
        ctx.save_for_backward(tokens, weight)
        ctx.dilation = dilation
        return _SameConv.convolve(tokens, weight, bias, dilation)

    @staticmethod
    def convolve(tokens, weight, bias, dilation):
        """``[B, T, C_in]`` to ``[B, T, C_out]``."""
        padding = dilation * (weight.shape[2] - 1) // 2
        out = F.conv2d(_image(tokens), weight.unsqueeze(2), bias, 1, (0, padding), (1, dilation))
        return out.squeeze(2).transpose(1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        tokens, weight = ctx.saved_tensors
        grad = grad.contiguous()
        of_tokens = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            mirrored = weight.flip(2).transpose(0, 1)
            of_tokens = _SameConv.convolve(grad, mirrored, None, ctx.dilation)
        if ctx.needs_input_grad[1]:
            of_weight = _weight_gradient(tokens, grad, weight.shape[2], ctx.dilation)
        if ctx.needs_input_grad[2]:
            of_bias = grad.sum((0, 1))
        return of_tokens, of_weight, of_bias, None


def _weight_gradient(tokens: Tensor, grad: Tensor, taps: int, dilation: int) -> Tensor:
    """Gradient ``[C_out, C_in, K]`` of the weights of a convolution that keeps the length.

    A tap multiplies every step of the gradient with the step of the input that it saw. The steps of
    all samples are one row: a shifted view of it, where those that saw the padding are zeroed.

    Args:
        tokens: Input ``[B, T, C_in]``, contiguous.
        grad: Gradient of the output ``[B, T, C_out]``, contiguous.
        taps: K.
        dilation: Steps between the taps.
    """
    length, steps = grad.shape[1], grad.shape[0] * grad.shape[1]
    rows = tokens.reshape(1, steps, -1)
    products = []
    for tap in range(taps):
        shift = (2 * tap - taps + 1) * dilation // 2
        if abs(shift) >= length:
            products.append(rows.new_zeros(grad.shape[2], rows.shape[2]))
            continue
        seen, kept = rows, grad
        if shift:
            kept = grad.clone()
            (kept[:, length - shift :] if shift > 0 else kept[:, :-shift]).zero_()
            seen = rows[:, max(shift, 0) : steps + min(shift, 0)]
        kept = kept.reshape(1, steps, -1)[:, max(-shift, 0) : steps - max(shift, 0)]
        products.append(_products(seen, kept))
    return torch.stack(products, dim=-1)


def _products(rows: Tensor, grad: Tensor) -> Tensor:
    """Sum over rows of the outer products of ``[1, R, C_out]`` and ``[1, R, C_in]``."""
    point = rows.new_empty(grad.shape[2], rows.shape[2], 1, 1)  # only its shape is read
    gradients = torch.ops.aten.convolution_backward(
        _image(grad),
        _image(rows),
        point,
        None,
        stride=(1, 1),
        padding=(0, 0),
        dilation=(1, 1),
        transposed=False,
        output_padding=(0, 0),
        groups=1,
        output_mask=(False, True, False),
    )
    return gradients[1].flatten(1)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``torch.nn.functional.linear``.

    Args:
        x: ``[..., C_in]``.
        weight: ``[C_out, C_in]``.
        bias: ``[C_out]`` or None.

    Returns:
        ``[..., C_out]``.
    """
    # With one thread PyTorch does not take oneDNN for kernels of one step.
    if not _by_onednn(x) or weight.dtype != x.dtype or torch.get_num_threads() == 1:
        return F.linear(x, weight, bias)
    return _PointwiseConv.apply(x, weight, bias)


class _PointwiseConv(torch.autograd.Function):
    """A linear layer as a convolution of one step over all rows; keeps only what gradients need."""

    @staticmethod
    def forward(ctx, x, weight, bias):
        needs_x, needs_weight = ctx.needs_input_grad[:2]
        ctx.save_for_backward(x if needs_weight else None, weight if needs_x else None)
        ctx.shape = weight.shape
        return _PointwiseConv.multiply(x, weight, bias)

    @staticmethod
    def multiply(x, weight, bias):
        """``[..., C_in]`` to ``[..., C_out]``."""
        rows = x.reshape(1, -1, x.shape[-1])
        out = F.conv2d(_image(rows), weight[..., None, None], bias)
        return out.squeeze(2).transpose(1, 2).reshape(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_x = _PointwiseConv.multiply(grad, weight.t(), None)
        if ctx.needs_input_grad[1]:
            of_weight = _products(
                x.reshape(1, -1, x.shape[-1]), grad.reshape(1, -1, grad.shape[-1])
            )
        if ctx.needs_input_grad[2]:
            of_bias = grad.reshape(-1, grad.shape[-1]).sum(0)
        return of_x, of_weight, of_bias


class FastLinear(nn.Linear):
    """``torch.nn.Linear`` by :func:`linear`."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer: ``[..., C_in]`` to ``[..., C_out]``."""
        return linear(x, self.weight, self.bias)


class Linear(FastLinear):
    """Linear layer whose bias starts at zero."""

    def reset_parameters(self) -> None:
        """PyTorch's own weights, and a bias of zero."""
        super().reset_parameters()
        if self.bias is not None:
            nn.init.zeros_(self.bias)
