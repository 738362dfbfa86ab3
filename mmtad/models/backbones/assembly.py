"""From the arguments of an encoder to its parts, each checked by name."""

from collections.abc import Sequence
from importlib.util import find_spec

from mmengine.registry import DefaultScope
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmtad.registry import MODELS

from .taps import check_family


def build_backbone(config: dict, only_families: bool = True) -> nn.Module:
    """Build a backbone in the scope that its type names, where its own parts are found too.

    Args:
        config: E.g. ``dict(type="mmaction.VisionTransformer", ...)``.
        only_families: Refuse backbones of a family without taps.

    Raises:
        ImportError: If it is MMAction2's and that is not installed.
        ValueError: If its family is not supported, or it freezes stages by itself.
    """
    scope, _, _ = str(config.get("type")).rpartition(".")
    if scope == "mmaction" and find_spec("mmaction") is None:
        raise ImportError(
            f"backbone {config['type']} comes from MMAction2, which is not installed; "
            'install it with pip install "mmtad[all]"'
        )
    with DefaultScope.overwrite_default_scope(scope or None):
        kind = MODELS.get(config["type"]) if isinstance(config.get("type"), str) else None
        if kind is not None and only_families:
            check_family(kind)
        backbone = MODELS.build(config)
    if any(getattr(module, "frozen_stages", -1) >= 0 for module in backbone.modules()):
        raise ValueError(
            "frozen_stages of a backbone would freeze its adapters too; leave it out and use "
            "frozen=True, or adapter_indices"
        )
    return backbone


def choose_blocks(indices: Sequence[int], count: int) -> list[int]:
    """Turn ``adapter_indices`` into numbers of blocks, ascending and without repetition.

    Args:
        indices: Blocks, negative ones from the end.
        count: Number of blocks.

    Raises:
        ValueError: If these are no numbers, there is none, or a block does not exist.
    """
    if isinstance(indices, str | int) or not all(isinstance(i, int) for i in indices):
        raise ValueError(f"adapter_indices={indices!r} must be a list of numbers of blocks")
    if not indices:
        raise ValueError("adapter_indices=[] leaves no block to adapt; set adapter=None instead")
    outside = [index for index in indices if not -count <= index < count]
    if outside:
        raise ValueError(
            f"adapter_indices={list(indices)} holds {outside[0]}, but the backbone has {count} "
            f"blocks; use 0 to {count - 1}"
        )
    return sorted({index % count for index in indices})


def check_representation(representation: str, clip_frames: int | None) -> None:
    """Raise a ValueError unless it is ``"frame"``, or ``"snippet"`` with a length."""
    if representation not in ("frame", "snippet"):
        raise ValueError(f"representation is 'frame' or 'snippet', got {representation!r}")
    if representation == "snippet" and clip_frames is None:
        raise ValueError("representation='snippet' needs clip_frames, the length of a snippet")


def check_positive(owner: object, *names: str) -> None:
    """Raise a ValueError if one of these attributes is a number below 1."""
    for name in names:
        value = getattr(owner, name)
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


def check_adapter(adapter: dict | None, indices: Sequence[int] | None) -> None:
    """Raise a ValueError if an adapter has no type, or there are places but no adapter."""
    if adapter is None and indices is not None:
        raise ValueError(
            f"adapter_indices={indices} has no adapter to place; set adapter, e.g. to "
            "dict(type='TIA'), or leave it out"
        )
    if adapter is not None and "type" not in adapter:
        raise ValueError(f"adapter={adapter} lacks its type, e.g. type='TIA'")


def check_batch_norms(backbone: nn.Module) -> None:
    """Raise a ValueError if a batch norm is in training mode, where blocks are run twice."""
    for name, module in backbone.named_modules():
        if isinstance(module, _BatchNorm) and module.training:
            raise ValueError(
                f"checkpointing would count the statistics of {name} twice; set "
                "norm_eval=True in the backbone, or checkpointing=False"
            )


def check_coupling(adapter: object, clip_frames: int | None, snippet_stride: int | None) -> None:
    """Raise a ValueError if an adapter exchanges between clips where a video has one alone."""
    if clip_frames is None or snippet_stride is not None:
        raise ValueError(
            f"{type(adapter).__name__} exchanges between the clips of a video, which only "
            "representation='frame' with clip_frames has"
        )
