"""Where the blocks of a backbone are: what an adapter needs to know of a family of backbones.

One family is one file with one subclass of ``BackboneTaps`` and one line in ``FAMILIES``.
"""

from abc import ABC, abstractmethod
from importlib import import_module

from torch import Tensor, nn

# Class of the backbone -> (module here, taps class). Subclasses of these are met too. The modules
# are imported when needed: they need MMAction2, and this package does not.
FAMILIES = {
    "VisionTransformer": ("vit_taps", "ViTTaps"),
    "SwinTransformer3D": ("swin_taps", "SwinTaps"),
    "ResNet3dSlowFast": ("slowfast_taps", "SlowFastTaps"),
    "ResNet3d": ("resnet_taps", "ResNetTaps"),
}


class BackboneTaps(ABC):
    """A backbone read from outside, block by block; its modules and their names stay as they are.

    ``finish(block(N - 1, .. block(0, begin(clips))))`` is the backbone's own forward pass. Every
    step treats clips independently, so that a caller may send them through in groups.

    Some backbones have a second stream that the blocks only read (the fast pathway of SlowFast).
    Its tensors, each with the clips as first dimension, are ``aside``.

    Attributes:
        backbone: The backbone.
        blocks: Its blocks in order, each a place for an adapter.
        widths: Channels after each block.
        stream_channels: Channels of each feature map.
        unused: Parameters that the feature maps do not depend on.
        keep_stages: Set by who will call ``stage_maps``: what earlier stages need for it is kept.
    """

    backbone: nn.Module
    blocks: list[nn.Module]
    widths: list[int]
    stream_channels: list[int]
    unused: list[nn.Parameter]
    keep_stages: bool = False

    @property
    def out_channels(self) -> int:
        """Channels of all feature maps together."""
        return sum(self.stream_channels)

    @abstractmethod
    def begin(self, clips: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Do what comes before the first block.

        Args:
            clips: ``[N, 3, T, H, W]`` normalised frames.

        Returns:
            The first block's input, in the layout of this family with the clips first, and
            ``aside``, an empty tuple for most.
        """

    @abstractmethod
    def block(self, index: int, x: Tensor, *aside: Tensor) -> Tensor:
        """Run one block, with whatever lies between it and the block before.

        Args:
            index: Number of the block.
            x: Output of the block before it.
            aside: The tensors that ``aside_of`` names.
        """

    def aside_of(self, index: int) -> tuple[int, ...]:
        """Positions in ``aside`` of what block ``index`` reads."""
        return ()

    def modules_of(self, index: int) -> list[nn.Module]:
        """All modules that ``block`` runs for this index."""
        return [self.blocks[index]]

    def last_linear(self, index: int) -> nn.Linear | None:
        """The linear layer of a block after which there are only sums.

        Where the block's output is known, a backward pass need not compute that of this layer. None
        where the order inside the block is not known for sure, as in a subclass.
        """
        return None

    def choose_attention(self, kernel: str) -> None:
        """Switch the attention to ``"sdpa"`` or ``"flash_attn"``.

        Raises:
            ValueError: If this family has no choice, or the kernel is unknown.
            ImportError: If the package is not installed.
        """
        if kernel != "sdpa":
            raise ValueError(
                f"attention={kernel!r} is for plain video transformers; leave it out for "
                f"{type(self.backbone).__name__}"
            )

    @abstractmethod
    def finish(self, x: Tensor, aside: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Turn the last block's output into feature maps ``[N, D, T', H', W']``, one a stream."""

    @property
    def stage_ends(self) -> list[int]:
        """Last block of each stage; a plain transformer is one stage."""
        return [len(self.blocks) - 1]

    def stage_maps(self, stage: int, x: Tensor, aside: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Turn the output of a stage's last block into its maps, as ``finish`` does for the last.

        Args:
            stage: Number of the stage, from 0.
            x: Output of block ``stage_ends[stage]``.
            aside: What ``begin`` gave.

        Returns:
            ``[N, D, T', H', W']``, one a stream.
        """
        return self.finish(x, aside)

    @abstractmethod
    def to_grid(self, x: Tensor) -> Tensor:
        """View a block's output as ``[N, T', H', W', C]``."""

    @abstractmethod
    def from_grid(self, tokens: Tensor) -> Tensor:
        """Undo ``to_grid``."""


def check_family(kind: type) -> tuple[str, str]:
    """Module and class of the taps of a class of backbones.

    Raises:
        ValueError: If its family is not supported.
    """
    for cls in kind.__mro__:
        if cls.__name__ in FAMILIES:
            return FAMILIES[cls.__name__]
    raise ValueError(
        f"backbone {kind.__name__} has no taps: nobody said where its blocks are; "
        f"supported are {', '.join(FAMILIES)}, and a new family is one file beside taps.py"
    )


def has_taps(kind: type) -> bool:
    """Whether a class of backbones belongs to a supported family."""
    return any(cls.__name__ in FAMILIES for cls in kind.__mro__)


def build_taps(backbone: nn.Module, clip_frames: int | None) -> BackboneTaps:
    """Find the blocks of a backbone.

    Args:
        backbone: Any backbone of a supported family.
        clip_frames: Frames in every clip that it will be given; None for clips of any length.

    Raises:
        ValueError: If the family is not supported, or does not take clips of this length.
    """
    module, name = check_family(type(backbone))
    return getattr(import_module(f"{__package__}.{module}"), name)(backbone, clip_frames)
