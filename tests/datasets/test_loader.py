"""The dataset in a loader with worker processes, as MMEngine's Runner builds it."""

import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.runner import Runner


@pytest.fixture
def epochs(videos, database, train_pipeline):
    """Function that iterates two epochs and returns their batches."""

    def run(seed, persistent, shuffle_seed=0, epochs=(0, 1), tell=True):
        config = dict(
            batch_size=2,
            num_workers=2,
            persistent_workers=persistent,
            sampler=dict(type="DefaultSampler", shuffle=True),
            dataset=dict(
                type="TADDataset",
                database=database,
                data_prefix=dict(video=str(videos)),
                window_size=16,
                seed=seed,
                pipeline=train_pipeline,
            ),
        )
        with DefaultScope.overwrite_default_scope("mmtad"):
            loader = Runner.build_dataloader(config, seed=shuffle_seed)
        batches = []
        for epoch in epochs:
            loader.sampler.set_epoch(epoch)
            if tell:
                loader.dataset.set_epoch(epoch)
            batches.append(list(loader))
        return batches

    return run


def flatten(epoch):
    frames = torch.cat([torch.stack(batch["inputs"]) for batch in epoch])
    segments = [sample.gt_instances.segments for batch in epoch for sample in batch["data_samples"]]
    return frames, torch.cat(segments)


def equal(first, second):
    pairs = zip(flatten(first), flatten(second), strict=True)
    return all(a.shape == b.shape and torch.equal(a, b) for a, b in pairs)


def test_epochs_of_one_seed_are_equal(epochs):
    torch.manual_seed(0)
    first = epochs(seed=0, persistent=True)
    torch.manual_seed(1)  # the loader draws a seed for its workers from the global generator
    second = epochs(seed=0, persistent=False)
    assert flatten(first[0])[0].shape == (3, 3, 16, 32, 32)
    assert all(equal(a, b) for a, b in zip(first, second, strict=True))
    assert not equal(first[0], first[1])
    assert not equal(first[0], epochs(seed=1, persistent=False, epochs=(0,))[0])
    # resumed after the first epoch
    assert equal(first[1], epochs(seed=0, persistent=True, epochs=(1,))[0])


def test_epochs_differ_without_being_told(epochs):
    first = epochs(seed=0, persistent=True, epochs=(0, 0), tell=False)
    assert not equal(*first)
