"""The weights of a whole detector: for a test, for inference, and where a training starts."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from .key_tables import get_source
from .pretrained import converted_from
from .report import LoadReport, check_depth, check_report, compare, fill, listed

ENCODER = "encoder"  # in the `meta` of a checkpoint

# What names of entries do not tell: the same adapters do one thing inside and another beside.
_PLACES = {
    "inside": ("inside the backbone", "VideoEncoder"),
    "side": ("beside the backbone", "SideVideoEncoder"),
}


def describe_encoder(model: nn.Module) -> dict[str, Any] | None:
    """Say what a model does with its adapters, as far as their weights do not tell.

    Args:
        model: A detector.

    Returns:
        ``placement`` (``"inside"`` or ``"side"``), ``blocks`` (those with an adapter) and
        ``couples_clips`` (whether adapters let the clips of a video exchange within a block); None
        without adapters.
    """
    for module in model.modules():
        blocks = getattr(module, "adapted", None)
        if isinstance(blocks, list) and blocks:
            side = any(cls.__name__ == "SideVideoEncoder" for cls in type(module).__mro__)
            return dict(
                placement="side" if side else "inside",
                blocks=list(blocks),
                couples_clips=bool(getattr(module, "coupling", False)),
            )
    return None


def check_encoder(model: nn.Module, checkpoint: Any, source: str) -> None:
    """Refuse weights of adapters that were trained to do something else.

    Args:
        model: The model to be loaded.
        checkpoint: Its ``meta["encoder"]`` is what ``describe_encoder`` said; without it, or where
            the model has no adapters, nothing is compared.
        source: Name of the checkpoint, for the message.

    Raises:
        ValueError: If the adapters are placed otherwise, or only one of both couples clips.
    """
    meta = checkpoint.get("meta") if isinstance(checkpoint, Mapping) else None
    theirs = meta.get(ENCODER) if isinstance(meta, Mapping) else None
    ours = describe_encoder(model)
    if ours is None or not isinstance(theirs, Mapping):
        return
    place = str(theirs.get("placement", ours["placement"]))
    if place in _PLACES and place != ours["placement"]:
        (there, name), (here, _) = _PLACES[place], _PLACES[ours["placement"]]
        raise ValueError(
            f"the adapters of {source} were trained {there}, and this config has them {here}: use "
            f"the config of the training, or set model.backbone.type to {name}"
        )
    coupled = theirs.get("couples_clips", ours["couples_clips"])
    if bool(coupled) != ours["couples_clips"]:
        which = "lets" if coupled else "does not let"
        raise ValueError(
            f"the adapter of {source} {which} the clips of a video exchange, unlike that of this "
            "config: use the config of the training (LongLoRA does, LoRA does not)"
        )


def check_adapters(report: LoadReport) -> None:
    """Raise a ValueError if the file has trained adapters that the model lacks."""
    lost = [key for key in report.unexpected if "adapter" in key.split(".")]
    if lost:
        raise ValueError(
            f"{report.source} has {len(lost)} entries of adapters that this model lacks "
            f"({listed(lost)}): use the config of its training, or give model.backbone the adapter "
            "and adapter_indices of it"
        )


def load_detector(
    model: nn.Module,
    checkpoint: Any,
    weights: Mapping[str, Tensor],
    source: str,
    min_match: float = 1.0,
    ignore_missing: Iterable[str] = (),
    option: str = "min_match",
) -> LoadReport:
    """Load a detector, or refuse: whatever was trained has to find its place.

    Args:
        model: Receives the weights.
        checkpoint: The loaded file, for what its ``meta`` says about the weights. Entries that the
            project which it was converted from does not store need not be there.
        weights: Its weights, under the model's names.
        source: Name of the checkpoint, for messages.
        min_match: Smallest share of the model's entries that must be filled, 0 to 1.
        ignore_missing: Regular expressions of model keys that the file need not have.
        option: Where ``min_match`` is set, for messages.

    Returns:
        The load report.

    Raises:
        ValueError: If the checkpoint does not fit the model.
    """
    check_encoder(model, checkpoint, source)
    origin = converted_from(checkpoint)
    optional = get_source(origin).need_not_have(model) if origin else []
    report = compare(model, weights, source, [*ignore_missing, *optional])
    remedy = (
        "use a checkpoint of this architecture, convert one of another project with "
        f"tools/convert_checkpoint.py, or lower {option}"
    )
    check_report(report, type(model).__name__, min_match, remedy=remedy)
    check_adapters(report)
    check_depth(report, type(model).__name__)
    fill(model, weights, report)
    return report
