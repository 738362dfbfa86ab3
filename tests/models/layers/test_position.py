import math

import torch
from torch.testing import assert_close

from mmtad.models.layers import AbsolutePosition, sinusoid_table


def test_table_by_hand():
    table = sinusoid_table(3, 4)
    assert table.shape == (4, 3)
    expected = [math.sin(2), math.cos(2), math.sin(2 / 100), math.cos(2 / 100)]
    assert_close(table[:, 2], torch.tensor(expected))


def test_added_to_valid_steps_only():
    position = AbsolutePosition(4, 8)
    mask = torch.tensor([[True, True, False]])
    out = position(torch.zeros(1, 4, 3), mask)
    assert_close(out[..., :2], sinusoid_table(8, 4)[None, :, :2] / 2)
    assert (out[..., 2] == 0).all()
    assert "table" not in position.state_dict()


def test_longer_sequences_do_not_depend_on_padding():
    position = AbsolutePosition(4, 8)
    alone = position(torch.zeros(1, 4, 10), torch.ones(1, 10, dtype=torch.bool))
    mask = torch.arange(16) < torch.tensor([[10], [16], [5]])
    batch = position(torch.zeros(3, 4, 16), mask)
    assert_close(batch[:1, :, :10], alone)
    assert_close(batch[2, :, :5], sinusoid_table(8, 4)[:, :5] / 2)
    by_padded = AbsolutePosition(4, 8, by_valid_length=False)(torch.zeros(3, 4, 16), mask)
    assert not torch.allclose(by_padded[0, :, :10], alone[0])
