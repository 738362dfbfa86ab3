"""The temporal-informative adapter of AdaTAD."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtad.registry import MODELS

from ..layers.channels_last import linear
from .plain import PlainAdapter


@MODELS.register_module()
class TIA(PlainAdapter):
    """Temporal-informative adapter, `AdaTAD <https://arxiv.org/abs/2311.17241>`_, section 3.3.

    With hidden width h = C / reduction and a depth-wise convolution along time::

        u = GELU(W_down x)
        u = u + W_mid DWConv(u)
        y = gamma * W_up u                (plus x when residual)

    There is no activation between or after the two convolutions and no normalisation. The
    convolution spans the whole temporal axis that it is given, zero padded at both ends.
    Parameters: Ch + hD + h^2 + (k + 3)h + D + 1 for k weights in the kernel, biases included.

    Args:
        embed_dims: Width C of the tokens.
        out_dims: Width D of the result; None for C.
        reduction: C / h, the paper's gamma. Defaults to 4.
        kernel_size: Positions that the convolution sees: odd steps, or odd (steps, rows, columns)
            as in the paper's ablation. Defaults to 3, the paper's (3, 1, 1).
        dilation: Steps between the taps of the convolution. Defaults to 1.
        inner_residual: Add ``u`` to the convolved ``u``; False is the paper's ablation.
        residual: Return ``x + y`` (inside a block); False returns ``y`` alone (side placement).
            Defaults to True.
        gamma_init: What the scalar starts with. Defaults to 1.
        init_cfg: Unused by this module, which initialises itself.

    Raises:
        ValueError: If a kernel size is even or ``reduction`` leaves no hidden channel.
    """

    def __init__(
        self,
        embed_dims: int,
        out_dims: int | None = None,
        reduction: float = 4,
        kernel_size: int | Sequence[int] = 3,
        dilation: int = 1,
        inner_residual: bool = True,
        residual: bool = True,
        gamma_init: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(embed_dims, out_dims, reduction, residual, gamma_init, init_cfg)
        kernel = (kernel_size, 1, 1) if isinstance(kernel_size, int) else tuple(kernel_size)
        if len(kernel) != 3 or any(size < 1 or size % 2 == 0 for size in kernel):
            raise ValueError(
                f"kernel_size={kernel_size} must be odd, one number (steps) or three (steps, rows, "
                "columns), or positions would be shifted"
            )
        if dilation < 1:
            raise ValueError(f"dilation={dilation} must be at least 1")
        h = self.hidden_dims
        # Conv1d holds the weights ([h, 1, k] and [h, h, 1]) in the shapes of public checkpoints.
        if kernel[1:] == (1, 1):
            self.dwconv = nn.Conv1d(h, h, kernel[0], dilation=dilation, groups=h)
        else:
            self.dwconv = nn.Conv3d(h, h, kernel, dilation=(dilation, 1, 1), groups=h)
        self.conv = nn.Conv1d(h, h, 1)
        self.dilation = dilation
        self.inner_residual = inner_residual
        self.reach = (kernel[0] - 1) // 2 * dilation
        self.spatial = kernel[1] * kernel[2]
        self._reset_convolutions()

    def reset_parameters(self) -> None:
        """As the plain adapter, with Kaiming-normal convolutions."""
        super().reset_parameters()
        if hasattr(self, "dwconv"):
            self._reset_convolutions()

    def _reset_convolutions(self) -> None:
        for conv in (self.dwconv, self.conv):
            fan_in = conv.weight[0].numel()
            nn.init.normal_(conv.weight, std=math.sqrt(2 / fan_in))
            nn.init.zeros_(conv.bias)

    def mix(
        self, hidden: Tensor, before: Tensor | None = None, after: Tensor | None = None
    ) -> Tensor:
        """Let every position see its neighbours; see ``PlainAdapter.mix``."""
        context, padding = hidden, self.reach
        if before is not None or after is not None:
            context = torch.cat([part for part in (before, hidden, after) if part is not None], 1)
            missing = [self.reach - (0 if e is None else e.shape[1]) for e in (before, after)]
            context, padding = F.pad(context, (0, 0, 0, 0, 0, 0, *missing)), 0
        mixed = depthwise_conv(
            context, self.dwconv.weight, self.dwconv.bias, self.dilation, padding
        )
        mixed = linear(mixed, self.conv.weight.squeeze(-1), self.conv.bias)
        return hidden + mixed if self.inner_residual else mixed


def depthwise_conv(
    x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int = 1, padding: int = 0
) -> Tensor:
    """Convolve every channel alone, along time and perhaps space.

    A purely temporal kernel reads the tokens as a channels-last image of T rows and H*W columns
    under a (k, 1) kernel, which copies nothing. On CPU that is 5 to 20 times faster than ``conv1d``
    over [B*H*W, C, T] in fp32, but several times slower in bf16: there the convolution runs in fp32
    at least.

    Args:
        x: ``[B, T, H, W, C]``.
        weight: ``[C, 1, k]``, k odd, or ``[C, 1, k, kh, kw]``.
        bias: ``[C]`` or None.
        dilation: Steps between the taps.
        padding: Steps of zeros before and after; space is padded to keep its size.

    Returns:
        ``[B, T + 2 * padding - (k - 1) * dilation, H, W, C]`` in the dtype of ``x``.
    """
    B, _, H, W, C = x.shape
    on_cpu = x.device.type == "cpu"
    dtype = torch.promote_types(x.dtype, torch.float32) if on_cpu else x.dtype
    weight = weight.to(dtype)
    bias = None if bias is None else bias.to(dtype)
    with torch.autocast(x.device.type, enabled=False):
        if weight.dim() == 3:
            image = x.reshape(B, -1, H * W, C).permute(0, 3, 1, 2).to(dtype)
            out = F.conv2d(
                image, weight.unsqueeze(-1), bias, 1, (padding, 0), (dilation, 1), groups=C
            )
            out = out.permute(0, 2, 3, 1).reshape(B, -1, H, W, C)
        else:
            around = (padding, weight.shape[3] // 2, weight.shape[4] // 2)
            volume = x.permute(0, 4, 1, 2, 3).to(dtype)
            out = F.conv3d(volume, weight, bias, 1, around, (dilation, 1, 1), groups=C)
            out = out.permute(0, 2, 3, 4, 1)
    return out.to(x.dtype)
