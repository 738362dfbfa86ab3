"""MMAction2's explicit softmax attention, computed by fused kernels."""

import torch.nn.functional as F
from mmaction.models.backbones.vit_mae import Attention
from torch import Tensor, cat, nn, zeros_like


class FusedAttention(Attention):
    """MMAction2's attention without the L x L matrix in memory; parameters and result are equal.

    ``kernel`` is ``"sdpa"`` (PyTorch's own choice among its fused kernels) or ``"flash_attn"`` (the
    package of that name, half precision on a GPU only).
    """

    kernel = "sdpa"

    def forward(self, x: Tensor) -> Tensor:
        """Attend over the tokens of each clip: ``[N, L, C]`` to ``[N, L, C]``."""
        N, L, _ = x.shape
        q, k, v = self._project(x).view(N, L, 3, self.num_heads, -1).unbind(2)
        out = self._attend(q, k, v)
        return self.proj_drop(self.proj(out.reshape(N, L, -1)))

    def _project(self, x: Tensor) -> Tensor:
        """Queries, keys and values ``[N, L, 3C]``."""
        if not hasattr(self, "q_bias"):
            return self.qkv(x)
        bias = cat((self.q_bias, zeros_like(self.v_bias), self.v_bias))
        out = F.linear(x, self.qkv.weight, bias)
        return out + self.qkv.adapter(x) if hasattr(self.qkv, "adapter") else out

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention of ``[N, L, heads, C / heads]`` to the same shape."""
        dropout = self.attn_drop.p if self.attn_drop.training else 0.0
        if self.kernel == "flash_attn":
            from flash_attn import flash_attn_func

            return flash_attn_func(q, k, v, dropout_p=dropout, softmax_scale=self.scale)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        out = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=self.scale)
        return out.transpose(1, 2)


def fuse_attention(backbone: nn.Module) -> None:
    """Switch every attention module of a backbone to fused kernels; nothing is renamed."""
    for module in backbone.modules():
        if type(module) is Attention:
            # Another class for the same object, so copies and state dicts keep working.
            module.__class__ = FusedAttention
