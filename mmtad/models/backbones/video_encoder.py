"""From raw frames to one feature per time step, with adapters inside a frozen backbone."""

import logging
from collections.abc import Sequence
from importlib.util import find_spec

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmtad.registry import MODELS, WEIGHT_INITIALIZERS

from .taps import Grid, build_taps


@MODELS.register_module()
class VideoEncoder(BaseModule):
    """Frame-based video encoder of `AdaTAD <https://arxiv.org/abs/2311.17241>`_.

    Frames are folded into short clips, as the backbone was trained on. After every block an adapter
    sees the clips of a video re-joined in time, so it is the only place where clips meet. The
    feature map is averaged over space, joined in time and interpolated to the length asked for.

    The backbone is any MMAction2 backbone of a supported family (see ``taps.py``), built from its
    own config. Its parameters keep their names, so checkpoints load unchanged; the adapters' own
    read ``backbone.blocks.3.adapter.down_proj.weight``.

    A frozen backbone stays in eval mode during training. Its drop-path alone stays active if there
    are adapters to regularise, as in the public code. Without adapters it runs without a graph.

    Args:
        backbone: Config of the backbone, e.g. ``dict(type="mmaction.VisionTransformer", ...)``.
        adapter: Config of the adapter after each block, without ``embed_dims``; None for none.
        adapter_indices: Blocks that get an adapter, negative ones from the end. Defaults to all.
        clip_frames: Frames in a clip. Defaults to 16.
        frozen: Train the adapters only; False fine-tunes the backbone as well. Defaults to True.
        checkpointing: Recompute every block with its adapter in the backward pass instead of
            keeping its activations. Defaults to False.
        pretrained: Checkpoint of the backbone (file or address), read by ``init_weights``.
        pretrained_source: Key table of the project it comes from (``mmtad.checkpoints``); None for
            MMAction2's own names.
        min_match: Smallest share of the backbone's weights that the checkpoint must fill, 0 to 1.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ImportError: If the backbone is MMAction2's and that is not installed.
        ValueError: If the backbone has no taps or an adapter index does not exist.
    """

    def __init__(
        self,
        backbone: dict,
        adapter: dict | None = None,
        adapter_indices: Sequence[int] | None = None,
        clip_frames: int = 16,
        frozen: bool = True,
        checkpointing: bool = False,
        pretrained: str | None = None,
        pretrained_source: str | None = None,
        min_match: float = 0.9,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.clip_frames = clip_frames
        self.frozen = frozen
        self.checkpointing = checkpointing
        self.pretrained = pretrained and dict(
            type="mmtad.PretrainedWeights",
            checkpoint=pretrained,
            source=pretrained_source,
            min_match=min_match,
            ignore_missing=[r"(^|\.)adapter\."],
        )
        if str(backbone.get("type")).startswith("mmaction.") and find_spec("mmaction") is None:
            raise ImportError(
                f"backbone {backbone['type']} comes from MMAction2, which is not installed; "
                'install it with pip install "mmtad[all]"'
            )
        self.backbone = MODELS.build(backbone)
        self.taps = build_taps(self.backbone, clip_frames)
        self.out_channels = self.taps.out_channels
        for parameter in self.backbone.parameters() if frozen else self.taps.unused:
            parameter.requires_grad_(False)
        self.adapted = self._attach_adapters(adapter, adapter_indices)

    def _attach_adapters(self, adapter: dict | None, indices: Sequence[int] | None) -> list[int]:
        """Give each chosen block a child ``adapter``; returns the indices, ascending."""
        if adapter is None:
            return []
        count = len(self.taps.blocks)
        chosen = range(count) if indices is None else indices
        outside = [index for index in chosen if not -count <= index < count]
        if outside:
            raise ValueError(
                f"adapter_indices={list(chosen)} holds {outside[0]}, but the backbone has {count} "
                f"blocks; use 0 to {count - 1}"
            )
        chosen = sorted({index % count for index in chosen})
        for index in chosen:
            module = MODELS.build(dict(adapter, embed_dims=self.taps.widths[index]))
            self.taps.blocks[index].add_module("adapter", module)
        return chosen

    @property
    def adapters(self) -> list[nn.Module]:
        """The adapters, from the first block to the last."""
        return [self.taps.blocks[index].adapter for index in self.adapted]

    def init_weights(self) -> None:
        """Initialise backbone and adapters, then read the pre-trained weights."""
        first_call = not self.is_init
        super().init_weights()
        if self.pretrained and first_call:
            WEIGHT_INITIALIZERS.build(self.pretrained)(self.backbone)
        elif self.frozen and first_call:
            print_log(
                "The frozen backbone has random weights: set `pretrained`, unless `load_from` or "
                "`resume` brings them",
                "current",
                logging.WARNING,
            )

    def train(self, mode: bool = True) -> "VideoEncoder":
        """Switch to training; a frozen backbone stays in eval mode but for its drop-path."""
        super().train(mode)
        if mode and self.frozen:
            self.backbone.eval()
            for module in self.backbone.modules():
                if self.adapted and type(module).__name__ == "DropPath":
                    module.train()
            for adapter in self.adapters:
                adapter.train()
        return self

    def forward(self, frames: Tensor, length: int | None = None) -> Tensor:
        """Encode videos.

        Args:
            frames: ``[B, 3, T, H, W]`` normalised frames, T a multiple of ``clip_frames``.
            length: Steps of the output; None keeps one step per tubelet (T / 2 for VideoMAE).

        Returns:
            ``[B, D, length]`` features.

        Raises:
            ValueError: If T is no multiple of ``clip_frames``.
        """
        features = self.feature_map(frames).mean(dim=(-2, -1))
        features = features.unflatten(0, (frames.shape[0], -1)).transpose(1, 2).flatten(2)
        if length is None or length == features.shape[-1]:
            return features
        return F.interpolate(features, size=length, mode="linear", align_corners=False)

    def feature_map(self, frames: Tensor) -> Tensor:
        """Run the backbone: ``[B, 3, T, H, W]`` to ``[B * clips, D, T', H', W']``."""
        clips = self.fold(frames)
        videos = frames.shape[0]
        trains = bool(self.adapted) or not self.frozen
        with torch.set_grad_enabled(trains and torch.is_grad_enabled()):
            return self.taps.forward(clips, lambda i, x, grid: self._run(i, x, grid, videos))

    def fold(self, frames: Tensor) -> Tensor:
        """Cut videos into clips: ``[B, 3, T, H, W]`` to ``[B * clips, 3, clip_frames, H, W]``."""
        total = frames.shape[2]
        if total == 0 or total % self.clip_frames:
            raise ValueError(
                f"{total} frames cannot be cut into clips of {self.clip_frames}; choose a window "
                f"that is a multiple of {self.clip_frames}"
            )
        clips = frames.unflatten(2, (-1, self.clip_frames))
        return clips.transpose(1, 2).flatten(0, 1)

    def _run(self, index: int, x: Tensor, grid: Grid, videos: int) -> Tensor:
        """One block and its adapter, recomputed in the backward pass if so configured."""
        block = self.taps.blocks[index]
        differentiable = x.requires_grad or any(p.requires_grad for p in block.parameters())
        if not (self.checkpointing and torch.is_grad_enabled() and differentiable):
            return self._block_and_adapter(index, x, grid, videos)
        return checkpoint(self._block_and_adapter, index, x, grid, videos, use_reentrant=False)

    def _block_and_adapter(self, index: int, x: Tensor, grid: Grid, videos: int) -> Tensor:
        block = self.taps.blocks[index]
        x = block(x)
        if index not in self.adapted:
            return x
        tokens = self.taps.to_grid(x, grid)
        joined = tokens.reshape(videos, -1, *tokens.shape[2:])
        return self.taps.from_grid(block.adapter(joined).reshape(tokens.shape))
