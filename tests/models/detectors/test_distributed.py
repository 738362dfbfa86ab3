import os

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.structures import InstanceData
from torch.nn.parallel import DistributedDataParallel

from mmtad.registry import MODELS
from mmtad.structures import TADDataSample


def _train(rank, store, results):
    """Two steps on two processes; the second process never sees an action."""
    dist.init_process_group("gloo", f"file://{store}", rank=rank, world_size=2)
    torch.set_num_threads(1)
    torch.manual_seed(rank)
    points = dict(strides=(1, 2), regression_ranges=((0, 4), (4, 10000)))
    model = MODELS.build(
        dict(
            type="TADDetector",
            projection=dict(
                type="ConvTransformerProjection",
                in_channels=4,
                out_channels=8,
                arch=(1, 1, 1),
                num_heads=2,
                window=3,
            ),
            neck=dict(type="FPNIdentity", channels=8, num_levels=2),
            head=dict(
                type="ActionFormerHead",
                num_classes=2,
                in_channels=8,
                feat_channels=8,
                point_generator=dict(type="PointGenerator", **points),
            ),
        )
    )
    parallel = DistributedDataParallel(model, find_unused_parameters=False)
    sample = TADDataSample()
    segments = torch.tensor([[2.0, 6.0]])[: 1 - rank]
    sample.gt_instances = InstanceData(segments=segments, labels=torch.zeros(len(segments)).long())
    x, mask = torch.randn(1, 4, 12), torch.ones(1, 12, dtype=torch.bool)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        sum(parallel(x, mask, [sample], mode="loss").values()).backward()
        optimizer.step()
    weights = torch.cat([p.detach().flatten() for p in model.parameters()])
    results[rank] = torch.stack([model.head.normalizer.average, weights.sum(), weights.norm()])
    dist.barrier()
    os._exit(0)  # tearing gloo down under DDP can wait for ever for a peer that is gone


def test_two_processes_stay_equal(tmp_path):
    results = torch.zeros(2, 3).share_memory_()
    mp.spawn(_train, (tmp_path / "store", results), nprocs=2)
    assert results.isfinite().all() and (results[0] == results[1]).all()
    # Points 3, 4 and 5 of the first process and none of the second: 1.5 on average.
    average = 0.9 * (0.9 * 100 + 0.1 * 1.5) + 0.1 * 1.5
    assert float(results[0, 0]) == pytest.approx(average)
