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


def test_the_input_projection_of_tadtr():
    torch.manual_seed(0)
    options = dict(num_convs=1, kernel_size=1, groups=1, activation=False, norm_groups=4)
    projection = ConvProjection(8, 16, **options)
    torch.nn.init.normal_(projection.convs[0].bias)
    torch.nn.init.normal_(projection.norms[0].bias)
    x, mask = padded()
    (out,), _ = projection(x, mask)
    for index, length in enumerate((10, 6)):
        rows = torch.nn.functional.conv1d(
            x[index : index + 1, :, :length], projection.convs[0].weight, projection.convs[0].bias
        )
        norm = projection.norms[0]
        expected = torch.nn.functional.group_norm(rows, 4, norm.weight, norm.bias)
        assert_close(out[index : index + 1, :, :length], expected)
        assert not out[index, :, length:].any()
    # Public codes: zeros of the padding are steps as the others.
    public = ConvProjection(8, 16, **options, isolate_padding=False)
    public.load_state_dict(projection.state_dict())
    zeros = x.nan_to_num(0.0)
    (found,), _ = public(x, mask)
    (expected,), _ = projection(zeros, torch.ones_like(mask))
    assert_close(found, expected)


def test_groups_of_the_norm_divide_the_channels():
    with pytest.raises(ValueError, match="norm_groups=5 must divide 16 channels"):
        ConvProjection(8, 16, norm_groups=5)
