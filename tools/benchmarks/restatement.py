"""AdaTAD's encoder as one would write it first: what the benchmarks compare with.

MMAction2's explicit attention, the adapter on [positions, channels, time] tensors made by permute,
and PyTorch's own checkpoint around a block and its adapter.
"""

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmtad.registry import MODELS

SIZES = {  # width, blocks, heads, patch, MLP ratio
    "S": (384, 12, 6, 16, 4),
    "B": (768, 12, 12, 16, 4),
    "L": (1024, 24, 16, 16, 4),
    "H": (1280, 32, 16, 16, 4),
    "g": (1408, 40, 16, 14, 48 / 11),
}


def vit(size: str) -> dict:
    """Config of VideoMAE S, B, L, H or VideoMAEv2 g."""
    width, depth, heads, patch, ratio = SIZES[size]
    return dict(
        type="mmaction.VisionTransformer",
        img_size=224,
        patch_size=patch,
        embed_dims=width,
        depth=depth,
        num_heads=heads,
        mlp_ratio=ratio,
        num_frames=16,
        drop_path_rate=0.1,
        norm_cfg=dict(type="LN", eps=1e-6),
    )


class PermuteAdapter(nn.Module):
    """TIA as one would write it first: convolutions over [B * H * W, h, T]."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        hidden = dims // 4
        self.down = nn.Linear(dims, hidden)
        self.depthwise = nn.Conv1d(hidden, hidden, 3, padding=1, groups=hidden)
        self.pointwise = nn.Conv1d(hidden, hidden, 1)
        self.up = nn.Linear(hidden, dims)
        self.gamma = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor, area: int, videos: int) -> Tensor:
        """``[clips, T' * area, C]`` to the same."""
        hidden = nn.functional.gelu(self.down(x))
        rows = hidden.reshape(videos, -1, area, hidden.shape[-1]).permute(0, 2, 3, 1).flatten(0, 1)
        mixed = self.pointwise(self.depthwise(rows))
        mixed = mixed.unflatten(0, (videos, area)).permute(0, 3, 1, 2).reshape(hidden.shape)
        return x + self.gamma * self.up(hidden + mixed)


class Restatement(nn.Module):
    """AdaTAD's encoder, inside placement, without any of this project's encoder code.

    Args:
        config: Config of the transformer, see ``vit``.
        checkpointing: PyTorch's checkpoint around every block with its adapter.
    """

    def __init__(self, config: dict, checkpointing: bool) -> None:
        super().__init__()
        self.vit = MODELS.build(config)
        self.vit.requires_grad_(False)
        self.adapters = nn.ModuleList(PermuteAdapter(config["embed_dims"]) for _ in self.vit.blocks)
        self.checkpointing = checkpointing

    def train(self, mode: bool = True) -> "Restatement":
        """Frozen blocks in eval mode, but for their drop-path."""
        super().train(mode)
        self.vit.eval()
        for module in self.vit.modules():
            if type(module).__name__ == "DropPath":
                module.train(mode)
        return self

    def forward(self, frames: Tensor, length: int) -> Tensor:
        """``[B, 3, T, H, W]`` to ``[B, C, length]``."""
        videos, _, total, height, width = frames.shape
        clips = frames.unflatten(2, (total // 16, 16)).transpose(1, 2).flatten(0, 1)
        x = self.vit.patch_embed(clips)[0]
        rows, columns = height // self.vit.patch_size, width // self.vit.patch_size
        table = self.vit.pos_embed.reshape(8, *self.vit.grid_size, -1).permute(0, 3, 1, 2)
        table = nn.functional.interpolate(table, (rows, columns), mode="bicubic")
        x = x + table.permute(0, 2, 3, 1).reshape(1, -1, x.shape[-1])
        area = rows * columns

        for block, adapter in zip(self.vit.blocks, self.adapters, strict=True):

            def run(x, block=block, adapter=adapter):
                return adapter(block(x), area, videos)

            x = checkpoint(run, x, use_reentrant=False) if self.checkpointing else run(x)
        features = x.unflatten(1, (-1, area)).mean(2).reshape(videos, -1, x.shape[-1])
        return nn.functional.interpolate(features.transpose(1, 2), length, mode="linear")
