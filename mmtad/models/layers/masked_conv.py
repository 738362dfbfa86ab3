"""Convolution and norm on padded sequences."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .channels_last import conv1d


def fill_padding(x: Tensor, mask: Tensor, value: float = 0.0) -> Tensor:
    """Overwrite the padded steps of a sequence.

    Overwriting, unlike multiplying, also removes NaN and infinity.

    Args:
        x: ``[B, C, T]``.
        mask: Bool ``[B, T]``, True = valid.
        value: What padded steps become.

    Returns:
        ``[B, C, T]``.
    """
    return x if known_full(mask) else x.masked_fill(~mask[:, None], value)


def known_full(mask: Tensor) -> bool:
    """Whether nothing is padded, where asking costs nothing: on a CPU, with real values."""
    real = type(mask) is Tensor and not torch.compiler.is_compiling()
    return real and mask.device.type == "cpu" and bool(mask.all())


def zero_padding(x: Tensor, mask: Tensor) -> Tensor:
    """Zero the padded steps of a sequence whose values are finite.

    A product: several times faster than :func:`fill_padding`, and it keeps the memory layout.

    Args:
        x: ``[B, C, T]``.
        mask: Bool ``[B, T]``, True = valid.

    Returns:
        ``[B, C, T]``.
    """
    return x if known_full(mask) else x * mask[:, None].to(x.dtype)


def downsample_mask(mask: Tensor, stride: int) -> Tensor:
    """Mask of a strided convolution's output: step ``i`` is valid if step ``i * stride`` was.

    Args:
        mask: Bool ``[B, T]``, True = valid.
        stride: Steps between two outputs.

    Returns:
        Bool ``[B, ceil(T / stride)]``.
    """
    return mask[:, ::stride]


def pool_mask(mask: Tensor, length: int) -> Tensor:
    """Mask of a sequence at another rate: a step is valid if any step that it covers is.

    Args:
        mask: Bool ``[B, T]``, True = valid.
        length: Steps T' of the other sequence, of the same duration; more or fewer than T.

    Returns:
        Bool ``[B, T']``.
    """
    total = mask.shape[-1]
    if length == total:
        return mask
    stride = step_ratio(total, length)
    if stride.is_integer():
        missing = int(stride) * length - total
        return F.pad(mask, (0, missing)).unflatten(-1, (length, int(stride))).any(-1)
    return F.adaptive_max_pool1d(mask[:, None].float(), length)[:, 0] > 0


def step_ratio(total: int, length: int) -> float:
    """How many steps of one sequence a step of another one of the same duration takes.

    Args:
        total: Steps T of the one.
        length: Steps T' of the other. Where a stride of s makes ``ceil(T / s)`` steps, it is s,
            although the last of them is not filled; of several such s a power of 2.
    """
    strides = [2**power for power in range(total.bit_length())] + [round(total / length)]
    fitting = (stride for stride in strides if stride and -(-total // stride) == length)
    return float(next(fitting, total / length))


class ChannelLayerNorm(nn.LayerNorm):
    """Layer norm over the channels of ``[B, C, T]``; the result is laid out channels-last."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise every step.

        Args:
            x: ``[B, C, T]``.

        Returns:
            ``[B, C, T]``.
        """
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class MaskedConv1d(nn.Conv1d):
    """Convolution along time whose output is zero at padded steps; its bias starts at zero.

    Arguments are those of ``torch.nn.Conv1d``; the padding is with zeros and defaults to
    ``kernel_size // 2``, which keeps the length.

    Raises:
        ValueError: If the kernel is even and no padding is given.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        if padding is None and kernel_size % 2 == 0:
            raise ValueError(
                f"a kernel that keeps the length is odd, got kernel_size={kernel_size}"
            )
        padding = kernel_size // 2 if padding is None else padding
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=bias
        )
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Convolve, then zero the padding.

        Args:
            x: ``[B, C_in, T]``.
            mask: Bool ``[B, T]``, True = valid.

        Returns:
            ``[B, C_out, ceil(T / stride)]``.
        """
        x = conv1d(x, self.weight, self.bias, self.stride[0], self.padding[0], groups=self.groups)
        return zero_padding(x, downsample_mask(mask, self.stride[0]))


class MaskedConvUnit(nn.Module):
    """Convolution without bias, mask, layer norm, ReLU and, unless told otherwise, mask again.

    The unit of the embedding and of the heads of `ActionFormer
    <https://arxiv.org/abs/2202.07925>`_. The authors' code masks before the norm only
    (``remask=False``); OpenTAD masks again after the activation.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Odd kernel of the convolution.
        remask: Zero the padding after the activation too.
        eps: Epsilon of the norm.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        remask: bool = True,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.conv = MaskedConv1d(in_channels, out_channels, kernel_size, bias=False)
        self.norm = ChannelLayerNorm(out_channels, eps=eps)
        self.remask = remask

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Apply the unit.

        Args:
            x: ``[B, C_in, T]``.
            mask: Bool ``[B, T]``, True = valid.

        Returns:
            ``[B, C_out, T]``.
        """
        x = F.relu(self.norm(self.conv(x, mask)))
        return zero_padding(x, mask) if self.remask else x


class MaskedMaxPool1d(nn.Module):
    """Max-pooling (kernel ``stride + 1``) that shortens a padded sequence as a strided convolution.

    Args:
        stride: Steps between two outputs, even.
        skip_padding: Padded steps never win. Public implementations let them take part with the
            value 0.
    """

    def __init__(self, stride: int = 2, skip_padding: bool = True) -> None:
        super().__init__()
        self.stride = stride
        self.skip_padding = skip_padding

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Pool, then zero the padding.

        Args:
            x: ``[B, C, T]``.
            mask: Bool ``[B, T]``, True = valid.

        Returns:
            ``[B, C, ceil(T / stride)]``.
        """
        if self.skip_padding:
            x = fill_padding(x, mask, torch.finfo(x.dtype).min)
        x = F.max_pool1d(x, self.stride + 1, self.stride, padding=(self.stride + 1) // 2)
        return zero_padding(x, downsample_mask(mask, self.stride))
