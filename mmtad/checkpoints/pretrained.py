"""From a checkpoint file into a model in one step."""

from collections.abc import Sequence

from torch import nn

from mmtad.registry import WEIGHT_INITIALIZERS

from .key_tables import convert
from .report import LoadReport, align_keys, load_report
from .safe_load import extract_state_dict, load_checkpoint_safely


def load_weights(
    model: nn.Module,
    path: str,
    source: str | None = None,
    min_match: float = 1.0,
    ignore_missing: Sequence[str] = (),
) -> LoadReport:
    """Read a file, find its weights, rename them, load them and say what fitted.

    Args:
        model: Receives the weights.
        path: File or http(s) address.
        source: Key table of a foreign project, see ``known_sources``; None for our own names and
            MMAction2's. A prefix such as ``module.`` or ``backbone.`` is found without it.
        min_match: Smallest share of the model's entries that must be filled, 0 to 1.
        ignore_missing: Regular expressions of model keys that the file need not have.

    Returns:
        The load report.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no checkpoint, unsafe, or does not fit.
    """
    state_dict = extract_state_dict(load_checkpoint_safely(path), path)
    if source is not None:
        state_dict = convert(state_dict, source)
    state_dict = align_keys(state_dict, model)
    return load_report(model, state_dict, min_match, path, ignore_missing)


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
    ) -> None:
        self.checkpoint = checkpoint
        self.source = source
        self.min_match = min_match
        self.ignore_missing = ignore_missing

    def __call__(self, module: nn.Module) -> None:
        """Load the file into the module."""
        load_weights(
            module, self.checkpoint, self.source, self.min_match, tuple(self.ignore_missing)
        )
