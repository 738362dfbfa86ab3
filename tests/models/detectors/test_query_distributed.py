"""Two processes with half a batch each train a query-based detector as one with all of it does."""

import os

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.structures import InstanceData
from torch.nn.parallel import DistributedDataParallel

from mmtad.registry import MODELS
from mmtad.structures import TADDataSample

# Windows of one batch: three actions, none, one and two.
ACTIONS = [[(1, 5), (2, 9), (7, 12)], [], [(0, 12)], [(3, 6), (6, 10)]]


def make_batch():
    samples = []
    for actions in ACTIONS:
        sample = TADDataSample()
        segments = torch.tensor(actions).float().reshape(-1, 2)
        labels = torch.arange(len(segments)) % 3
        sample.gt_instances = InstanceData(segments=segments, labels=labels)
        samples.append(sample)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(len(ACTIONS), 6, 12, generator=generator, dtype=torch.float64)
    return x, torch.arange(12) < torch.tensor([[12], [12], [9], [12]]), samples


def make_model(config):
    torch.manual_seed(0)
    return MODELS.build(config).double().train()


def gradients(model, x, mask, samples):
    losses = model(x, mask, samples, mode="loss")
    sum(value for key, value in losses.items() if "loss" in key).backward()
    return losses


def _train(rank, store, configs, results):
    """Half the windows: the first process has three of the six actions, all in one of them."""
    dist.init_process_group("gloo", f"file://{store}", rank=rank, world_size=2)
    torch.set_num_threads(1)
    half = slice(0, 2) if rank == 0 else slice(2, 4)
    x, mask, samples = make_batch()
    for config, result in zip(configs, results, strict=True):
        model = make_model(config)
        parallel = DistributedDataParallel(model, find_unused_parameters=False)
        losses = gradients(parallel, x[half], mask[half], samples[half])
        result[rank] = flatten(losses, model)
    dist.barrier()
    os._exit(0)  # tearing gloo down under DDP can wait for ever for a peer that is gone


def flatten(losses, model):
    values = [losses[key].detach().reshape(1) for key in sorted(losses)]
    return torch.cat([*values, *(p.grad.flatten() for p in model.parameters())])


def test_losses_and_gradients_are_those_of_the_whole_batch(query_config, tmp_path):
    configs = [query_config(kind) for kind in ("dab-detr", "tadtr", "sp-tad")]
    expected, counts = [], []
    for config in configs:
        model = make_model(config)
        losses = gradients(model, *make_batch())
        counts.append(len(losses))
        expected.append(flatten(losses, model))
    results = [torch.zeros(2, len(values)).double().share_memory_() for values in expected]
    mp.spawn(_train, (tmp_path / "store", configs, results), nprocs=2)
    for values, (one, two), count in zip(expected, results, counts, strict=True):
        torch.testing.assert_close((one + two)[:count] / 2, values[:count])
        torch.testing.assert_close(one[count:], values[count:])
        torch.testing.assert_close(two[count:], values[count:])
        assert not torch.allclose(one[:count], two[:count])
