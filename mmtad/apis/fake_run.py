"""One training step on tensors that have a shape but no values, as it would run on a GPU."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from mmtad.registry import MODELS

from .gpu_behaviour import RealConstants, countable_parts
from .storage_log import Peak, StorageLog

WEIGHTS, FROZEN, GRADIENTS = "trainable weights", "frozen weights", "gradients"
STATE, AVERAGE, INPUTS, SAVED = "optimiser state", "EMA copy", "input frames", "activations"
FORWARD, BACKWARD, STEP = "forward", "backward", "optimiser step"
LABELS = ("projection", "neck", "head")


@dataclass(frozen=True)
class StepSettings:
    """What of a config decides about the memory of a training step besides the model.

    Attributes:
        batch: Makes ``inputs`` and ``masks`` as the loader collates them.
        optim_wrapper: Config of the optimiser wrapper.
        amp: Whether forward runs under autocast.
        average: ``"trainable"``, ``"all"`` or None: which weights an EMA copies.
        accumulates: Whether gradients stay from one forward pass to the next.
    """

    batch: Callable[[], dict]
    optim_wrapper: dict
    amp: bool
    average: str | None
    accumulates: bool


@dataclass(frozen=True)
class StepMemory:
    """Bytes that a training step takes.

    Attributes:
        peak: The moment with most live bytes.
        weights: Bytes of the weights by (frozen or trainable, dtype).
        saved: Activations that are live at the end of the forward pass.
        gradients: All gradients together, which are what DDP's buckets would take once more.
        offloaded: Bytes kept in the memory of the CPU.
    """

    peak: Peak
    weights: dict[tuple[str, str], int]
    saved: int
    gradients: int
    offloaded: int


def build_model(config: ConfigDict, scope: str) -> nn.Module:
    """Build a model; call it under ``FakeTensorMode`` to allocate nothing.

    Raises:
        ValueError: If the config has arguments that the model does not take.
    """
    with DefaultScope.overwrite_default_scope(scope), RealConstants():
        try:
            return MODELS.build(config).train()
        except (TypeError, AssertionError) as error:
            raise ValueError(f"the model of the config cannot be built: {error}") from error


def train_step(model: nn.Module, settings: StepSettings, scope: str) -> StepMemory:
    """Rehearse one training step in the steady state, where optimiser state and EMA exist.

    The loss is the sum of all outputs: target assignment depends on values, and takes next to
    nothing beside a video backbone.

    Args:
        model: Built under the ``FakeTensorMode`` that is active now.
        settings: What to run it on.
        scope: Scope in which the optimiser is looked up.

    Raises:
        ValueError: If the model decides something by the values of a tensor.
    """
    log = StorageLog()
    trainable = [p for p in model.parameters() if p.requires_grad]
    weights = _tag_weights(log, model)
    copied = trainable if settings.average == "trainable" else list(model.parameters())
    average = [torch.empty_like(p) for p in copied if settings.average]
    log.tag(average, AVERAGE, always=True)
    sent = [0]

    def keep(parameter: Tensor) -> None:
        log.tag(parameter.grad, GRADIENTS, settings.accumulates)

    with ExitStack() as stack:
        for hook in _label_modules(model, log):
            stack.callback(hook.remove)
        for parameter in trainable:
            hook = parameter.register_post_accumulate_grad_hook(keep)
            stack.callback(hook.remove)
        stack.enter_context(countable_parts(sent))
        stack.enter_context(log)
        try:
            saved = _forward_backward(model, settings, log)
        except DataDependentOutputException as error:
            raise ValueError(
                f"the memory of this model cannot be predicted, since its forward pass in "
                f"{log.module or 'the model'} depends on the values of a tensor ({error.func})"
            ) from error
        _optimiser_step(model, settings, log, scope)
    gradients = log.tag([p.grad for p in trainable], GRADIENTS)
    return StepMemory(log.peak(), weights, saved, gradients, sent[0])


def _tag_weights(log: StorageLog, model: nn.Module) -> dict[tuple[str, str], int]:
    sizes: dict[tuple[str, str], int] = {}
    seen = set()
    for tensor in (*model.parameters(), *model.buffers()):
        kind = WEIGHTS if tensor.requires_grad else FROZEN
        size = log.tag(tensor, kind, always=True)
        if id(log.find(tensor)) not in seen:
            seen.add(id(log.find(tensor)))
            key = kind, str(tensor.dtype).removeprefix("torch.")
            sizes[key] = sizes.get(key, 0) + size
    return sizes


def _forward_backward(model: nn.Module, settings: StepSettings, log: StorageLog) -> int:
    """Returns the bytes of activations at the end of the forward pass."""
    log.phase, log.module = FORWARD, "data_preprocessor"
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=settings.amp):
        data = model.data_preprocessor(settings.batch(), True)
        inputs, masks = data["inputs"], data["masks"]
        log.tag((inputs, masks), INPUTS)
        outputs = model(inputs, masks, mode="tensor")
        leaves = [t for t in _tensors(outputs) if t.requires_grad]
        if not leaves:
            raise ValueError("nothing of this model is trained, so there is no training to plan")
        loss = torch.stack([t.float().sum() for t in leaves]).sum()
    del outputs, leaves
    saved = log.tag_rest(SAVED)
    log.phase, log.module = BACKWARD, "head"
    loss.backward()
    return saved


def _optimiser_step(model: nn.Module, settings: StepSettings, log: StorageLog, scope: str) -> None:
    config = {"optimizer", "constructor", "paramwise_cfg"} & set(settings.optim_wrapper)
    config = {key: settings.optim_wrapper[key] for key in config}
    with DefaultScope.overwrite_default_scope(scope):
        try:
            wrapper: OptimWrapper = build_optim_wrapper(model, dict(config, type="OptimWrapper"))
        except (TypeError, KeyError) as error:
            raise ValueError(f"optim_wrapper of the config cannot be built: {error}") from error
    optimizer = wrapper.optimizer
    for group in optimizer.param_groups:
        if "foreach" in group:  # what PyTorch chooses by itself on a GPU, unless told to fuse
            group["foreach"] = not group.get("fused")
            group.update(dict(fused=None) if "fused" in group else {})
    log.phase, log.module, log.scalars_are_one = STEP, "", True
    optimizer.step()
    log.scalars_are_one = False
    for values in optimizer.state.values():  # the counter of steps stays on the CPU
        log.tag([v for name, v in values.items() if name != "step"], STATE, always=True)


def _label_modules(model: nn.Module, log: StorageLog) -> Iterator[Any]:
    """Tell the log which part of the model runs, forth and back."""
    blocks = getattr(getattr(getattr(model, "backbone", None), "taps", None), "blocks", [])
    known = {id(block) for block in blocks}
    for name, module in model.named_modules():
        if id(module) in known or name in LABELS or (name == "backbone" and not known):
            yield module.register_forward_pre_hook(lambda *_, name=name: _label(log, name))
            yield module.register_forward_hook(
                lambda module, args, out, name=name: _label_backward(out, log, name)
            )


def _label(log: StorageLog, name: str) -> None:
    log.module = name


def _label_backward(outputs: Any, log: StorageLog, name: str) -> None:
    for tensor in _tensors(outputs):
        if tensor.requires_grad:
            tensor.register_hook(lambda grad: _label(log, name))


def _tensors(value: Any) -> Iterator[Tensor]:
    """Tensors in any nesting of sequences, dicts and data classes."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
    elif is_dataclass(value):
        for entry in fields(value):
            yield from _tensors(getattr(value, entry.name))


def fake_mode() -> FakeTensorMode:
    """Tensors made under it have a shape, and take no memory."""
    return FakeTensorMode(allow_non_fake_inputs=True)
