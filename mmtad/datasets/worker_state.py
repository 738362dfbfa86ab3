"""What the processes of a data loader know in common: the epoch, and which videos are unreadable.

All of it lives in shared memory, so workers that persist over epochs see changes too.
"""

import numpy as np
import torch


class SampleClock:
    """Makes the random generators of samples.

    A generator depends on (seed, epoch, how often the item was asked for in this epoch, item) and
    on nothing else: not on the worker, the order of items or the global generators. Two runs of one
    seed are equal, epochs differ, and a run resumed at an epoch boundary goes on as if it had never
    stopped, provided that :meth:`set_epoch` is called before each epoch. Without these calls epochs
    still differ, because requests are counted.

    Args:
        items: Number of items.
        seed: Base seed. None takes the seed of PyTorch's global generator at construction, and
            again at every :meth:`set_epoch`.
    """

    def __init__(self, items: int, seed: int | None = None):
        self._fixed = seed is not None
        self._now = torch.tensor([0, _entropy(seed)]).share_memory_()
        self._requests = torch.zeros(items, dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int, seed: int | None = None) -> None:
        """Start an epoch; call it in the main process before the loader is iterated.

        Args:
            epoch: Number of the epoch.
            seed: Base seed of the run, unless one was given at construction.
        """
        self._now[0] = epoch
        if not self._fixed:
            self._now[1] = _entropy(seed)
        self._requests.zero_()

    def tick(self, index: int) -> list[int]:
        """Count a request for an item and return the entropy for its generator."""
        epoch, seed = self._now.tolist()
        request = int(self._requests[index])
        self._requests[index] += 1
        return [seed, epoch, request, index]


def _entropy(seed: int | None) -> int:
    """A seed in the range that int64 and numpy take."""
    return (torch.initial_seed() if seed is None else seed) & (2**62 - 1)


class SharedFlags:
    """One flag per video that any process may raise."""

    def __init__(self, size: int):
        self._flags = torch.zeros(size, dtype=torch.uint8).share_memory_()

    def __getitem__(self, index: int) -> bool:
        return bool(self._flags[index])

    def __len__(self) -> int:
        return len(self._flags)

    def first(self, index: int) -> bool:
        """Raise a flag; True if it was not raised before."""
        new = not self._flags[index]
        self._flags[index] = 1
        return new

    def raised(self) -> list[int]:
        """Indices of the raised flags."""
        return np.flatnonzero(self._flags.numpy()).tolist()
