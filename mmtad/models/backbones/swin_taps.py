"""Taps of MMAction2's SwinTransformer3D (Video Swin)."""

import torch.nn.functional as F
from mmaction.models.backbones.swin import Mlp, SwinTransformer3D, SwinTransformerBlock3D
from torch import Tensor, nn

from ..layers.linear import is_bare_linear
from .fused_window_attention import ShiftedWindows, fuse_window_attention
from .taps import BackboneTaps


class SwinTaps(BackboneTaps):
    """Blocks of all stages of `Video Swin <https://arxiv.org/abs/2106.13230>`_.

    Activations travel as ``[N, T', H', W', C]``. The merging of patches between two stages belongs
    to the first block of the later one. Frames that fill no whole patch are padded by the backbone.

    What the backbone's config has to set:

    * ``pretrained2d=False``: MMAction2's default reads image weights in ``init_weights``, and fails
      if there are none. ``pretrained`` stays None too, as a name or address there would be fetched;
      the encoder reads its own ``pretrained`` afterwards.
    * ``frozen_stages=-1`` (the default) where blocks hold adapters: every call of ``train`` would
      freeze the adapters of those stages as well.

    Args:
        backbone: The backbone, of any size; its window attention is switched to fused kernels.
        clip_frames: Not used: clips of any length are taken.

    Raises:
        ValueError: If the backbone returns anything else than its last stage, checkpoints its
            blocks itself, or has no image weights where ``pretrained2d`` asks for them.
    """

    def __init__(self, backbone: SwinTransformer3D, clip_frames: int | None = None) -> None:
        self._check(backbone)
        self.backbone = backbone
        fuse_window_attention(backbone)
        self.blocks, self.widths, self._merging = [], [], {}
        for layer in backbone.layers:
            self.blocks += layer.blocks
            self.widths += [layer.embed_dims] * len(layer.blocks)
            if layer.downsample is not None:
                self._merging[len(self.blocks)] = layer.downsample
        self.stream_channels = [self.widths[-1]]
        self.unused: list[nn.Parameter] = []

    @staticmethod
    def _check(backbone: SwinTransformer3D) -> None:
        last = backbone.num_layers - 1
        if tuple(backbone.out_indices) != (last,):
            raise ValueError(
                f"out_indices={tuple(backbone.out_indices)} is not the last stage alone; set "
                f"out_indices=({last},)"
            )
        if backbone.out_after_downsample:
            raise ValueError(
                "out_after_downsample=True changes no map of the last stage; leave it out"
            )
        if any(layer.with_cp for layer in backbone.layers):
            raise ValueError(
                "with_cp=True in the backbone would recompute every block twice; leave it out and "
                "set checkpointing=True in the encoder"
            )
        if backbone.pretrained2d and not backbone.pretrained:
            raise ValueError(
                "pretrained2d=True (the backbone's default) needs image weights in `pretrained`, "
                "and there are none; set pretrained2d=False"
            )

    def begin(self, clips: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Cut clips into patches, ``[N, T', H', W', C]``; nothing is aside."""
        tokens = self.backbone.pos_drop(self.backbone.patch_embed(clips))
        return tokens.permute(0, 2, 3, 4, 1).contiguous(), ()

    def block(self, index: int, x: Tensor, *aside: Tensor) -> Tensor:
        """One block of window attention; a stage's first one merges patches before."""
        if index in self._merging:
            x = self._merging[index](x)
        block = self.blocks[index]
        return block(x, ShiftedWindows.of(x.shape[1:4], block.window_size, block.shift_size))

    def modules_of(self, index: int) -> list[nn.Module]:
        """The block, and before a stage's first one the merging."""
        merging = [self._merging[index]] if index in self._merging else []
        return [*merging, self.blocks[index]]

    def last_linear(self, index: int) -> nn.Linear | None:
        """The second layer of the MLP, in MMAction2's own blocks."""
        block = self.blocks[index]
        if type(block) is not SwinTransformerBlock3D or type(block.mlp) is not Mlp:
            return None
        return block.mlp.fc2 if is_bare_linear(block, block.mlp, block.mlp.fc2) else None

    @property
    def stage_ends(self) -> list[int]:
        """Last block of each stage."""
        return [start - 1 for start in (*self._merging, len(self.blocks))]

    def stage_maps(self, stage: int, x: Tensor, aside: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """See ``BackboneTaps``; only the last stage has a norm in checkpoints.

        The others are normalised without scale and shift, which whatever linear layer reads the
        maps has anyway.
        """
        if stage == len(self.stage_ends) - 1:
            return self.finish(x, aside)
        return (F.layer_norm(x, x.shape[-1:]).permute(0, 4, 1, 2, 3),)

    def finish(self, x: Tensor, aside: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """See ``BackboneTaps``; D is the width of the last stage."""
        norm = getattr(self.backbone, f"norm{self.backbone.num_layers - 1}")
        return (norm(x).permute(0, 4, 1, 2, 3),)

    def to_grid(self, x: Tensor) -> Tensor:
        """Activations travel in this form already."""
        return x

    def from_grid(self, tokens: Tensor) -> Tensor:
        """Activations travel in this form already."""
        return tokens
