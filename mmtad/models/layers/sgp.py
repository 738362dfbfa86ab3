"""The scalable-granularity perception (SGP) block of TriDet."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .channels_last import Linear, conv1d
from .drop_path import ScaledDropPath
from .masked_conv import ChannelLayerNorm, MaskedMaxPool1d, downsample_mask, zero_padding

SGP_INITS = {"published": 0.0, "live": 0.1}


def resolve_sgp_init(init: str | float) -> float:
    """Look up how the convolutions of an SGP layer start.

    Args:
        init: ``"published"`` is what the authors' configs of THUMOS14 and EPIC-Kitchens train with:
            standard deviation 0. Every product of the layer then has two factors that are zero, so
            no convolution of it ever gets a gradient, and the layer stays ``out = LN(x)`` for the
            whole training (the authors' issue 37). ``"live"`` is the method as the paper writes it:
            0.1, the smallest that the authors use elsewhere (HACS; ActivityNet has 0.2). A number
            is taken as it is.

    Returns:
        Standard deviation of the weights; biases start at zero.

    Raises:
        ValueError: If no preset has this name or the number is negative.
    """
    if isinstance(init, str) and init not in SGP_INITS:
        raise ValueError(f"no SGP init is called {init!r}; choose one of {sorted(SGP_INITS)}")
    std = SGP_INITS[init] if isinstance(init, str) else float(init)
    if std < 0:
        raise ValueError(f"the standard deviation of an SGP init must be >= 0, got {std}")
    return std


class MaskedGroupNorm(nn.GroupNorm):
    """Group norm over channels and valid steps; arguments are those of ``torch.nn.GroupNorm``."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Normalise with the statistics of the valid steps of each sample.

        Args:
            x: ``[B, C, T]``, zero at padded steps.
            mask: Bool ``[B, T]``, True = valid; None takes all steps.

        Returns:
            ``[B, C, T]``; padded steps hold anything finite.
        """
        if mask is None:
            return super().forward(x)
        groups = x.unflatten(1, (self.num_groups, -1))
        count = mask.sum(1).clamp(min=1).to(x.dtype)[:, None, None, None] * groups.shape[2]
        mean = groups.sum((2, 3), keepdim=True) / count
        centred = zero_padding((groups - mean).flatten(1, 2), mask).view_as(groups)
        variance = centred.square().sum((2, 3), keepdim=True) / count
        normed = (centred * (variance + self.eps).rsqrt()).flatten(1, 2)
        return torch.addcmul(self.bias[:, None], normed, self.weight[:, None])


class SGPLayer(nn.Module):
    """Instant-level and window-level branches that stand in for self-attention.

    ``out = fc(x) relu(global_fc(mean(x))) + (conv_w(x) + conv_kw(x)) psi(x) + x``, all five
    depth-wise, ``mean`` over time: `TriDet <https://arxiv.org/abs/2303.07347>`_, eq. 2 to 4. As the
    two windows are summed, they are applied as one convolution.

    Args:
        channels: Channels C.
        window: Odd kernel w of ``psi`` and ``conv_w``.
        k: ``conv_kw`` has a kernel of ``(w + 1) k``, rounded, plus one if that is even.
        init: See :func:`resolve_sgp_init`.
        isolate_padding: The mean is over valid steps. Otherwise over all, as in both public codes,
            so that the result depends on the amount of padding.

    Raises:
        ValueError: If the window is not a positive odd number.
    """

    def __init__(
        self,
        channels: int,
        window: int = 1,
        k: float = 5,
        init: str | float = "live",
        isolate_padding: bool = True,
    ) -> None:
        super().__init__()
        if window < 1 or window % 2 == 0:
            raise ValueError(f"the window of an SGP layer is a positive odd number, got {window}")
        wide = round((window + 1) * k) | 1
        self.isolate_padding = isolate_padding
        kernels = dict(psi=window, fc=1, conv_w=window, conv_kw=wide, global_fc=1)
        std = resolve_sgp_init(init)
        for name, kernel in kernels.items():
            conv = nn.Conv1d(channels, channels, kernel, padding=kernel // 2, groups=channels)
            nn.init.normal_(conv.weight, std=std)
            nn.init.zeros_(conv.bias)
            self.add_module(name, conv)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Mix time steps within each channel.

        Args:
            x: ``[B, C, T]``, zero at padded steps if padding is to be isolated.
            mask: Bool ``[B, T]``, True = valid.

        Returns:
            ``[B, C, T]``; padded steps are not masked.
        """
        if self.isolate_padding:
            mean = x.sum(-1, keepdim=True) / mask.sum(1).clamp(min=1).to(x.dtype)[:, None, None]
        else:
            mean = x.mean(-1, keepdim=True)
        gate = F.relu(_depthwise(mean, self.global_fc.weight, self.global_fc.bias))
        # fc(x) gate + x, with a kernel of one, is a factor and a constant per sample and channel.
        instant = torch.addcmul(self.fc.bias[:, None] * gate, x, self.fc.weight[:, 0] * gate + 1)
        psi = _depthwise(x, self.psi.weight, self.psi.bias)
        return torch.addcmul(instant, self._windows(x), psi)

    def _windows(self, x: Tensor) -> Tensor:
        weights = [self.conv_w.weight, self.conv_kw.weight]
        size = max(weight.shape[-1] for weight in weights)
        weights = [F.pad(w, [(size - w.shape[-1]) // 2] * 2) for w in weights]
        return _depthwise(x, weights[0] + weights[1], self.conv_w.bias + self.conv_kw.bias)


def _depthwise(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Depth-wise convolution that keeps the length; with a kernel of one it is a product."""
    if weight.shape[-1] == 1:
        return torch.addcmul(bias[:, None], x, weight[:, 0])
    return conv1d(x, weight, bias, padding=weight.shape[-1] // 2, groups=x.shape[1])


class SGPBlock(nn.Module):
    """A transformer block with an SGP layer in place of attention, optionally halving the sequence.

    ``x = pool(x)``, ``y = x + path(sgp(LN(x)))``, ``z = y + path(mlp(GN(y)))``: layer norm over the
    channels, group norm over groups of channels and time, max-pooling (kernel 3, stride 2) when
    down-sampling. `TriDet <https://arxiv.org/abs/2303.07347>`_, figure 3.

    Args:
        channels: Channels C.
        window: Odd window w of the SGP layer.
        k: Ratio of its wider window.
        stride: 1, or 2 to halve the sequence.
        mlp_channels: Hidden width of the MLP.
        num_groups: Groups of the group norm; divides C.
        drop_path: Chance that a residual branch of a sample is dropped, after a learnable scale per
            channel; None leaves out both.
        init: See :func:`resolve_sgp_init`.
        isolate_padding: Padding changes no valid step. Otherwise, as in both public codes, it takes
            part in the temporal mean, in the statistics of the group norm and, through unmasked
            outputs, in convolutions and pooling.

    Raises:
        ValueError: If the window is not odd or the groups do not divide the channels.
    """

    def __init__(
        self,
        channels: int,
        window: int = 1,
        k: float = 5,
        stride: int = 1,
        mlp_channels: int = 768,
        num_groups: int = 16,
        drop_path: float | None = None,
        init: str | float = "live",
        isolate_padding: bool = True,
    ) -> None:
        super().__init__()
        if channels % num_groups:
            raise ValueError(f"{num_groups} groups do not divide {channels} channels")
        self.stride = stride
        self.isolate_padding = isolate_padding
        self.layer_norm = ChannelLayerNorm(channels)
        self.sgp = SGPLayer(channels, window, k, init, isolate_padding)
        self.group_norm = MaskedGroupNorm(num_groups, channels)
        self.mlp_in = Linear(channels, mlp_channels)
        self.mlp_out = Linear(mlp_channels, channels)
        scaled = drop_path is not None
        self.sgp_path = ScaledDropPath(channels, drop_path) if scaled else nn.Identity()
        self.mlp_path = ScaledDropPath(channels, drop_path) if scaled else nn.Identity()
        self.pool = MaskedMaxPool1d(stride, skip_padding=isolate_padding) if stride > 1 else None

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the block.

        Args:
            x: ``[B, C, T]``, zero at padded steps if padding is to be isolated.
            mask: Bool ``[B, T]``, True = valid.

        Returns:
            ``[B, C, ceil(T / stride)]`` and its mask ``[B, ceil(T / stride)]``. Padded steps are
            zero if padding is isolated.
        """
        valid = mask
        if self.pool is not None:
            x = self.pool(x, mask if self.isolate_padding else torch.ones_like(mask))
            valid = downsample_mask(mask, self.stride)
        normed = self._isolate(self.layer_norm(x), valid)
        mixed = self.sgp(normed, valid).transpose(1, 2)
        shortcut = x if self.isolate_padding else zero_padding(x, valid)
        x = self._isolate(shortcut + self.sgp_path(mixed).transpose(1, 2), valid)
        normed = self.group_norm(x, valid if self.isolate_padding else None)
        mixed = self.mlp_out(F.gelu(self.mlp_in(normed.transpose(1, 2))))
        return self._isolate(x + self.mlp_path(mixed).transpose(1, 2), valid), valid

    def _isolate(self, x: Tensor, mask: Tensor) -> Tensor:
        return zero_padding(x, mask) if self.isolate_padding else x
