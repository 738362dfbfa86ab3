"""Taps of MMAction2's VisionTransformer (VideoMAE, VideoMAEv2)."""

import logging

import torch.nn.functional as F
from mmaction.models.backbones.vit_mae import Block
from mmcv.cnn.bricks.transformer import FFN
from mmengine.logging import print_log
from torch import Tensor, nn

from ..layers.linear import is_bare_linear
from .fused_attention import fuse_attention
from .taps import BackboneTaps


class ViTTaps(BackboneTaps):
    """Blocks of a plain video transformer: every block has the same width and grid.

    Activations travel as ``[N, T', H', W', C]``. Position embeddings are resized bicubically to the
    grid at hand. Frames that the patches do not cover are cut off at the right and at the bottom.
    There is no final norm unless the backbone was built with one (``use_mean_pooling=False``).

    Args:
        backbone: The backbone; its attention modules are switched to fused attention.
        clip_frames: Frames in a clip.

    Raises:
        ValueError: If the position embedding is made for another number of frames.
    """

    def __init__(self, backbone: nn.Module, clip_frames: int | None) -> None:
        self.backbone = backbone
        self.blocks = list(backbone.blocks)
        self.stream_channels = [backbone.embed_dims]
        self.widths = [backbone.embed_dims] * len(self.blocks)
        self.unused = list(backbone.fc_norm.parameters()) if backbone.fc_norm is not None else []
        fuse_attention(backbone)
        rows, columns = backbone.grid_size
        tubelet = backbone.patch_embed.projection.stride[0]
        trained_frames = backbone.pos_embed.shape[1] // (rows * columns) * tubelet
        if trained_frames != clip_frames:
            raise ValueError(
                f"clip_frames={clip_frames} does not fit a backbone with "
                f"num_frames={trained_frames}; set both to the same number"
            )
        self._noticed = False

    def begin(self, clips: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Cut clips into tokens and add their positions: ``[N, T', H', W', C]``."""
        height, width = clips.shape[-2:]
        self._check_size(height, width)
        tokens = self.backbone.patch_embed(clips)[0]
        patch = self.backbone.patch_size
        grid = (-1, height // patch, width // patch)
        tokens = tokens.unflatten(1, grid)
        return self.backbone.pos_drop(tokens + self.position_embedding(*tokens.shape[1:4])), ()

    def position_embedding(self, steps: int, rows: int, columns: int) -> Tensor:
        """Position embedding ``[1, T', H', W', C]`` of any grid."""
        table, trained = self.backbone.pos_embed, self.backbone.grid_size
        images = table.reshape(steps, *trained, -1)
        if (rows, columns) != tuple(trained):
            images = images.permute(0, 3, 1, 2)
            images = F.interpolate(
                images, size=(rows, columns), mode="bicubic", align_corners=False
            )
            images = images.permute(0, 2, 3, 1)
        return images.unsqueeze(0)

    def block(self, index: int, x: Tensor, *aside: Tensor) -> Tensor:
        """One transformer block over the tokens of each clip."""
        return self.blocks[index](x.flatten(1, 3)).view(x.shape)

    def last_linear(self, index: int) -> nn.Linear | None:
        """The second layer of the MLP in MMAction2's own blocks, if no trained scale follows it."""
        block = self.blocks[index]
        if type(block) is not Block or type(block.mlp) is not FFN:
            return None
        scale, layer = getattr(block, "gamma_2", None), block.mlp.layers[1]
        scaled = scale is not None and scale.requires_grad
        return layer if is_bare_linear(block, block.mlp, layer) and not scaled else None

    def choose_attention(self, kernel: str) -> None:
        """See ``BackboneTaps``."""
        fuse_attention(self.backbone, kernel)

    def finish(self, x: Tensor, aside: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """See ``BackboneTaps``; D is the width of the backbone."""
        return (self.backbone.norm(x).permute(0, 4, 1, 2, 3),)

    def to_grid(self, x: Tensor) -> Tensor:
        """Activations travel in this form already."""
        return x

    def from_grid(self, tokens: Tensor) -> Tensor:
        """Activations travel in this form already."""
        return tokens

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
