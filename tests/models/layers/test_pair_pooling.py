import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers import halve, pool_mask, step_ratio


def mask_of(*valid, length):
    return torch.arange(length)[None] < torch.tensor(valid)[:, None]


def test_by_hand():
    x = torch.tensor([[[1.0, 3.0, -5.0, 7.0, torch.nan]]])
    for mode, expected in (("mean", [2.0, -5.0, 0.0]), ("max", [3.0, -5.0, 0.0])):
        pooled, mask = halve(x, mask_of(3, length=5), mode)
        assert pooled[0, 0].tolist() == expected
        assert mask[0].tolist() == [True, True, False]


@pytest.mark.parametrize("mode", ["mean", "max"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e30])
def test_padding_is_never_seen(mode, value):
    torch.manual_seed(0)
    x = torch.randn(2, 3, 11)
    clean, _ = halve(x, mask_of(11, 11, length=11), mode)
    padded = torch.full((2, 3, 16), value)
    padded[..., :11] = x
    pooled, mask = halve(padded, mask_of(11, 11, length=16), mode)
    assert mask.sum(1).tolist() == [6, 6]
    assert_close(pooled[..., :6], clean, rtol=0, atol=0)
    assert not pooled[..., 6:].any()


@pytest.mark.parametrize("mode", ["mean", "max"])
def test_without_a_valid_step(mode):
    x = torch.full((1, 2, 4), torch.nan, requires_grad=True)
    pooled, mask = halve(x, mask_of(0, length=4), mode)
    assert not pooled.any() and not mask.any()
    pooled.sum().backward()
    assert not x.grad.any()


def test_a_longer_step_is_valid_if_any_of_its_parts_is():
    mask = mask_of(0, 1, 8, 9, 16, length=16)
    assert pool_mask(mask, 16) is mask
    assert pool_mask(mask, 8).sum(1).tolist() == [0, 1, 4, 5, 8]
    assert pool_mask(mask, 2).sum(1).tolist() == [0, 1, 1, 2, 2]
    finer = pool_mask(mask_of(3, length=4), 16)
    assert finer[0].sum() == 12 and finer.dtype == torch.bool
    scattered = torch.tensor([[False, True, False, False]])
    assert pool_mask(scattered, 2).tolist() == [[True, False]]


def test_a_stride_that_does_not_divide():
    """25 steps in pairs are 13, of which 24 valid ones fill 12, as without the 25th."""
    assert pool_mask(mask_of(24, length=25), 13).sum() == 12
    assert pool_mask(mask_of(25, length=25), 13).sum() == 13
    assert (step_ratio(25, 13), step_ratio(24, 12), step_ratio(21, 7)) == (2.0, 2.0, 3.0)
    assert (step_ratio(25, 4), step_ratio(27, 4), step_ratio(256, 32)) == (8.0, 8.0, 8.0)
    assert (step_ratio(8, 8), step_ratio(8, 32), step_ratio(12, 8)) == (1.0, 0.25, 1.5)
