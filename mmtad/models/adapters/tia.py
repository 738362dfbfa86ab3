"""The temporal-informative adapter of AdaTAD."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmtad.registry import MODELS

from .plain import PlainAdapter


@MODELS.register_module()
class TIA(PlainAdapter):
    """Temporal-informative adapter, `AdaTAD <https://arxiv.org/abs/2311.17241>`_, section 3.3.

    With hidden width h = C / reduction and a depth-wise convolution that runs along time only::

        u = GELU(W_down x)
        u = u + W_mid DWConv_t(u)
        y = gamma * W_up u                (plus x when residual)

    There is no activation between or after the two convolutions and no normalisation. The
    convolution spans the whole temporal axis that it is given, zero padded at both ends.
    Parameters: 2Ch + h^2 + (k + 3)h + C + 1 for kernel size k, biases included.

    Args:
        embed_dims: Width C of the tokens.
        reduction: C / h, the paper's gamma. Defaults to 4.
        kernel_size: Steps that the convolution sees, odd. Defaults to 3.
        dilation: Steps between the taps of the convolution. Defaults to 1.
        residual: Return ``x + y`` (inside a block); False returns ``y`` alone (side placement).
            Defaults to True.
        init_cfg: Unused by this module, which initialises itself.

    Raises:
        ValueError: If ``kernel_size`` is even or ``reduction`` leaves no hidden channel.
    """

    def __init__(
        self,
        embed_dims: int,
        reduction: float = 4,
        kernel_size: int = 3,
        dilation: int = 1,
        residual: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(embed_dims, reduction, residual, init_cfg)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size={kernel_size} must be odd, or time would be shifted")
        h = self.hidden_dims
        # Conv1d holds the weights ([h, 1, k] and [h, h, 1]) in the shapes of public checkpoints.
        self.dwconv = nn.Conv1d(h, h, kernel_size, dilation=dilation, groups=h)
        self.conv = nn.Conv1d(h, h, 1)
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

    def mix(self, hidden: Tensor) -> Tensor:
        """Let every position see its neighbours in time: ``[B, T, H, W, h]`` to the same shape."""
        mixed = temporal_depthwise_conv(
            hidden, self.dwconv.weight, self.dwconv.bias, self.dwconv.dilation[0]
        )
        return hidden + F.linear(mixed, self.conv.weight.squeeze(-1), self.conv.bias)


def temporal_depthwise_conv(x: Tensor, weight: Tensor, bias: Tensor, dilation: int = 1) -> Tensor:
    """Convolve every channel along time, zero padded to keep the length.

    The tokens are read as a channels-last image of T rows and H*W columns under a (k, 1) kernel,
    which copies nothing. On CPU that is 5 to 20 times faster than ``conv1d`` over [B*H*W, C, T] in
    fp32, but several times slower in bf16: there the convolution runs in fp32 at least.

    Args:
        x: ``[B, T, H, W, C]``.
        weight: ``[C, 1, k]``, k odd.
        bias: ``[C]``.
        dilation: Steps between the taps.

    Returns:
        ``[B, T, H, W, C]`` in the dtype of ``x``.
    """
    B, T, H, W, C = x.shape
    padding = (weight.shape[-1] - 1) // 2 * dilation
    image = x.reshape(B, T, H * W, C).permute(0, 3, 1, 2)
    on_cpu = x.device.type == "cpu"
    dtype = torch.promote_types(x.dtype, torch.float32) if on_cpu else x.dtype
    with torch.autocast(x.device.type, enabled=False):
        out = F.conv2d(
            image.to(dtype),
            weight.unsqueeze(-1).to(dtype),
            bias.to(dtype),
            padding=(padding, 0),
            dilation=(dilation, 1),
            groups=C,
        )
    return out.permute(0, 2, 3, 1).reshape(B, T, H, W, C).to(x.dtype)
