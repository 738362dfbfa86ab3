"""The convolutional transformer block of ActionFormer."""

import torch.nn.functional as F
from torch import Tensor, nn

from .attention import global_attention, local_attention
from .channels_last import Linear, conv1d
from .drop_path import ScaledDropPath
from .masked_conv import MaskedMaxPool1d, downsample_mask, known_full, zero_padding


class MaskedConvAttention(nn.Module):
    """Multi-head attention whose queries, keys and values first pass a depth-wise convolution.

    The convolution (kernel 3, no bias) carries the relative position and, with stride 2, the
    down-sampling. `ActionFormer <https://arxiv.org/abs/2202.07925>`_.

    Args:
        channels: Channels C.
        num_heads: Heads; divides C.
        window: Odd number of steps that a query sees, or -1 for all of them.
        stride: 1, or 2 to halve the sequence.
        attn_dropout: Chance that an attention weight is dropped.
        dropout: Chance that an output value is dropped.

    Raises:
        ValueError: If the window is neither odd nor -1, or the heads do not divide the channels.
    """

    def __init__(
        self,
        channels: int,
        num_heads: int,
        window: int = -1,
        stride: int = 1,
        attn_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if channels % num_heads:
            raise ValueError(f"{num_heads} heads do not divide {channels} channels")
        if window != -1 and (window < 1 or window % 2 == 0):
            raise ValueError(f"a window is an odd number of steps, or -1 for all, got {window}")
        self.num_heads = num_heads
        self.window = window
        self.stride = stride
        self.attn_dropout = attn_dropout
        for name in ("query", "key", "value"):
            conv = nn.Conv1d(channels, channels, 3, stride, 1, groups=channels, bias=False)
            self.add_module(f"{name}_conv", conv)
            self.add_module(f"{name}_norm", nn.LayerNorm(channels))
            self.add_module(name, Linear(channels, channels))
        self.proj = Linear(channels, channels)
        self.dropout = nn.Dropout(dropout)

    def _heads(self, name: str, x: Tensor) -> Tensor:
        # No mask between convolution and norm: padded keys are never seen and padded queries are
        # overwritten.
        conv = getattr(self, f"{name}_conv")
        x = conv1d(x, conv.weight, None, self.stride, 1, groups=conv.groups).transpose(1, 2)
        x = getattr(self, name)(getattr(self, f"{name}_norm")(x))
        return x.unflatten(-1, (self.num_heads, -1))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Attend.

        Args:
            x: ``[B, C, T]``.
            mask: Bool ``[B, ceil(T / stride)]`` of the output, True = valid.

        Returns:
            Channels last: ``[B, ceil(T / stride), C]``, zero at padded steps.
        """
        query, key, value = (self._heads(name, x) for name in ("query", "key", "value"))
        dropout = self.attn_dropout if self.training else 0.0
        if self.window == -1:
            out = global_attention(query, key, value, mask, dropout)
        else:
            out = local_attention(query, key, value, mask, self.window, dropout)
        return _zero_tokens(self.dropout(self.proj(out.flatten(2))), mask)


class ConvTransformerBlock(nn.Module):
    """Pre-norm transformer block on padded sequences, optionally halving them.

    ``y = pool(x) + path(attention(norm(x)))``, ``z = y + path(mlp(norm(y)))`` where ``pool`` is
    max-pooling (kernel 3, stride 2) when down-sampling, and ``path`` is :class:`ScaledDropPath`.
    `ActionFormer <https://arxiv.org/abs/2202.07925>`_.

    Args:
        channels: Channels C.
        num_heads: Heads; divides C.
        window: Odd number of steps that a query sees, or -1 for all of them.
        stride: 1, or 2 to halve the sequence.
        mlp_ratio: Hidden width of the MLP over C.
        attn_dropout: Chance that an attention weight is dropped.
        dropout: Chance that an output value of attention or MLP is dropped.
        drop_path: Chance that a residual branch of a sample is dropped.
        isolate_padding: Padding changes no valid step. Otherwise, as in the public implementations,
            the bias of the first norm and the zeros in max-pooling reach across the end of a
            sequence.
    """

    def __init__(
        self,
        channels: int,
        num_heads: int,
        window: int = -1,
        stride: int = 1,
        mlp_ratio: float = 4,
        attn_dropout: float = 0.0,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        isolate_padding: bool = True,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.isolate_padding = isolate_padding
        self.attn_norm = nn.LayerNorm(channels)
        self.attn = MaskedConvAttention(channels, num_heads, window, stride, attn_dropout, dropout)
        self.attn_path = ScaledDropPath(channels, drop_path)
        self.mlp_norm = nn.LayerNorm(channels)
        hidden = int(channels * mlp_ratio)
        self.mlp_in = Linear(channels, hidden)
        self.mlp_out = Linear(hidden, channels)
        self.mlp_path = ScaledDropPath(channels, drop_path)
        self.dropout = nn.Dropout(dropout)
        self.pool = MaskedMaxPool1d(stride, skip_padding=isolate_padding) if stride > 1 else None

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the block.

        Args:
            x: ``[B, C, T]``, zero at padded steps.
            mask: Bool ``[B, T]``, True = valid.

        Returns:
            ``[B, C, ceil(T / stride)]`` (laid out channels-last) and its mask ``[B, ceil(T /
            stride)]``.
        """
        normed = self.attn_norm(x.transpose(1, 2)).transpose(1, 2)
        if self.isolate_padding:
            normed = zero_padding(normed, mask)
        if self.pool is not None:
            x = self.pool(x, mask)
            mask = downsample_mask(mask, self.stride)
        tokens = zero_padding(x, mask).transpose(1, 2) + self.attn_path(self.attn(normed, mask))
        hidden = self.dropout(F.gelu(self.mlp_in(self.mlp_norm(tokens))))
        hidden = self.dropout(self.mlp_out(hidden))
        return (tokens + self.mlp_path(_zero_tokens(hidden, mask))).transpose(1, 2), mask


def _zero_tokens(x: Tensor, mask: Tensor) -> Tensor:
    """Zero the padded steps of ``[B, T, C]``."""
    return x if known_full(mask) else x * mask[..., None].to(x.dtype)
