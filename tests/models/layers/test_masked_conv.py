import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers import (
    ChannelLayerNorm,
    MaskedConv1d,
    MaskedConvUnit,
    MaskedMaxPool1d,
    downsample_mask,
    fill_padding,
    zero_padding,
)


def test_downsampled_mask_has_the_length_of_a_strided_convolution():
    for length in range(1, 9):
        x = torch.zeros(1, 2, length)
        mask = torch.ones(1, length, dtype=torch.bool)
        conv = MaskedConv1d(2, 2, 3, stride=2)
        assert conv(x, mask).shape[-1] == downsample_mask(mask, 2).shape[1]
        assert MaskedMaxPool1d(2)(x, mask).shape[-1] == downsample_mask(mask, 2).shape[1]


def test_an_even_kernel_is_named():
    with pytest.raises(ValueError, match="odd, got kernel_size=4"):
        MaskedConv1d(2, 2, 4)


def test_fill_padding_removes_nan():
    x = torch.full((1, 2, 3), torch.nan)
    assert (fill_padding(x, torch.zeros(1, 3, dtype=torch.bool)) == 0).all()


def test_zero_padding_keeps_the_layout():
    x = torch.randn(2, 5, 3).transpose(1, 2)
    mask = torch.ones(2, 5, dtype=torch.bool)
    assert zero_padding(x, mask).stride() == x.stride()


def test_channel_layer_norm_normalises_every_step():
    out = ChannelLayerNorm(16)(torch.randn(2, 16, 5) * 3 + 1)
    assert out.shape == (2, 16, 5)
    assert_close(out.mean(1), torch.zeros(2, 5), atol=1e-5, rtol=0)


def test_unit_without_remask_leaks_the_bias_of_the_norm():
    x, mask = torch.randn(1, 4, 6), torch.tensor([[True] * 4 + [False] * 2])
    for remask in (True, False):
        unit = MaskedConvUnit(4, 4, remask=remask)
        torch.nn.init.ones_(unit.norm.bias)
        assert bool((unit(x, mask)[..., 4:] == 0).all()) is remask


def test_pool_by_hand():
    x = torch.tensor([[[-3.0, -1.0, -2.0, -5.0, -4.0]]])
    mask = torch.tensor([[True, True, True, False, False]])
    assert_close(MaskedMaxPool1d(2)(x, mask), torch.tensor([[[-1.0, -1.0, 0.0]]]))
    # As in the public code, where the padding holds zeros that win over negative values.
    pooled = MaskedMaxPool1d(2, skip_padding=False)(zero_padding(x, mask), mask)
    assert_close(pooled, torch.tensor([[[-1.0, 0.0, 0.0]]]))
