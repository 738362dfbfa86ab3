import pickle

import numpy as np
import torch
from torch.multiprocessing import get_context

from mmtad.datasets.worker_state import SampleClock, SharedFlags


def test_entropy_names_seed_epoch_request_and_item():
    clock = SampleClock(5, seed=7)
    assert clock.tick(3) == [7, 0, 0, 3]
    assert clock.tick(3) == [7, 0, 1, 3]  # without set_epoch epochs differ all the same
    clock.set_epoch(4)
    assert clock.tick(3) == [7, 4, 0, 3]
    clock.set_epoch(4, seed=8)  # the seed given at construction stays
    assert clock.tick(0) == [7, 4, 0, 0]


def test_seed_of_the_run():
    torch.manual_seed(11)
    clock = SampleClock(2)
    assert clock.tick(0)[0] == 11
    clock.set_epoch(1, seed=12)
    assert clock.tick(0)[0] == 12
    torch.manual_seed(13)
    clock.set_epoch(2)
    assert clock.tick(0)[0] == 13
    assert SampleClock(1, seed=-5).tick(0)[0] >= 0  # numpy refuses negative entropy
    np.random.default_rng(SampleClock(1, seed=2**63 - 1).tick(0))


def _child(clock, flags, queue):
    flags.first(1)
    queue.put(clock.tick(0))


def test_processes_see_changes():
    clock, flags = SampleClock(2, seed=3), SharedFlags(3)
    context = get_context("fork")
    queue = context.Queue()
    clock.set_epoch(9)
    process = context.Process(target=_child, args=(clock, flags, queue))
    process.start()
    assert queue.get(timeout=60) == [3, 9, 0, 0]
    process.join()
    assert clock.tick(0) == [3, 9, 1, 0]
    assert flags[1] and not flags[0]


def test_flags():
    flags = SharedFlags(3)
    assert flags.first(2) and not flags.first(2)
    assert flags.raised() == [2] and len(flags) == 3
    pickle.loads(pickle.dumps(flags))
