"""From a checkpoint file into a model in one step."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from mmtad.registry import WEIGHT_INITIALIZERS

from .key_tables import check_source, convert, get_source, known_sources, recognise
from .report import LoadReport, align_keys, compare, load_report
from .safe_load import extract_state_dict, load_checkpoint_safely


def load_weights(
    model: nn.Module,
    path: str,
    source: str | None = None,
    min_match: float = 1.0,
    ignore_missing: Sequence[str] = (),
    strict: bool = True,
) -> LoadReport:
    """Read a file, find its weights, rename them, load them and say what fitted.

    Args:
        model: Receives the weights.
        path: File or http(s) address.
        source: Key table of a foreign project, see ``known_sources``; None for our own names and
            MMAction2's, and for what ``tools/convert_checkpoint.py`` wrote. A prefix such as
            ``module.`` or ``backbone.`` is found without it.
        min_match: Smallest share of the model's entries that must be filled, 0 to 1.
        ignore_missing: Regular expressions of model keys that the file need not have.
        strict: Refuse wrong shapes, and parts of the model of which nothing was loaded.

    Returns:
        The load report.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no checkpoint, unsafe, not of this source, or does not fit.
    """
    checkpoint = load_checkpoint_safely(path)
    state_dict = extract_state_dict(checkpoint, path)
    origin = converted_from(checkpoint)
    if source is not None and origin is None:
        check_source(state_dict, source, path)
        state_dict = convert(state_dict, source)
    state_dict = align_keys(state_dict, model)
    table = get_source(source or origin or "mmaction_recognizer")
    optional = [*ignore_missing, *table.need_not_have(model)]
    name = path if source or origin else f"{path}{_advice(model, state_dict, optional, min_match)}"
    return load_report(model, state_dict, min_match, name, optional, strict)


def converted_from(checkpoint: Any) -> str | None:
    """The source from which ``tools/convert_checkpoint.py`` made a checkpoint; else None."""
    meta = checkpoint.get("meta") if isinstance(checkpoint, Mapping) else None
    source = meta.get("source") if isinstance(meta, Mapping) else None
    return source if source in known_sources() else None


def _advice(
    model: nn.Module, state_dict: Mapping[str, Tensor], optional: Sequence[str], min_match: float
) -> str:
    """Where names of another project do not fit, which project that is."""
    if compare(model, state_dict, "", optional).ratio >= min_match:
        return ""
    likely = recognise(state_dict)
    return f" (by its names of source {' or '.join(map(repr, likely))})" if likely else ""


@WEIGHT_INITIALIZERS.register_module()
class PretrainedWeights:
    """Weight initialiser for MMEngine's ``init_cfg``, in place of its silent ``Pretrained``.

    ``init_cfg=dict(type="mmtad.PretrainedWeights", checkpoint="vit.pth", source="videomae")``;
    the arguments are those of ``load_weights``.
    """

    def __init__(
        self,
        checkpoint: str,
        source: str | None = None,
        min_match: float = 0.9,
        ignore_missing: Sequence[str] = (),
        strict: bool = True,
    ) -> None:
        self.checkpoint = checkpoint
        self.source = source
        self.min_match = min_match
        self.ignore_missing = ignore_missing
        self.strict = strict

    def __call__(self, module: nn.Module) -> None:
        """Load the file into the module."""
        load_weights(
            module,
            self.checkpoint,
            self.source,
            self.min_match,
            tuple(self.ignore_missing),
            self.strict,
        )
