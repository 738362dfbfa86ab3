"""Averaged weights without a copy of what is frozen."""

from mmengine.hooks import EMAHook
from mmengine.model import is_model_wrapper
from mmengine.registry import MODELS
from torch import nn

from mmtad.registry import HOOKS

Pairs = list[tuple[nn.Module, nn.Module]]


def trainable_view(model: nn.Module) -> tuple[nn.Module, Pairs]:
    """A tree of empty modules that holds what of a model can change in training.

    Parameters are those with ``requires_grad``. Buffers are those of modules that are not frozen:
    a module is frozen if it has parameters, its children's included, and all of them are; one
    without parameters goes with the module that holds it. The tensors are the model's own and have
    its names, so the view's state dict is a part of the model's, and a deep copy of it copies
    nothing else.

    Args:
        model: Any module.

    Returns:
        The view, and for each of its modules the one of the model that it stands for.
    """
    pairs: Pairs = []
    built: dict[int, nn.Module] = {}

    def build(source: nn.Module, frozen: bool) -> nn.Module:
        if id(source) in built:  # a module that is used twice
            return built[id(source)]
        node = built[id(source)] = nn.Module()
        requires = [parameter.requires_grad for parameter in source.parameters()]
        frozen = not any(requires) if requires else frozen
        for name, parameter in source._parameters.items():
            if parameter is not None and parameter.requires_grad:
                node._parameters[name] = parameter
        for name, buffer in source._buffers.items():
            if buffer is not None and not frozen:
                node._buffers[name] = buffer
                if name in source._non_persistent_buffers_set:
                    node._non_persistent_buffers_set.add(name)
        for name, child in source._modules.items():
            below = None if child is None else build(child, frozen)
            if below is not None and (below._parameters or below._buffers or below._modules):
                node._modules[name] = below
        pairs.append((node, source))
        return node

    return build(model, frozen=False), pairs


@HOOKS.register_module()
class TrainableEMAHook(EMAHook):
    """MMEngine's ``EMAHook`` for models of which a large part is frozen.

    Only parameters with ``requires_grad`` at the start of the run are averaged; a frozen backbone
    is never copied. Everything else is MMEngine's: evaluation uses the averaged weights, a
    checkpoint holds them under ``state_dict`` and the live ones under ``ema_state_dict`` (here
    without the frozen ones), and checkpoints of ``EMAHook`` can be resumed.

    Buffers of modules that are not frozen (running statistics, the loss normaliser) follow the
    live model step by step, as in ``EMAHook``; ``update_buffers=True`` averages the floating ones
    instead. The loss normaliser matters in training alone, so both give the same detections.

    Args:
        **kwargs: Arguments of ``mmengine.hooks.EMAHook``: ``ema_type``
            (``"ExponentialMovingAverage"``), ``momentum`` (share of the new weights in a step),
            ``begin_iter`` or ``begin_epoch``, ``interval``, ``update_buffers``, ``strict_load``.
    """

    def before_run(self, runner) -> None:
        """Copy what is trained."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self.src_model, self._pairs = trainable_view(model)
        self.ema_model = MODELS.build(self.ema_cfg, default_args=dict(model=self.src_model))

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Update the average."""
        self._refresh()
        super().after_train_iter(runner, batch_idx, data_batch, outputs)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Take the averaged and the live weights out of a checkpoint, or one for both."""
        own = self.src_model.state_dict().keys()
        if runner._resume and "ema_state_dict" in checkpoint:
            known = {"steps", *(f"module.{key}" for key in own)}
            average = checkpoint["ema_state_dict"]
            checkpoint["ema_state_dict"] = {k: v for k, v in average.items() if k in known}
            super().after_load_checkpoint(runner, checkpoint)
        else:
            weights = checkpoint.get("state_dict", checkpoint)
            part = {key: weights[key] for key in own if key in weights}
            super().after_load_checkpoint(runner, dict(state_dict=part))

    def _swap_ema_parameters(self) -> None:
        self._refresh()
        super()._swap_ema_parameters()

    def _refresh(self) -> None:
        """Follow tensors that the model has replaced since; most are changed in place."""
        for node, source in self._pairs:
            for name in node._parameters:
                node._parameters[name] = source._parameters[name]
            for name in node._buffers:
                node._buffers[name] = source._buffers[name]
