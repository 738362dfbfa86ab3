"""Every tensor storage of a run: when it was allocated and freed, what for, and the peak."""

import weakref
from collections import Counter
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

TEMPORARY = "temporary"


@dataclass(slots=True)
class Storage:
    """One storage.

    Attributes:
        size: Bytes.
        born: Time of its allocation, counted in allocations and releases.
        place: Phase of the run and module in which it was allocated.
        kind: What it is for.
        died: Time of its release; None while it lives.
    """

    size: int
    born: int
    place: tuple[str, str]
    kind: str = TEMPORARY
    died: int | None = None


@dataclass
class Peak:
    """The moment at which most bytes were live.

    Attributes:
        total: Bytes.
        place: Phase of the run and module.
        kinds: Bytes of each kind; they add up to ``total``.
    """

    total: int = 0
    place: tuple[str, str] = ("", "")
    kinds: Counter = field(default_factory=Counter)


class StorageLog(TorchDispatchMode):
    """Records the storage of every tensor that an operator returns.

    Views share the storage of their base. Values that an optimiser reads from its step counters are
    answered with 1, since fake tensors have none.

    Attributes:
        phase: Name of the present part of the run, to be set by the user.
        module: Name of the module that is running, likewise.
    """

    def __init__(self) -> None:
        super().__init__()
        self.storages: list[Storage] = []
        self.phase = self.module = ""
        self.scalars_are_one = False
        self._time = 0
        self._known: dict[int, Storage] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if self.scalars_are_one and func is torch.ops.aten._local_scalar_dense.default:
            return 1.0
        out = func(*args, **(kwargs or {}))
        for leaf in (out,) if isinstance(out, Tensor) else tree_leaves(out):
            if isinstance(leaf, Tensor):
                self.find(leaf)
        return out

    def find(self, tensor: Tensor) -> Storage:
        """The record of a tensor's storage; a new one if it is seen for the first time."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._known:
            self._time += 1
            record = Storage(storage.nbytes(), self._time, (self.phase, self.module))
            self.storages.append(record)
            self._known[key] = record
            weakref.finalize(storage, self._free, key)
        return self._known[key]

    def tag(self, tensors, kind: str, always: bool = False) -> int:
        """Say what tensors are for.

        Args:
            tensors: Tensors in any nesting of lists, tuples and dicts.
            kind: What they are for.
            always: They live during the whole run, whenever they were first seen.

        Returns:
            Bytes of their storages, each counted once.
        """
        records = {
            id(record): record
            for record in (self.find(t) for t in tree_leaves(tensors) if isinstance(t, Tensor))
        }
        for record in records.values():
            record.kind = kind
            if always:
                record.born = 0
        return sum(record.size for record in records.values())

    def tag_rest(self, kind: str) -> int:
        """Say what everything is for that lives now and has no kind yet; returns its bytes."""
        rest = [s for s in self._known.values() if s.kind == TEMPORARY]
        for record in rest:
            record.kind = kind
        return sum(record.size for record in rest)

    def peak(self) -> Peak:
        """Find the moment with the most live bytes."""
        events: list[tuple[int, int, Storage]] = []
        live = 0
        for storage in self.storages:
            if storage.born == 0:
                live += storage.size
            else:
                events.append((storage.born, storage.size, storage))
            if storage.died is not None:
                events.append((storage.died, -storage.size, storage))
        peak, moment = Peak(live), 0
        for time, change, storage in sorted(events, key=lambda event: event[0]):
            live += change
            if live > peak.total:
                peak.total, peak.place, moment = live, storage.place, time
        for storage in self.storages:
            if storage.born <= moment and (storage.died is None or storage.died > moment):
                peak.kinds[storage.kind] += storage.size
        return peak

    def _free(self, key: int) -> None:
        self._time += 1
        self._known.pop(key).died = self._time
