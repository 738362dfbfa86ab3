"""Fixtures shared by the tests of necks and projections."""

import pytest
import torch
from torch.testing import assert_close


@pytest.fixture
def randomise():
    """``randomise(module)``: norms, biases and scales get values with which a leak would show."""

    def fill(module):
        torch.manual_seed(0)
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        return module.eval()

    return fill


@pytest.fixture
def padding_changes_nothing(randomise):
    """``padding_changes_nothing(projection)`` of 6 channels: neither its values nor its amount."""

    def check(projection):
        projection = randomise(projection).double()
        x = torch.randn(1, 6, 21, dtype=torch.float64)
        alone, masks = projection(x, torch.ones(1, 21, dtype=torch.bool))
        for total in (22, 37, 64):
            padded = torch.full((1, 6, total), torch.nan, dtype=torch.float64)
            padded[..., :21] = x
            out, out_masks = projection(padded, torch.arange(total)[None] < 21)
            for a, b, mask, out_mask in zip(alone, out, masks, out_masks, strict=True):
                assert mask.all() and int(out_mask.sum()) == mask.shape[1]
                assert_close(b[..., : a.shape[-1]], a)
                assert (b[..., a.shape[-1] :] == 0).all()

    return check
