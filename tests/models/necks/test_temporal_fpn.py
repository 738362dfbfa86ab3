import pytest
import torch
from torch.testing import assert_close

from mmtad.models.necks import FPN1D, FPNIdentity

NECKS = [
    lambda **kwargs: FPNIdentity(8, 3, **kwargs),
    lambda **kwargs: FPN1D(8, 8, 3, **kwargs),
]


def pyramid(total, valid):
    generator = torch.Generator().manual_seed(0)
    features, masks = [], []
    for level in range(3):
        steps, length = -(-valid // 2**level), -(-total // 2**level)
        x = torch.zeros(1, 8, length, dtype=torch.float64)
        x[..., :steps] = torch.randn(1, 8, steps, generator=generator, dtype=torch.float64)
        features.append(x)
        masks.append(torch.arange(length)[None] < steps)
    return features, masks


@pytest.mark.parametrize("make", NECKS)
def test_padding_never_reaches_a_valid_step(make):
    torch.manual_seed(0)
    neck = make().double()
    for parameter in neck.parameters():
        torch.nn.init.normal_(parameter)
    alone, _ = neck(*pyramid(13, 13))
    padded, masks = neck(*pyramid(20, 13))
    for a, b, mask in zip(alone, padded, masks, strict=True):
        assert_close(b[..., : a.shape[-1]], a)
        assert (b.transpose(1, 2)[~mask] == 0).all()


@pytest.mark.parametrize("make", NECKS)
def test_public_presets_leave_the_bias_in_the_padding(make):
    neck = make(preset="official").double()
    for norm in neck.norms:
        torch.nn.init.ones_(norm.bias)
    features, masks = neck(*pyramid(20, 13))
    assert (features[0].transpose(1, 2)[~masks[0]] == 1).all()


@pytest.mark.parametrize("make", NECKS)
def test_wrong_number_of_levels(make):
    features, masks = pyramid(8, 8)
    with pytest.raises(ValueError, match="3 levels, got 2"):
        make().double()(features[:2], masks[:2])


def test_lateral_widths():
    neck = FPN1D([4, 8, 16], 8, 3)
    assert [conv.in_channels for conv in neck.lateral_convs] == [4, 8, 16]
