"""LoRA, and LoRA with attention across clip borders: tuning inside a block."""

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from mmtad.registry import MODELS

from ..layers.channels_last import FastLinear
from ..layers.linear import is_plain_linear


class LowRankUpdate(nn.Module):
    """What LoRA adds to the output of a linear layer: ``scale * B A x``.

    Plain parameters rather than linear layers, so that no backbone's ``init_cfg`` sets them.

    Args:
        layer: The linear layer, ``[out, in]``.
        rank: Rank r of the update.
        scale: Factor of the update.
        dropout: Dropout of the input of A.

    Attributes:
        down_proj: A, ``[r, in]`` fp32, Kaiming-uniform.
        up_proj: B, ``[out, r]`` fp32, zeros: a fresh update changes nothing.
    """

    def __init__(self, layer: nn.Linear, rank: int, scale: float, dropout: float) -> None:
        super().__init__()
        options = dict(dtype=torch.float32, device=layer.weight.device)
        self.down_proj = nn.Parameter(torch.empty(rank, layer.in_features, **options))
        self.up_proj = nn.Parameter(torch.empty(layer.out_features, rank, **options))
        self.dropout = nn.Dropout(dropout)
        self.scale = scale
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the start values."""
        nn.init.kaiming_uniform_(self.down_proj, a=math.sqrt(5))
        nn.init.zeros_(self.up_proj)

    def forward(self, x: Tensor) -> Tensor:
        """``[..., in]`` to ``[..., out]``."""
        hidden = F.linear(self.dropout(x), self.down_proj.to(x.dtype)) * self.scale
        return F.linear(hidden, self.up_proj.to(hidden.dtype))


class LoRALinear(FastLinear):
    """A linear layer with a child ``adapter`` whose output it adds."""

    def forward(self, x: Tensor) -> Tensor:
        """``[..., in]`` to ``[..., out]``."""
        out = super().forward(x)
        return out + self.adapter(x).to(out.dtype)


@MODELS.register_module()
class LoRA:
    """Low-rank updates of linear layers, `LoRA <https://arxiv.org/abs/2106.09685>`_.

    ``y = W x + alpha / r * B A x`` with A ``[r, in]`` and B ``[out, r]``. B starts at zero, so a
    fresh LoRA changes nothing. The layers stay where they are under the names that they have; each
    gets a child ``adapter``. Parameters per layer: r (in + out), always in fp32.

    Args:
        embed_dims: Width of the block; every adapter takes it, and this one reads the widths from
            the layers.
        rank: Rank r of the updates. Defaults to 8.
        alpha: Numerator of the updates' scale. Defaults to 16.
        targets: The linear layers of a block, each by its name or by the end of it after a dot:
            ``"qkv"``, ``"attn.proj"``, ``"mlp.layers.0.0"``.
        dropout: Dropout of the updates' input. Defaults to 0.

    Raises:
        ValueError: If ``rank`` is below 1 or there are no targets.
    """

    couples_clips = False

    def __init__(
        self,
        embed_dims: int,
        rank: int = 8,
        alpha: float = 16,
        targets: Sequence[str] = ("qkv", "proj"),
        dropout: float = 0.0,
    ) -> None:
        if rank < 1:
            raise ValueError(f"rank={rank} leaves nothing to learn; choose 1 or more")
        if isinstance(targets, str) or not targets:
            raise ValueError(f"targets={targets!r} must be a list of layer names, not empty")
        self.embed_dims = embed_dims
        self.rank = rank
        self.scale = alpha / rank
        self.targets = tuple(targets)
        self.dropout = dropout

    def install(self, block: nn.Module) -> None:
        """Give the target layers of a block their updates, in place.

        Raises:
            ValueError: If the block lacks a target; it is unchanged then.
        """
        layers = list(self._find(block))
        if any(type(module).__name__ == "Attention" for module in _transformer_attentions(block)):
            # MMAction2's own attention passes by the forward of `qkv`.
            from ..backbones.fused_attention import fuse_attention

            fuse_attention(block)
        for layer in layers:
            update = LowRankUpdate(layer, self.rank, self.scale, self.dropout)
            layer.add_module("adapter", update.train(layer.training))
            # Another class for the same object, so that names, copies and state dicts stay.
            layer.__class__ = LoRALinear

    def _find(self, block: nn.Module) -> Iterator[nn.Linear]:
        """The layers that the targets name, each once."""
        linear = {
            name: module
            for name, module in block.named_modules()
            if is_plain_linear(module) and "adapter" not in name.split(".")
        }
        chosen = set()
        for target in self.targets:
            found = [name for name in linear if f".{name}".endswith(f".{target}")]
            if not found:
                raise ValueError(
                    f"{type(block).__name__} has no linear layer {target!r} to give LoRA to; "
                    f"those it has: {', '.join(linear) or 'none'}"
                )
            chosen.update(found)
        return (linear[name] for name in linear if name in chosen)


def _transformer_attentions(block: nn.Module) -> list[nn.Module]:
    """MMAction2's attention of VideoMAE's transformer in a block, fused or not."""
    return [
        module
        for module in block.modules()
        if any(
            cls.__name__ == "Attention" and cls.__module__ == "mmaction.models.backbones.vit_mae"
            for cls in type(module).__mro__
        )
    ]


@MODELS.register_module()
class LongLoRA(LoRA):
    """LoRA with trainable norms and shifted attention across clips, after LongLoRA.

    `LongLoRA <https://arxiv.org/abs/2309.12307>`_ lets half of the heads of a language model attend
    in groups of tokens that are shifted by half a group. This is our reading of it for a
    video that is cut into clips: half of the heads attend in clips that are shifted by half a clip
    along the joined time axis, so that information crosses the borders, and the other half in the
    clips as they are. Unlike there, the end of a video does not meet its beginning: its first and
    its last half clip have no neighbour and attend to their own clip. So a video of one clip is
    encoded as without the shift; a longer one differs from the backbone already at the start.

    The attention's batch must be the clips of exactly one video in temporal order.

    Args: those of ``LoRA``.
    """

    couples_clips = True

    def install(self, block: nn.Module) -> None:
        """Change a block in place.

        Raises:
            ValueError: If the block lacks a target, or its attention cannot be shifted.
        """
        attentions = _transformer_attentions(block)
        if not attentions:
            raise ValueError(
                "LongLoRA shifts the attention of VideoMAE's transformer, and "
                f"{type(block).__name__} has none of it; use LoRA instead"
            )
        few = min(attention.num_heads for attention in attentions)
        if few < 2:
            raise ValueError(f"LongLoRA shifts half of the heads, and this attention has {few}")
        super().install(block)
        for attention in attentions:
            attention.shifts_clips = True
        for module in block.modules():
            if isinstance(module, nn.LayerNorm | nn.GroupNorm | _NormBase):
                module.requires_grad_(True)
