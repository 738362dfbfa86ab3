"""From raw frames to one feature per time step, with adapters inside the backbone."""

import logging
from collections.abc import Callable, Sequence

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmtad.registry import MODELS, WEIGHT_INITIALIZERS

from ..layers.linear import speed_up_linear
from .adapted_block import AdaptedBlock
from .assembly import (
    build_backbone,
    check_adapter,
    check_batch_norms,
    check_coupling,
    check_positive,
    check_representation,
    choose_blocks,
)
from .clip_groups import ClipLayout, Clips, join_groups
from .pooling import join_streams, spatial_mean
from .precision import check_half, half_autocast, half_dtype, halve_frozen
from .recompute import recompute, segments
from .taps import build_taps

Prepare = Callable[[Tensor], Tensor]


@MODELS.register_module()
class VideoEncoder(BaseModule):
    """Video encoder of `AdaTAD <https://arxiv.org/abs/2311.17241>`_, adapters after the blocks.

    The backbone is any MMAction2 backbone of a supported family (``taps.py``), built from its own
    config. Its parameters keep their names, so checkpoints load unchanged; the adapters' own read
    ``backbone.blocks.3.adapter.down_proj.weight``.

    Two representations. ``frame``: a video is folded into short clips, as the backbone was trained
    on, and an adapter sees the clips re-joined in time, so it is the only place where clips meet;
    every step of the backbone's output is a feature. ``snippet``: every feature is the mean over
    one clip, whose adapters see nothing else.

    A frozen backbone stays in eval mode during training. Its drop-path alone stays active if there
    are adapters to regularise, as in the public code. Without adapters it runs without a graph.
    What saves memory is described, with its cost, in docs/memory.md.

    Args:
        backbone: Config of the backbone, e.g. ``dict(type="mmaction.VisionTransformer", ...)``.
        adapter: Config of the adapter of each block, without ``embed_dims``; None for none.
        adapter_indices: Blocks that get an adapter, negative ones from the end. Defaults to all.
        clip_frames: Frames in a clip; None takes a whole video as one clip. Defaults to 16.
        representation: ``"frame"`` or ``"snippet"``.
        snippet_stride: Frames between successive snippets.
        frozen: Keep the backbone's weights; False fine-tunes them as well. Defaults to True.
        checkpointing: Recompute blocks with their adapters in the backward pass instead of keeping
            their activations. Defaults to False.
        checkpoint_every: With ``checkpointing``, keep the input of every n-th block only.
        clips_per_group: Clips that pass a block at a time (with ``checkpointing``, and wherever
            there is no backward pass); None for all at once.
        frozen_dtype: ``"bfloat16"`` or ``"float16"`` to keep frozen weights in it.
        stream_dtype: The same for the activations between blocks.
        offload: With ``checkpointing``, keep the inputs of the blocks in the CPU's memory.
        attention: ``"sdpa"``, PyTorch's fused attention, or ``"flash_attn"``, the package.
        pretrained: Checkpoint of the backbone (file or address), read by ``init_weights``.
        pretrained_source: Key table of the project it comes from (``mmtad.checkpoints``); None for
            MMAction2's own names.
        min_match: Smallest share of the backbone's weights that the checkpoint must fill, 0 to 1.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ImportError: If the backbone is MMAction2's and that is not installed.
        ValueError: If the backbone has no taps, an adapter index does not exist or two arguments
            contradict each other.
    """

    drops_paths = True

    def __init__(
        self,
        backbone: dict,
        adapter: dict | None = None,
        adapter_indices: Sequence[int] | None = None,
        clip_frames: int | None = 16,
        representation: str = "frame",
        snippet_stride: int = 1,
        frozen: bool = True,
        checkpointing: bool = False,
        checkpoint_every: int = 1,
        clips_per_group: int | None = None,
        frozen_dtype: str | None = None,
        stream_dtype: str | None = None,
        offload: bool = False,
        attention: str = "sdpa",
        pretrained: str | None = None,
        pretrained_source: str | None = None,
        min_match: float = 0.9,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.clip_frames = clip_frames
        self.snippet_stride = snippet_stride if representation == "snippet" else None
        self.frozen = frozen
        self.checkpointing = checkpointing
        self.checkpoint_every = checkpoint_every
        self.clips_per_group = clips_per_group
        self.frozen_dtype = half_dtype(frozen_dtype, "frozen_dtype")
        self.stream_dtype = half_dtype(stream_dtype, "stream_dtype")
        self.offload = offload
        self._check(representation)
        self.pretrained = pretrained and dict(
            type="mmtad.PretrainedWeights",
            checkpoint=pretrained,
            source=pretrained_source,
            min_match=min_match,
            ignore_missing=[r"(^|\.)adapter\."],
        )
        self.backbone = build_backbone(backbone)
        self.taps = build_taps(self.backbone, clip_frames)
        self.taps.choose_attention(attention)
        self.out_channels = self.taps.out_channels
        for parameter in self.backbone.parameters() if frozen else self.taps.unused:
            parameter.requires_grad_(False)
        check_adapter(adapter, adapter_indices)
        count = len(self.taps.blocks)
        wanted = self._default_indices(count) if adapter_indices is None else adapter_indices
        self.adapted = [] if adapter is None else choose_blocks(wanted, count)
        self.coupling: set[int] = set()  # blocks that mix clips
        self.after = [self._adapt(i, adapter) for i in range(count)]
        speed_up_linear(self)
        if self.frozen_dtype is not None:
            halve_frozen(self.backbone, self.frozen_dtype)

    def _check(self, representation: str) -> None:
        check_representation(representation, self.clip_frames)
        check_positive(self, "clip_frames", "snippet_stride", "checkpoint_every", "clips_per_group")
        if self.frozen_dtype is not None and not self.frozen:
            raise ValueError(
                "frozen_dtype is for a frozen backbone; a fine-tuned one (frozen=False) needs its "
                "weights in full precision"
            )
        self._check_checkpointing()

    def _check_checkpointing(self) -> None:
        used = dict(checkpoint_every=self.checkpoint_every > 1, offload=self.offload)
        for name in (name for name in used if used[name] and not self.checkpointing):
            raise ValueError(f"{name} is a kind of checkpointing: set checkpointing=True too")

    def _default_indices(self, count: int) -> list[int]:
        return list(range(count))

    def _adapt(self, index: int, adapter: dict | None) -> nn.Module | None:
        """Give a block its adapter: a child ``adapter``, or built into its layers (None then)."""
        if index not in self.adapted:
            return None
        block = self.taps.blocks[index]
        module = MODELS.build(dict(adapter, **self._adapter_arguments(index)))
        if not hasattr(module, "install"):
            block.add_module("adapter", module)
            return module
        module.install(block)
        if module.couples_clips:
            check_coupling(module, self.clip_frames, self.snippet_stride)
            self.coupling.add(index)
        return None

    def _adapter_arguments(self, index: int) -> dict:
        return dict(embed_dims=self.taps.widths[index])

    @property
    def adapters(self) -> list[nn.Module]:
        """The adapters after blocks, from the first block to the last."""
        return [adapter for adapter in self.after if adapter is not None]

    def adapted_blocks(self) -> list[AdaptedBlock]:
        """What the activations run through: blocks, each with the adapter in front of it."""
        blocks = [
            AdaptedBlock(self.taps, i, adapter, self.stream_dtype, i in self.coupling)
            for i, adapter in enumerate([None, *self.after])
        ]
        return blocks if self.after[-1] is not None else blocks[:-1]

    def init_weights(self) -> None:
        """Initialise backbone and adapters, then read the pre-trained weights."""
        first_call = not self.is_init
        super().init_weights()
        for name, module in self.backbone.named_modules():
            if first_call and name.rpartition(".")[2] == "adapter":
                module.reset_parameters()  # some backbones initialise every layer in them
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
            for name, module in self.backbone.named_modules():
                drops = self.drops_paths and self.adapted and type(module).__name__ == "DropPath"
                module.training = bool(drops) or "adapter" in name.split(".")
        if mode and not self.frozen and self.checkpointing:
            check_batch_norms(self.backbone)
        return self

    def forward(
        self, frames: Tensor, length: int | None = None, prepare: Prepare | None = None
    ) -> Tensor:
        """Encode videos.

        Args:
            frames: ``[B, 3, T, H, W]``: normalised, or of any type that ``prepare`` takes.
            length: Steps of the output; None keeps those of the backbone (T / 2 for VideoMAE), or
                one a snippet.
            prepare: Turns clips ``[n, 3, t, H, W]`` as they are in ``frames`` into normalised ones;
                called when they are needed.

        Returns:
            ``[B, D, length]`` features.

        Raises:
            ValueError: If T cannot be cut into clips, or the device lacks a half precision.
        """
        maps = self.feature_maps(frames, prepare)
        snippets = self.snippet_stride is not None
        return join_streams([spatial_mean(m) for m in maps], len(frames), length, snippets)

    def feature_maps(self, frames: Tensor, prepare: Prepare | None = None) -> tuple[Tensor, ...]:
        """Run the backbone: ``[B, 3, T, H, W]`` to maps ``[B * clips, D, T', H', W']``.

        There is one map per stream of the backbone (two for SlowFast).
        """
        clips = self.cut(frames)
        with half_autocast(self.frozen_dtype, frames.device):
            x, aside, layout = self._begin(clips, prepare)
            for blocks in segments(self.adapted_blocks(), self.checkpoint_every):
                x = self._run(blocks, x, aside, layout)
            return self.taps.finish(x, aside)

    def cut(self, frames: Tensor) -> Clips:
        """Cut frames ``[B, 3, T, H, W]`` into clips, and check the device."""
        for name in ("frozen_dtype", "stream_dtype"):
            dtype = getattr(self, name)
            if dtype is not None:
                check_half(dtype, frames.device, name)
        return Clips(frames, self.clip_frames, self.snippet_stride)

    def layout(self, clips: Clips) -> ClipLayout:
        """How these clips belong together."""
        joined = 1 if self.snippet_stride is not None else clips.per_video
        return ClipLayout(len(clips), joined)

    def _begin(
        self, clips: Clips, prepare: Prepare | None
    ) -> tuple[Tensor, tuple[Tensor, ...], ClipLayout]:
        """What comes before the first block, group by group."""
        layout = self.layout(clips)
        if not self.frozen and torch.is_grad_enabled():
            if not self.checkpointing:
                return *self._embed(clips[:], prepare), layout
            return *checkpoint(self._embed, clips[:], prepare, use_reentrant=False), layout
        with torch.no_grad():
            parts = [self._embed(clips[g], prepare) for g in layout.groups(self.clips_per_group)]
        asides = zip(*(aside for _, aside in parts), strict=True)
        return join_groups([x for x, _ in parts]), tuple(map(join_groups, asides)), layout

    def _embed(self, clips: Tensor, prepare: Prepare | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        x, aside = self.taps.begin(clips if prepare is None else prepare(clips))
        return x if self.stream_dtype is None else x.to(self.stream_dtype), aside

    def _run(
        self,
        blocks: list[AdaptedBlock],
        x: Tensor,
        aside: tuple[Tensor, ...],
        layout: ClipLayout,
    ) -> Tensor:
        """Run successive blocks in the way that is configured."""
        asides = [block.aside_of(aside) for block in blocks]
        groups = [block.groups(layout, self.clips_per_group) for block in blocks]
        trained = torch.is_grad_enabled() and (
            any(t.requires_grad for t in (x, *(a for extra in asides for a in extra)))
            or any(block.parameters for block in blocks)
        )
        if trained and self.checkpointing:
            return recompute(blocks, x, asides, layout, groups, self.offload)
        for block, extra, cut in zip(blocks, asides, groups, strict=True):
            whole = (x, extra, layout)
            x = block.forward_all(*whole) if trained else block.forward_groups(*whole, cut)
        return x
