"""Where the blocks of a backbone are: what an adapter needs to know of a family of backbones.

One family is one file with one subclass of ``BackboneTaps`` and one line in ``FAMILIES``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib import import_module

from torch import Tensor, nn

# Class of the backbone -> (module here, taps class). Subclasses of these are met too. The modules
# are imported when needed: they need MMAction2, and this package does not.
FAMILIES = {
    "VisionTransformer": ("vit_taps", "ViTTaps"),
}

# (block index, activations before the block, the block and all it owns) -> activations after it
RunBlock = Callable[[int, Tensor, "Grid"], Tensor]
Grid = tuple[int, int, int]


class BackboneTaps(ABC):
    """A backbone read from outside, block by block; its modules and their names stay as they are.

    Attributes:
        backbone: The backbone.
        blocks: Its blocks in order, each a place for an adapter.
        widths: Channels after each block.
        out_channels: Channels of the feature map.
        unused: Parameters that the feature map does not depend on.
    """

    backbone: nn.Module
    blocks: list[nn.Module]
    widths: list[int]
    out_channels: int
    unused: list[nn.Parameter]

    @abstractmethod
    def forward(self, clips: Tensor, run_block: RunBlock) -> Tensor:
        """Run the backbone, every block through ``run_block(index, x, grid)``.

        Args:
            clips: ``[N, 3, T, H, W]`` normalised frames.
            run_block: Called once a block with its input and the (T', H', W') size of its output.

        Returns:
            ``[N, D, T', H', W']`` feature map.
        """

    @abstractmethod
    def to_grid(self, x: Tensor, grid: Grid) -> Tensor:
        """Read a block's output as ``[N, T', H', W', C]``."""

    @abstractmethod
    def from_grid(self, tokens: Tensor) -> Tensor:
        """Undo ``to_grid``."""


def build_taps(backbone: nn.Module, clip_frames: int) -> BackboneTaps:
    """Find the blocks of a backbone.

    Args:
        backbone: Any backbone of a supported family.
        clip_frames: Frames in every clip that it will be given.

    Raises:
        ValueError: If the family is not supported, or does not take clips of this length.
    """
    for cls in type(backbone).__mro__:
        if cls.__name__ in FAMILIES:
            module, name = FAMILIES[cls.__name__]
            return getattr(import_module(f"{__package__}.{module}"), name)(backbone, clip_frames)
    raise ValueError(
        f"backbone {type(backbone).__name__} has no taps: nobody said where its blocks are; "
        f"supported are {', '.join(FAMILIES)}, and a new family is one file beside taps.py"
    )
