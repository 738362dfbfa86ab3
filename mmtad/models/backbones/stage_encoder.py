"""From raw frames to the intermediate stages of a backbone, averaged over space."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmtad.registry import MODELS, WEIGHT_INITIALIZERS

from ..layers.linear import speed_up_linear
from .assembly import build_backbone, check_batch_norms, check_positive
from .pooling import spatial_mean
from .taps import BackboneTaps, build_taps, check_family, has_taps
from .video_encoder import Prepare


@MODELS.register_module()
class StageEncoder(BaseModule):
    """The features of several stages of a backbone, as SP-TAD's temporal pyramid starts from them.

    `SP-TAD <https://arxiv.org/abs/2109.08847>`_, section 3.2: stages within the backbone see time
    finer than its end, and actions that are short there are still visible. A window is one clip.

    Any of these backbones:

    * one whose forward pass returns the maps of its stages, ``[B, C_s, T_s, H_s, W_s]`` each:
      ``TwoStreamI3D``, ``InceptionI3D``, or one of MMAction2's with several ``out_indices``;
    * one of a family with taps (``taps.py``): ResNet3d, SlowFast, VideoSwin. Its config asks for
      the last stage as for ``VideoEncoder``. SlowFast's two pathways are joined stage by stage at
      one rate; maps of VideoSwin's inner stages are normalised over channels first.

    A frozen backbone stays in eval mode during training and runs without a graph.

    Args:
        backbone: Config of the backbone.
        stages: Stages that are returned, from the first to the last; negative ones from the end.
        step_frames: Frames in a step of the stages, for backbones with several pathways: the rate
            at which these are joined. None takes the rate of the fastest.
        frozen: Keep the backbone's weights. Defaults to False: SP-TAD trains all of it.
        checkpointing: Recompute blocks in the backward pass instead of keeping their activations;
            for families with taps (others have an option of their own).
        pretrained: Checkpoint of the backbone (file or address), read by ``init_weights``; also
            backbones that read checkpoints of their own may have one.
        pretrained_source: Key table of the project it comes from (``mmtad.checkpoints``); None for
            MMAction2's own names.
        min_match: Smallest share of the backbone's weights that the checkpoint must fill, 0 to 1.
        init_cfg: MMEngine's initialisation config.

    Attributes:
        out_channels: Channels of each stage; None for a backbone that does not tell before it runs.

    Raises:
        ImportError: If the backbone is MMAction2's and that is not installed.
        ValueError: If the backbone has no such stage, or two arguments contradict each other.
    """

    def __init__(
        self,
        backbone: dict,
        stages: Sequence[int] = (-3, -2, -1),
        step_frames: int | None = None,
        frozen: bool = False,
        checkpointing: bool = False,
        pretrained: str | None = None,
        pretrained_source: str | None = None,
        min_match: float = 0.9,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.stages = list(stages)
        self.step_frames = step_frames
        check_positive(self, "step_frames")
        self.frozen = frozen
        self.checkpointing = checkpointing
        self.pretrained = pretrained and dict(
            type="mmtad.PretrainedWeights",
            checkpoint=pretrained,
            source=pretrained_source,
            min_match=min_match,
        )
        self.backbone = build_backbone(backbone, only_families=False)
        tapped = has_taps(type(self.backbone)) and not _returns_stages(backbone)
        self.taps: BackboneTaps | None = self._build_taps() if tapped else None
        if self.taps is None and checkpointing:
            raise ValueError(
                f"checkpointing=True of the encoder knows no blocks of "
                f"{type(self.backbone).__name__}; use the backbone's own (checkpointing=True of "
                "an I3D, with_cp=True of MMAction2's)"
            )
        self.out_channels = self._choose_stages()
        if frozen:
            self.backbone.requires_grad_(False)
        speed_up_linear(self)

    def _build_taps(self) -> BackboneTaps:
        if check_family(type(self.backbone))[0] == "vit_taps":
            raise ValueError(
                f"stages={self.stages} of {type(self.backbone).__name__}: a plain transformer has "
                "one stage, 0, of one rate, and no pyramid to build on; use SlowFast, VideoSwin, "
                "ResNet3d or I3D, or FeatureStages behind a VideoEncoder"
            )
        taps = build_taps(self.backbone, None)
        taps.keep_stages = True
        return taps

    def _choose_stages(self) -> list[int] | None:
        """Find the stages; return their channels if they are known."""
        if self.taps is None:
            channels = getattr(self.backbone, "stage_channels", None)
            if channels is None:
                return None
            chosen = choose_stages(self.stages, len(channels), self.backbone)
            return [channels[stage] for stage in chosen]
        ends = self.taps.stage_ends
        self.chosen = choose_stages(self.stages, len(ends), self.backbone)
        behind = ends[self.chosen[-1]] + 1
        for index in range(behind, len(self.taps.blocks)):
            for module in self.taps.modules_of(index):
                module.requires_grad_(False)
        fast = self.taps.stream_channels[1:]
        # The pathways beside the first keep their share of the width in every stage.
        last = self.taps.widths[-1]
        widths = [self.taps.widths[ends[stage]] for stage in self.chosen]
        return [width + sum(other * width // last for other in fast) for width in widths]

    def init_weights(self) -> None:
        """Initialise the backbone, then read the pre-trained weights."""
        first_call = not self.is_init
        super().init_weights()
        if self.pretrained and first_call:
            WEIGHT_INITIALIZERS.build(self.pretrained)(self.backbone)
        elif self.frozen and first_call and not _reads_weights(self.backbone):
            print_log(
                "The frozen backbone has random weights: set `pretrained`, unless `load_from` or "
                "`resume` brings them",
                "current",
                logging.WARNING,
            )

    def train(self, mode: bool = True) -> "StageEncoder":
        """Switch to training; a frozen backbone stays in eval mode."""
        super().train(mode)
        if mode and self.frozen:
            self.backbone.eval()
        elif mode and self.checkpointing:
            check_batch_norms(self.backbone)
        return self

    def forward(
        self, frames: Tensor, length: int | None = None, prepare: Prepare | None = None
    ) -> list[Tensor]:
        """Encode videos.

        Args:
            frames: ``[B, C, T, H, W]``: normalised, or of any type that ``prepare`` takes.
            length: Not used, as stages keep their own lengths; ``TADDetector`` gives it to every
                encoder.
            prepare: Turns frames into normalised ones.

        Returns:
            Stages ``[B, C_s, T_s]``.

        Raises:
            ValueError: If the backbone returned other stages than those that were asked for.
        """
        with torch.no_grad() if self.frozen else nullcontext():
            x = frames if prepare is None else prepare(frames)
            maps = self._from_backbone(x) if self.taps is None else self._from_blocks(x)
            return [self._join(streams, frames.shape[2]) for streams in maps]

    def _from_backbone(self, x: Tensor) -> list[tuple[Tensor, ...]]:
        maps = self.backbone(x)
        if not isinstance(maps, tuple | list):
            raise ValueError(
                f"{type(self.backbone).__name__} returned one map, not its stages; set its "
                "out_indices to several stages"
            )
        chosen = choose_stages(self.stages, len(maps), self.backbone)
        return [(maps[stage],) for stage in chosen]

    def _from_blocks(self, x: Tensor) -> list[tuple[Tensor, ...]]:
        x, aside = self._call(self.taps.begin, x)
        ends, found = self.taps.stage_ends, []
        for index in range(ends[self.chosen[-1]] + 1):
            read = [aside[position] for position in self.taps.aside_of(index)]
            x = self._call(self.taps.block, index, x, *read)
            if index in ends and ends.index(index) in self.chosen:
                found.append(self.taps.stage_maps(ends.index(index), x, aside))
        return found

    def _call(self, function, *args):
        """Call a part of the backbone, and again in the backward pass if so configured."""
        if not self.checkpointing or not torch.is_grad_enabled():
            return function(*args)
        return checkpoint(function, *args, use_reentrant=False)

    def _join(self, streams: Sequence[Tensor], frames: int) -> Tensor:
        """Maps of one stage, ``[B, C_i, T_i, H_i, W_i]`` each, to ``[B, sum of C_i, T_s]``."""
        means = [spatial_mean(stream) for stream in streams]
        if len(means) == 1:
            return means[0]
        length = max(mean.shape[-1] for mean in means)
        if self.step_frames is not None:
            length = -(-frames // self.step_frames)
        return torch.cat([resize(mean, length) for mean in means], dim=1)


def resize(x: Tensor, length: int) -> Tensor:
    """Bring ``[B, C, T]`` to another length: means of whole steps where it divides, else linearly.

    Linear interpolation is without aligned corners.
    """
    if x.shape[-1] == length:
        return x
    if x.shape[-1] % length == 0:
        return F.avg_pool1d(x, x.shape[-1] // length)
    return F.interpolate(x, size=length, mode="linear", align_corners=False)


def choose_stages(stages: Sequence[int], count: int, backbone: nn.Module) -> list[int]:
    """Numbers of stages, from 0.

    Args:
        stages: Numbers, negative ones from the end.
        count: Stages of the backbone.
        backbone: Named where a stage does not exist.

    Raises:
        ValueError: If there is none, one does not exist, or they are not in order.
    """
    name = type(backbone).__name__
    missing = [stage for stage in stages if not -count <= stage < count]
    if missing or not stages:
        raise ValueError(
            f"stages={list(stages)} of {name}: there is no stage "
            f"{missing[0] if missing else 'to return'}; those that exist are "
            f"{', '.join(map(str, range(count)))} (or -{count} to -1 from the end)"
        )
    chosen = [stage % count for stage in stages]
    if chosen != sorted(set(chosen)):
        raise ValueError(f"stages={list(stages)} of {name} must rise, each once")
    return chosen


def _returns_stages(config: dict) -> bool:
    """Whether the config of a backbone asks for several stages itself."""
    indices = config.get("out_indices")
    return indices is not None and len(indices) > 1


def _reads_weights(backbone: nn.Module) -> bool:
    return any(getattr(module, "pretrained", None) for module in backbone.modules())
