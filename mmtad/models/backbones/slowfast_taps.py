"""Taps of MMAction2's ResNet3dSlowFast."""

import torch
from mmaction.models.backbones.resnet3d_slowfast import ResNet3dSlowFast
from torch import Tensor

from .pooling import spatial_mean
from .resnet_taps import ConvTaps


class SlowFastTaps(ConvTaps):
    """Slow pathway of `SlowFast <https://arxiv.org/abs/1812.03982>`_; the fast one is aside.

    The fast pathway never reads the slow one, so all of it runs before the first block. Aside are
    its lateral inputs to the slow pathway's later stages, and last its own feature map. There are
    two feature maps: slow, of T / ``resample_rate`` steps, and fast, of ``speed_ratio`` times as
    many.

    What the backbone's config has to set:

    * ``pretrained=None``, the backbone's and both pathways' (the default): names or addresses there
      are fetched by MMAction2's ``init_weights``, and a pathway's are image weights to inflate. The
      encoder reads its own ``pretrained`` afterwards.
    * in both pathways ``frozen_stages=-1`` (the default) where blocks hold adapters, and
      ``norm_eval=True`` to fine-tune the backbone; see ``ResNetTaps``.

    Args:
        backbone: The backbone, of any depth; with or without lateral connections.
        clip_frames: Not used: clips of any multiple of ``resample_rate`` are taken.

    Raises:
        ValueError: If the two rates do not fit each other, or ``with_cp`` is set.
    """

    def __init__(self, backbone: ResNet3dSlowFast, clip_frames: int | None = None) -> None:
        rate, ratio = backbone.resample_rate, backbone.speed_ratio
        if rate % ratio:
            raise ValueError(
                f"resample_rate={rate} is no multiple of speed_ratio={ratio}, so that the fast "
                "pathway would not see whole frames; set both to the same number"
            )
        self._refuse_with_cp(backbone.slow_path, backbone.fast_path)
        self.backbone = backbone
        self._set_blocks(backbone.slow_path)
        self.stream_channels = [backbone.slow_path.feat_dim, backbone.fast_path.feat_dim]
        # First blocks of the stages that read a lateral input, and its position in `aside`.
        later = self.starts[1:] if backbone.slow_path.lateral else []
        self._lateral_of = {start: position for position, start in enumerate(later)}

    def begin(self, clips: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the fast pathway, then the slow stem.

        Args:
            clips: ``[N, 3, T, H, W]`` normalised frames.

        Returns:
            ``[N, C, T / resample_rate, H / 4, W / 4]``, joined with the first lateral input; and
            the later lateral inputs, with ``keep_stages`` the means of the fast pathway's earlier
            stages ``[N, C, T', 1, 1]``, and the fast feature map.

        Raises:
            ValueError: If T is no multiple of ``resample_rate``.
        """
        rate = self.backbone.resample_rate
        if clips.shape[2] % rate:
            raise ValueError(
                f"clips of {clips.shape[2]} frames cannot be resampled by resample_rate={rate}; "
                f"choose a clip length that is a multiple of {rate}"
            )
        # Fast first: no activation of the slow pathway exists while its larger ones come and go.
        laterals, kept, fast = self._fast(clips[:, :, :: rate // self.backbone.speed_ratio])
        path = self.backbone.slow_path
        x = path.maxpool(path.conv1(clips[:, :, ::rate]))
        return torch.cat((x, *laterals[:1]), dim=1), (*laterals[1:], *kept, fast)

    def _fast(self, frames: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Lateral inputs of all slow stages, means of the earlier fast stages, the fast map."""
        slow, fast = self.backbone.slow_path, self.backbone.fast_path
        x = fast.maxpool(fast.conv1(frames))
        laterals = [slow.conv1_lateral(x)] if slow.lateral else []
        kept: list[Tensor] = []
        for index, name in enumerate(fast.res_layers):
            x = getattr(fast, name)(x)
            if index == len(fast.res_layers) - 1:
                break
            if slow.lateral:
                laterals.append(getattr(slow, slow.lateral_connections[index])(x))
            if self.keep_stages:
                kept.append(spatial_mean(x)[..., None, None])
        return laterals, kept, x

    def aside_of(self, index: int) -> tuple[int, ...]:
        """The first block of every stage but the first reads that stage's lateral input."""
        return (self._lateral_of[index],) if index in self._lateral_of else ()

    def block(self, index: int, x: Tensor, *aside: Tensor) -> Tensor:
        """One residual block of the slow pathway, joined with its lateral input if it has one."""
        return self.blocks[index](torch.cat((x, *aside), dim=1) if aside else x)

    def stage_maps(self, stage: int, x: Tensor, aside: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """See ``BackboneTaps``; the fast map is a mean over space but for the last stage."""
        return x, aside[stage - len(self.starts)]

    def finish(self, x: Tensor, aside: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Slow and fast feature map, ``[N, D_i, T_i, H', W']`` each."""
        return x, aside[-1]
