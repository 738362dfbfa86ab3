"""Listening to the attention of a model that runs as usual."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

KINDS = ("encoder", "decoder", "cross")


@dataclass
class RecordedMap:
    """One attention map of one call.

    Args:
        name: Path of the module within the model.
        kind: ``"encoder"``: self-attention among steps, ``"decoder"``: among queries, ``"cross"``:
            of queries to steps.
        layer: Index among the modules of that kind, from 0.
        weights: ``[B, H, R, C]``, without gradient, before dropout.
        mask: Valid keys, bool ``[B, C]``; None for all.
    """

    name: str
    kind: str
    layer: int
    weights: Tensor
    mask: Tensor | None


@dataclass
class AttentionRecord:
    """What :func:`record_attention` has heard since the last :meth:`clear`, in order of calls."""

    maps: list[RecordedMap] = field(default_factory=list)

    def clear(self) -> None:
        """Forget the maps, which keep memory as long as they are here."""
        self.maps.clear()


def attention_kind(name: str) -> str:
    """Tell the kind of attention from a module's path.

    ``cross_attention`` looks from queries to steps, ``self_attention`` at queries; every other
    attention, as ``encoder.layers.0.attention``, is taken for one among steps.
    """
    last = name.rpartition(".")[-1]
    return {"cross_attention": "cross", "self_attention": "decoder"}.get(last, "encoder")


def attention_modules(model: nn.Module) -> dict[str, nn.Module]:
    """Modules that can show their attention map, by path: the innermost with ``returns_map``."""
    showing = {
        name: module
        for name, module in model.named_modules()
        if getattr(type(module), "returns_map", False)
    }
    return {
        name: module
        for name, module in showing.items()
        if not any(inner is not module and inner in showing.values() for inner in module.modules())
    }


@contextmanager
def record_attention(model: nn.Module) -> Iterator[AttentionRecord]:
    """Collect the attention maps of all layers while a model runs, without changing its outputs.

    A module takes part if its class has ``returns_map = True``: a keyword ``return_map``, and a
    pair (output, map) as result. Such modules are told to show their map, whoever calls them; a
    caller that did not ask gets None in its place, as always. Showing a map rules out fused
    attention, so outputs are the same up to rounding, and slower.

    Args:
        model: Any module.

    Yields:
        The record; call its ``clear`` between batches.

    Raises:
        ValueError: If no module of the model can show its attention.
    """
    modules = attention_modules(model)
    if not modules:
        raise ValueError(
            f"no module of {type(model).__name__} can show its attention map; detectors with "
            "queries (DAB-DETR, TadTR, Self-DETR, SP-TAD) can"
        )
    record = AttentionRecord()
    counts = dict.fromkeys(KINDS, 0)
    handles = []
    try:
        for name, module in modules.items():
            kind = attention_kind(name)
            listener = _Listener(record, name, kind, counts[kind], module)
            counts[kind] += 1
            handles.append(module.register_forward_pre_hook(listener.before, with_kwargs=True))
            # Of two records at a time, the inner one hands the map on to the outer one.
            handles.append(module.register_forward_hook(listener.after, prepend=True))
        yield record
    finally:
        for handle in handles:
            handle.remove()


class _Listener:
    """The two hooks of one module; what it notes before a call serves after it."""

    def __init__(
        self, record: AttentionRecord, name: str, kind: str, layer: int, module: nn.Module
    ) -> None:
        self.record, self.name, self.kind, self.layer = record, name, kind, layer
        self.signature = inspect.signature(module.forward)
        self.asked, self.mask = False, None

    def before(self, module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict]:
        """Ask for the map."""
        call = self.signature.bind(*args, **kwargs)
        self.asked = bool(call.arguments.get("return_map", False))
        self.mask = call.arguments.get("mask")
        call.arguments["return_map"] = True
        return call.args, call.kwargs

    def after(self, module: nn.Module, args: tuple, output: tuple) -> tuple:
        """Keep the map."""
        result, weights = output
        self.record.maps.append(
            RecordedMap(self.name, self.kind, self.layer, weights.detach(), self.mask)
        )
        return result, weights if self.asked else None
