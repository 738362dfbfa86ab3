"""MMAction2's explicit softmax attention, computed by fused kernels."""

from importlib.util import find_spec

import torch.nn.functional as F
from mmaction.models.backbones.vit_mae import Attention
from torch import Tensor, cat, nn, stack, zeros_like

from ..layers.channels_last import linear


class FusedAttention(Attention):
    """MMAction2's attention without the L x L matrix in memory; parameters and result are equal.

    ``kernel`` is ``"sdpa"`` (PyTorch's own choice among its fused kernels) or ``"flash_attn"`` (the
    package of that name, half precision on a GPU only).

    Where ``shifts_clips`` is set (``LongLoRA`` does), the batch is the clips of one video in
    temporal order, and half of the heads attend across the borders of clips.
    """

    kernel = "sdpa"
    shifts_clips = False

    def forward(self, x: Tensor) -> Tensor:
        """Attend over the tokens of each clip: ``[N, L, C]`` to ``[N, L, C]``."""
        N, L, _ = x.shape
        q, k, v = self._project(x).view(N, L, 3, self.num_heads, -1).unbind(2)
        out = self._attend_with_shift(q, k, v) if self.shifts_clips else self._attend(q, k, v)
        return self.proj_drop(self.proj(out.reshape(N, L, -1)))

    def _project(self, x: Tensor) -> Tensor:
        """Queries, keys and values ``[N, L, 3C]``."""
        if not hasattr(self, "q_bias"):
            return self.qkv(x)
        bias = cat((self.q_bias, zeros_like(self.v_bias), self.v_bias))
        out = linear(x, self.qkv.weight, bias)
        # The layer's own forward, which would add LoRA's update, is not called here.
        return out + self.qkv.adapter(x).to(out.dtype) if hasattr(self.qkv, "adapter") else out

    def _attend_with_shift(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention within clips in the first heads, and within shifted ones in the last half."""
        own = self.num_heads - self.num_heads // 2
        within = self._attend(q[:, :, :own], k[:, :, :own], v[:, :, :own])
        across = self._attend_shifted(q[:, :, own:], k[:, :, own:], v[:, :, own:])
        return cat((within, across), dim=2)

    def _attend_shifted(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention within clips that are shifted by half a clip, shapes as in ``_attend``.

        Tokens are time-major, so half a clip is half of its tokens. The first and the last half
        clip of the video belong to no shifted clip; they attend to their own.
        """
        N, L = q.shape[:2]
        half = L // 2
        if L % 2:
            raise ValueError(f"a clip of {L} tokens has no half to shift by; use LoRA instead")
        outer = self._attend(
            stack((q[0, :half], q[-1, half:])), stack((k[0], k[-1])), stack((v[0], v[-1]))
        )
        if N == 1:
            return outer.flatten(0, 1).unsqueeze(0)
        inner = (x.flatten(0, 1)[half:-half].unflatten(0, (N - 1, L)) for x in (q, k, v))
        inner = self._attend(*inner).flatten(0, 1)
        return cat((outer[0], inner, outer[1])).unflatten(0, (N, L))

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention of queries ``[N, L, heads, C / heads]`` to the same shape."""
        dropout = self.attn_drop.p if self.attn_drop.training else 0.0
        if self.kernel == "flash_attn":
            from flash_attn import flash_attn_func

            return flash_attn_func(q, k, v, dropout_p=dropout, softmax_scale=self.scale)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        out = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=self.scale)
        return out.transpose(1, 2)


def fuse_attention(backbone: nn.Module, kernel: str = "sdpa") -> None:
    """Switch every attention module of a backbone to fused kernels; nothing is renamed.

    Args:
        backbone: Changed in place.
        kernel: ``"sdpa"`` or ``"flash_attn"``.

    Raises:
        ValueError: If the kernel is unknown.
        ImportError: If ``flash_attn`` is asked for and not installed.
    """
    if kernel not in ("sdpa", "flash_attn"):
        raise ValueError(f"attention is 'sdpa' or 'flash_attn', got {kernel!r}")
    if kernel == "flash_attn" and find_spec("flash_attn") is None:
        raise ImportError(
            "attention='flash_attn' needs the package flash-attn, which is not installed; install "
            "it or use 'sdpa'"
        )
    for module in backbone.modules():
        if type(module) is Attention:
            # Another class for the same object, so copies and state dicts keep working.
            module.__class__ = FusedAttention
        if isinstance(module, FusedAttention):
            module.kernel = kernel
