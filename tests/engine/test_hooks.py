"""What the hooks tell the data sets."""

from types import SimpleNamespace

import pytest
from torch.utils.data import ConcatDataset, Dataset

from mmtad.engine.hooks import SeedHook


class Clock(Dataset):
    told = None

    def __len__(self) -> int:
        return 3

    def set_epoch(self, epoch: int, seed: int) -> None:
        self.told = (epoch, seed)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: inner[0],
        ConcatDataset,
        lambda inner: SimpleNamespace(dataset=ConcatDataset(inner)),  # as RepeatDataset
    ],
)
def test_epoch_reaches_wrapped_data_sets(wrap):
    inner = [Clock(), Clock()]
    wrapped = wrap(inner)
    loader = SimpleNamespace(dataset=wrapped, sampler=object())
    runner = SimpleNamespace(train_dataloader=loader, epoch=4, seed=7, _randomness_cfg={})
    SeedHook().before_train_epoch(runner)
    expected = inner[:1] if wrapped is inner[0] else inner
    assert all(data.told == (4, 7) for data in expected)
