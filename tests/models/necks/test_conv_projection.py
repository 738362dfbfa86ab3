import pytest
import torch
from torch.testing import assert_close

from mmtad.models.necks import ConvProjection, GCNeXtNeck


def padded(channels=8, lengths=(10, 6), total=12):
    torch.manual_seed(1)
    mask = torch.arange(total) < torch.tensor(lengths)[:, None]
    x = torch.randn(len(lengths), channels, total)
    return x.masked_fill(~mask[:, None], torch.nan), mask


@pytest.mark.parametrize("neck", [None, GCNeXtNeck(16, groups=4)])
def test_padding_may_hold_anything(neck):
    torch.manual_seed(0)
    projection = ConvProjection(8, 16)
    torch.nn.init.normal_(projection.convs[0].bias)
    x, mask = padded()

    def run(x, mask):
        features, masks = projection(x, mask)
        return neck(features, masks) if neck else (features, masks)

    (out,), (out_mask,) = run(x, mask)
    assert out.shape == (2, 16, 12) and torch.equal(out_mask, mask)
    assert not out[~mask[:, None].expand_as(out)].any()
    for index, length in enumerate((10, 6)):
        (alone,), _ = run(x[index : index + 1, :, :length], mask[index : index + 1, :length])
        assert_close(out[index : index + 1, :, :length], alone)


def test_neck_of_several_levels():
    neck = GCNeXtNeck(8, num_levels=2, groups=4)
    masks = [torch.ones(1, n, dtype=torch.bool) for n in (8, 4)]
    out, _ = neck([torch.randn(1, 8, 8), torch.randn(1, 8, 4)], masks)
    assert [x.shape[-1] for x in out] == [8, 4]
    with pytest.raises(ValueError, match="2 levels, got 1"):
        neck([torch.zeros(1, 8, 8)], masks[:1])


def test_wrong_configs_are_named():
    with pytest.raises(ValueError, match="at least one convolution, got 0"):
        ConvProjection(8, num_convs=0)
    with pytest.raises(ValueError, match="10 and 256 channels must be multiples of groups=4"):
        ConvProjection(10)
