"""The temporal pyramid of SP-TAD, over intermediate stages of a backbone."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmtad.registry import MODELS

from ..layers import MaskedConv1d, fill_padding, halve, zero_padding

SOURCES = ("all", "last")


@MODELS.register_module()
class StagePyramid(BaseModule):
    """Levels of one width, each half as long as the one before, from the stages of a backbone.

    `SP-TAD <https://arxiv.org/abs/2109.08847>`_, section 3.2: a 1-D convolution brings every stage
    to C channels; from coarse to fine the level below is added, repeated twice along time (nearest
    neighbours); max-pooling of stride 2 on the last stage gives one more level. Three stages of
    T / 2, T / 4 and T / 8 steps become levels of T / 2 to T / 16. Our reading: kernels of one step
    (the paper gives none), and pooling over pairs of steps.

    Backbones whose later stages are not shorter (SlowFast, VideoSwin) have them averaged, over
    valid steps, to the length that their level needs.

    Ablations of the paper: ``sources="last"`` builds the pyramid on the last stage only, and
    ``levels`` keeps some levels. Which level the paper's "single level" is, it does not say; we
    take the finest. Nor does it say how the last stage alone becomes four levels; ours are made by
    more max-pooling, as in detectors whose pyramid starts where the backbone ends.

    Args:
        in_channels: Channels of each of the S stages.
        out_channels: Channels C of every level.
        num_levels: Levels made, at least S of ``sources="all"``.
        kernel_size: Odd kernel of the convolutions.
        sources: ``"all"`` stages or the ``"last"`` one.
        levels: Levels that are kept, 0 the finest; None for all.
        init_cfg: MMEngine initialisation config.

    Attributes:
        strides: Steps of the first stage in a step of each level.

    Raises:
        ValueError: If an option is out of range.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int = 256,
        num_levels: int = 4,
        kernel_size: int = 1,
        sources: str = "all",
        levels: Sequence[int] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels = list(in_channels)
        stages = len(self.in_channels)
        if sources not in SOURCES:
            raise ValueError(f"sources of the pyramid are one of {SOURCES}, got {sources!r}")
        self.first = 0 if sources == "all" else stages - 1
        used = self.in_channels[self.first :]
        if not used or num_levels < len(used):
            raise ValueError(
                f"{len(used)} stages need as many levels or more, got num_levels={num_levels}"
            )
        self.num_levels = num_levels
        self.levels = list(range(num_levels)) if levels is None else list(levels)
        if not self.levels or set(self.levels) - set(range(num_levels)):
            raise ValueError(
                f"levels={levels} must be some of the {num_levels} levels 0 to {num_levels - 1}"
            )
        self.strides = [2 ** (self.first + level) for level in self.levels]
        self.laterals = nn.ModuleList(
            MaskedConv1d(width, out_channels, kernel_size) for width in used
        )

    def forward(
        self, stages: Sequence[Tensor], masks: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Build the levels.

        Args:
            stages: S tensors ``[B, C_s, T_s]``; padded steps may hold anything.
            masks: S bool tensors ``[B, T_s]``, True = valid.

        Returns:
            Kept levels ``[B, C, ceil(T_0 / 2^l)]``, zero at padded steps, and their masks.

        Raises:
            ValueError: If number, channels or lengths of the stages do not fit.
        """
        self._check(stages)
        features, level_masks = [], []
        for index in range(self.first, len(stages)):
            x, mask = self._shorten(index, stages, masks[index])
            features.append(self.laterals[index - self.first](fill_padding(x, mask), mask))
            level_masks.append(mask)
        for level in range(len(features) - 2, -1, -1):
            fine = features[level]
            coarse = features[level + 1].repeat_interleave(2, dim=-1)[..., : fine.shape[-1]]
            features[level] = zero_padding(fine + coarse, level_masks[level])
        while len(features) < self.num_levels:
            x, mask = halve(features[-1], level_masks[-1], "max")
            features.append(x)
            level_masks.append(mask)
        return [features[i] for i in self.levels], [level_masks[i] for i in self.levels]

    def _shorten(self, index: int, stages: Sequence[Tensor], mask: Tensor) -> tuple[Tensor, Tensor]:
        """Average pairs of steps until a stage is ``2^index`` times shorter than the first."""
        x = stages[index]
        wanted = -(-stages[0].shape[-1] // 2**index)
        while x.shape[-1] > wanted:
            x, mask = halve(x, mask, "mean")
        if x.shape[-1] != wanted:
            raise ValueError(
                f"stages of {[stage.shape[-1] for stage in stages]} steps make no pyramid: stage "
                f"{index} must have {wanted} steps, or two, four, .. times as many"
            )
        return x, mask

    def _check(self, stages: Sequence[Tensor]) -> None:
        channels = [stage.shape[1] for stage in stages]
        if channels != self.in_channels:
            raise ValueError(
                f"the pyramid was built for stages of {self.in_channels} channels, got {channels}; "
                "set in_channels of the pyramid, or the stages of the backbone"
            )
