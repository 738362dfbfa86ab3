"""Taps of MMAction2's ResNet3d family (ResNet3d, ResNet3dSlowOnly, ResNet2Plus1d)."""

from itertools import accumulate

from mmaction.models.backbones.resnet2plus1d import ResNet2Plus1d
from mmaction.models.backbones.resnet3d import ResNet3d
from torch import Tensor, nn

from .taps import BackboneTaps


class ConvTaps(BackboneTaps):
    """What all convolutional backbones share: activations travel as ``[N, C, T', H', W']``.

    No parameter is unused.

    Attributes:
        starts: Index of each stage's first block.
    """

    starts: list[int]

    def _set_blocks(self, path: ResNet3d) -> None:
        """Find the residual blocks of all stages, in order."""
        stages = [list(getattr(path, name)) for name in path.res_layers]
        self.blocks = [block for stage in stages for block in stage]
        self.starts = list(accumulate((len(stage) for stage in stages[:-1]), initial=0))
        self.widths = [block.planes * block.expansion for block in self.blocks]
        self.unused = []

    @staticmethod
    def _refuse_with_cp(*paths: ResNet3d) -> None:
        if any(path.with_cp for path in paths):
            raise ValueError(
                "with_cp=True in the backbone would recompute every block twice; leave it out and "
                "set checkpointing=True in the encoder"
            )

    @property
    def stage_ends(self) -> list[int]:
        """Last block of each stage."""
        return [start - 1 for start in (*self.starts[1:], len(self.blocks))]

    def to_grid(self, x: Tensor) -> Tensor:
        """Channels last, ``[N, C, T', H', W']`` to ``[N, T', H', W', C]``."""
        return x.permute(0, 2, 3, 4, 1)

    def from_grid(self, tokens: Tensor) -> Tensor:
        """Channels first again, ``[N, T', H', W', C]`` to ``[N, C, T', H', W']``."""
        return tokens.permute(0, 4, 1, 2, 3)


class ResNetTaps(ConvTaps):
    """Residual blocks (basic or bottleneck) of all stages; the feature map is the last stage's.

    What the backbone's config has to set:

    * ``pretrained=None`` (the default): a name or address there is fetched by MMAction2's
      ``init_weights``, and taken for image weights to inflate unless ``pretrained2d=False``. The
      encoder reads its own ``pretrained`` afterwards. ResNet2Plus1d cannot be built without
      ``pretrained2d=False``.
    * ``frozen_stages=-1`` (the default) where blocks hold adapters: every call of ``train`` would
      freeze the adapters of those stages as well.
    * ``norm_eval=True`` to fine-tune the backbone: batch statistics would mix the clips that pass
      together, and count them twice with checkpointing. A frozen one is in eval mode anyway.

    Args:
        backbone: The backbone, with one to four stages.
        clip_frames: Not used: clips of any length are taken.

    Raises:
        ValueError: If ``out_indices`` is not the last stage, or ``with_cp`` is set.
    """

    def __init__(self, backbone: ResNet3d, clip_frames: int | None = None) -> None:
        last = len(backbone.res_layers) - 1
        if tuple(backbone.out_indices) != (last,):
            raise ValueError(
                f"out_indices={tuple(backbone.out_indices)} is not the last stage alone; set "
                f"out_indices=({last},)"
            )
        self._refuse_with_cp(backbone)
        self.backbone = backbone
        self._set_blocks(backbone)
        self.stream_channels = [self.widths[-1]]
        # R(2+1)D has the attributes of both pools, and in its own forward pass just the first.
        factorised = isinstance(backbone, ResNet2Plus1d)
        self._pool1 = backbone.maxpool if factorised or backbone.with_pool1 else nn.Identity()
        self._pool2 = backbone.pool2 if backbone.with_pool2 and not factorised else nn.Identity()

    def begin(self, clips: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Stem: ``[N, 3, T, H, W]`` to ``[N, C, T', H / 4, W / 4]``; nothing is aside."""
        return self._pool1(self.backbone.conv1(clips)), ()

    def block(self, index: int, x: Tensor, *aside: Tensor) -> Tensor:
        """One residual block; the second stage's first one halves the time before, if so built."""
        if index in self.starts[1:2]:
            x = self._pool2(x)
        return self.blocks[index](x)

    def stage_maps(self, stage: int, x: Tensor, aside: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """See ``BackboneTaps``; the pool behind the first stage belongs to it, as in MMAction2."""
        return (self._pool2(x) if stage == 0 else x,)

    def finish(self, x: Tensor, aside: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """See ``BackboneTaps``; D is the width of the last block."""
        return (self._pool2(x) if len(self.starts) == 1 else x,)
