"""Taps of MMAction2's VisionTransformer (VideoMAE, VideoMAEv2)."""

import logging

import torch.nn.functional as F
from mmaction.models.backbones.vit_mae import Attention
from mmengine.logging import print_log
from torch import Tensor, cat, nn, zeros_like

from .taps import BackboneTaps, Grid, RunBlock


class SDPAttention(Attention):
    """MMAction2's attention without the N x N matrix in memory; parameters and result are equal."""

    def forward(self, x: Tensor) -> Tensor:
        """Attend over the tokens of each clip: ``[N, L, C]`` to ``[N, L, C]``."""
        N, L, _ = x.shape
        bias = self.qkv.bias
        if hasattr(self, "q_bias"):
            bias = cat((self.q_bias, zeros_like(self.v_bias), self.v_bias))
        qkv = F.linear(x, self.qkv.weight, bias)
        q, k, v = qkv.view(N, L, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        dropout = self.attn_drop.p if self.attn_drop.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=self.scale)
        return self.proj_drop(self.proj(out.transpose(1, 2).reshape(N, L, -1)))


class ViTTaps(BackboneTaps):
    """Blocks of a plain video transformer: every block has the same width and grid.

    Position embeddings are resized bicubically to the grid at hand. Frames that the patches do not
    cover are cut off at the right and at the bottom. There is no final norm unless the backbone was
    built with one (``use_mean_pooling=False``).

    Args:
        backbone: The backbone; its attention modules are switched to fused attention.
        clip_frames: Frames in a clip.

    Raises:
        ValueError: If the position embedding is made for another number of frames.
    """

    def __init__(self, backbone: nn.Module, clip_frames: int) -> None:
        self.backbone = backbone
        self.blocks = list(backbone.blocks)
        self.out_channels = backbone.embed_dims
        self.widths = [backbone.embed_dims] * len(self.blocks)
        self.unused = list(backbone.fc_norm.parameters()) if backbone.fc_norm is not None else []
        for module in backbone.modules():
            if type(module) is Attention:
                # Another class for the same object: nothing is renamed, and copies keep it.
                module.__class__ = SDPAttention
        rows, columns = backbone.grid_size
        tubelet = backbone.patch_embed.projection.stride[0]
        trained_frames = backbone.pos_embed.shape[1] // (rows * columns) * tubelet
        if trained_frames != clip_frames:
            raise ValueError(
                f"clip_frames={clip_frames} does not fit a backbone with "
                f"num_frames={trained_frames}; set both to the same number"
            )
        self._noticed = False

    def forward(self, clips: Tensor, run_block: RunBlock) -> Tensor:
        """See ``BackboneTaps``; D is the width of the backbone."""
        tokens, grid = self.embed(clips)
        for index in range(len(self.blocks)):
            tokens = run_block(index, tokens, grid)
        tokens = self.backbone.norm(tokens)
        return self.to_grid(tokens, grid).permute(0, 4, 1, 2, 3)

    def embed(self, clips: Tensor) -> tuple[Tensor, Grid]:
        """Cut clips into tokens: ``[N, 3, T, H, W]`` to ``[N, L, C]`` and the grid (T', H', W')."""
        height, width = clips.shape[-2:]
        self._check_size(height, width)
        tokens = self.backbone.patch_embed(clips)[0]
        rows, columns = height // self.backbone.patch_size, width // self.backbone.patch_size
        grid = tokens.shape[1] // (rows * columns), rows, columns
        tokens = tokens + self.position_embedding(grid)
        return self.backbone.pos_drop(tokens), grid

    def position_embedding(self, grid: Grid) -> Tensor:
        """Position embedding ``[1, T' * H' * W', C]`` of any grid."""
        table, trained = self.backbone.pos_embed, self.backbone.grid_size
        if tuple(grid[1:]) == tuple(trained):
            return table
        images = table.reshape(-1, *trained, self.out_channels).permute(0, 3, 1, 2)
        images = F.interpolate(images, size=grid[1:], mode="bicubic", align_corners=False)
        return images.permute(0, 2, 3, 1).reshape(1, -1, self.out_channels)

    def to_grid(self, x: Tensor, grid: Grid) -> Tensor:
        """``[N, L, C]`` to ``[N, T', H', W', C]``."""
        return x.reshape(x.shape[0], *grid, x.shape[-1])

    def from_grid(self, tokens: Tensor) -> Tensor:
        """``[N, T', H', W', C]`` to ``[N, L, C]``."""
        return tokens.flatten(1, 3)

    def _check_size(self, height: int, width: int) -> None:
        patch = self.backbone.patch_size
        if min(height, width) < patch:
            raise ValueError(f"frames of {height}x{width} are smaller than one patch of {patch}")
        if (height % patch or width % patch) and not self._noticed:
            self._noticed = True
            print_log(
                f"Frames of {height}x{width} are no multiple of the patch size {patch}: "
                f"{height % patch} rows and {width % patch} columns are not seen",
                "current",
                logging.WARNING,
            )
