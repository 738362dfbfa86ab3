"""Checkpoints that hold only what was trained."""

import logging
from dataclasses import dataclass

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from mmtad.registry import HOOKS

from .frozen_part import RECORD, PretrainedFile, file_sha256, find_pretrained, same_values
from .hooks import LoadReportHook


@dataclass(frozen=True)
class _Plan:
    """What a pre-trained file can give back: frozen parameters and unchanged buffers."""

    file: PretrainedFile
    sha256: str
    parameters: dict[str, nn.Parameter]
    buffers: dict[str, Tensor]  # as the file has them

    def left_out(self, state_dict: dict[str, Tensor]) -> list[str]:
        frozen = [k for k, p in self.parameters.items() if k in state_dict and not p.requires_grad]
        still = [
            key
            for key, value in self.buffers.items()
            if key in state_dict and same_values(state_dict[key], value)
        ]
        return frozen + still


@HOOKS.register_module()
class SlimCheckpointHook(Hook):
    """Leaves the frozen, pre-trained part of the model out of every checkpoint.

    An entry is left out if it is frozen and the backbone's pre-trained file gives exactly this
    value, which is checked when the training begins; all others stay. ``meta["frozen_part"]``
    records ``file``, its ``sha256`` and key table ``source``, the ``prefix`` of what was left out
    and the ``entries`` under it. Resuming, testing and inference put them back from the file
    (:func:`mmtad.engine.frozen_part.restore_frozen_part`), which must be the same to the bit.

    Without such a file (a frozen backbone of random weights, or one whose weights came by
    ``load_from``), and where most of the backbone is trained, checkpoints are whole.

    Raises:
        ValueError: If the config has no ``LoadReportHook``, which puts the entries back.
    """

    priority = "VERY_LOW"  # after the averaged weights are in place

    def __init__(self) -> None:
        self._plan: _Plan | None = None

    def before_run(self, runner) -> None:
        """Refuse a config whose checkpoints would load incompletely."""
        if not any(isinstance(hook, LoadReportHook) for hook in runner.hooks):
            raise ValueError(
                "SlimCheckpointHook needs dict(type='LoadReportHook') in custom_hooks, which puts "
                "back what it leaves out"
            )

    def before_train(self, runner) -> None:
        """Find out what the pre-trained file can give back; only the process that saves."""
        if is_main_process():
            model = runner.model.module if is_model_wrapper(runner.model) else runner.model
            self._plan = _make_plan(model)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Take the entries out and record where they are."""
        if self._plan is None:
            return
        left_out = self._plan.left_out(checkpoint["state_dict"])
        for key in left_out:
            del checkpoint["state_dict"][key]
            checkpoint.get("ema_state_dict", {}).pop(f"module.{key}", None)
        file = self._plan.file
        checkpoint["meta"][RECORD] = dict(
            file=file.path,
            sha256=self._plan.sha256,
            source=file.source,
            prefix=file.prefix,
            entries=[key.removeprefix(file.prefix) for key in left_out],
        )


def _make_plan(model: nn.Module) -> _Plan | None:
    """Compare the model with its pre-trained file; None if checkpoints have to be whole."""
    if all(parameter.requires_grad for parameter in model.parameters()):
        return None
    file = find_pretrained(model)
    if file is None:
        _whole("there is no pre-trained file to take the frozen part from")
        return None
    try:
        digest, stored = file_sha256(file.path), file.read(model)
    except (OSError, ValueError) as error:
        _whole(str(error))
        return None
    own = model.state_dict(keep_vars=True)
    parameters, buffers, changed = {}, {}, 0
    for key, value in stored.items():
        if isinstance(own[key], nn.Parameter) and own[key].requires_grad:
            continue
        if not same_values(own[key], value):
            changed += 1
        elif isinstance(own[key], nn.Parameter):
            parameters[key] = own[key]
        else:
            buffers[key] = value
    size = sum(value.numel() for value in stored.values())
    if 2 * sum(parameter.numel() for parameter in parameters.values()) < size:
        why = "is trained" if not changed else "has other weights than its pre-trained file"
        _whole(f"most of the backbone {why}")
        return None
    print_log(
        f"Checkpoints leave out {len(parameters) + len(buffers)} frozen entries, "
        f"{100 * sum(p.numel() for p in parameters.values()) / _numel(own):.0f}% of the model; "
        f"loading them needs {file.path} (SHA-256 {digest[:8]})",
        "current",
    )
    return _Plan(file, digest, parameters, buffers)


def _numel(state_dict: dict) -> int:
    return sum(value.numel() for value in state_dict.values() if isinstance(value, Tensor))


def _whole(why: str) -> None:
    print_log(f"Checkpoints hold the whole model: {why}", "current", logging.INFO)
