"""Whether a training can go on from a checkpoint."""

from collections.abc import Mapping
from typing import Any

from mmengine.optim import OptimWrapper


def check_resumable(checkpoint: Mapping, optim_wrapper: Any, name: str) -> None:
    """Raise one sentence where MMEngine would stop with a ``KeyError`` or PyTorch's own words.

    Args:
        checkpoint: What was read.
        optim_wrapper: The optimiser of the run that is to go on.
        name: Name of the checkpoint, for messages.

    Raises:
        ValueError: If the checkpoint holds weights alone, or the run trains other parameters.
    """
    if "optimizer" not in checkpoint or "message_hub" not in checkpoint:
        raise ValueError(
            f"{name} holds weights and no state of a training, so --resume cannot go on from it; "
            f"to start a training from its weights, use --cfg-options load_from={name}"
        )
    if not isinstance(optim_wrapper, OptimWrapper):
        return
    stored = _sizes(checkpoint["optimizer"].get("param_groups", []))
    ours = _sizes(optim_wrapper.optimizer.param_groups)
    if stored != ours:
        different = sorted(k for k in {*stored, *ours} if stored.get(k) != ours.get(k))[0]
        raise ValueError(
            f"{name} trained {stored.get(different, 0)} parameters in the group {different!r} and "
            f"this config trains {ours.get(different, 0)}, so --resume cannot go on from it; use "
            "the config of that training, or load_from to start a new one from its weights"
        )


def _sizes(groups: list[dict]) -> dict[str, int]:
    """Number of parameters of each group, by its name or number."""
    return {str(g.get("name", i)): len(g["params"]) for i, g in enumerate(groups)}
