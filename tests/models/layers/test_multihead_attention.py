import pytest
import torch
from torch import nn
from torch.testing import assert_close

from mmtad.models.layers import MultiheadAttention, attend


def inputs(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(2, 3, 8, generator=generator, dtype=dtype)
    key, value = torch.randn(2, 2, 5, 8, generator=generator, dtype=dtype)
    mask = torch.tensor([[True] * 5, [True, True, True, False, False]])
    return query, key, value, mask


def heads(x):
    return x.unflatten(-1, (2, -1))


@pytest.mark.parametrize("masked", [True, False])
def test_with_and_without_the_map_gives_the_same(masked):
    query, key, value, mask = inputs()
    mask = mask if masked else None
    bias = torch.randn(2, 1, 3, 5, dtype=torch.float64)
    for extra in (None, bias):
        plain, nothing = attend(*map(heads, (query, key, value)), mask, bias=extra)
        shown, weights = attend(*map(heads, (query, key, value)), mask, return_map=True, bias=extra)
        assert nothing is None
        assert_close(plain, shown)
        assert_close(weights.sum(-1), torch.ones(2, 2, 3, dtype=torch.float64))
        if masked:
            assert (weights[1, :, :, 3:] == 0).all()
        assert_close(torch.einsum("bhqt,bthd->bqhd", weights, heads(value)), shown)


def test_it_is_the_attention_of_pytorch():
    query, key, value, mask = inputs()
    ours, theirs = MultiheadAttention(8, 2).double(), nn.MultiheadAttention(8, 2, batch_first=True)
    theirs.double()
    parts = (ours.query_proj, ours.key_proj, ours.value_proj)
    theirs.in_proj_weight.data = torch.cat([part.weight for part in parts])
    bias = torch.randn(24, dtype=torch.float64)
    for part, own in zip(parts, bias.chunk(3), strict=True):
        part.bias.data = own
    theirs.in_proj_bias.data = bias
    theirs.out_proj.load_state_dict(ours.out_proj.state_dict())
    expected, weights = theirs(query, key, value, ~mask, average_attn_weights=False)
    found, found_map = ours(query, key, value, mask, return_map=True)
    assert_close(found, expected)
    assert_close(found_map, weights)


def test_projections_start_as_those_of_pytorch():
    torch.manual_seed(0)
    ours, theirs = MultiheadAttention(64, 2), nn.MultiheadAttention(64, 2)
    bound = theirs.in_proj_weight.abs().max()
    for layer in (ours.query_proj, ours.key_proj, ours.value_proj):
        assert_close(layer.weight.abs().max(), bound, rtol=0.02, atol=0)
        assert not layer.bias.any()


def test_padding_and_windows_without_a_valid_step():
    query, key, value, mask = inputs()
    changed = [x.clone() for x in (key, value)]
    for x in changed:
        x[1, 3:] = 1e6
    for shown in (False, True):
        found, _ = attend(*map(heads, (query, key, value)), mask, return_map=shown)
        other, _ = attend(*map(heads, (query, *changed)), mask, return_map=shown)
        assert torch.equal(found, other)
        none, weights = attend(
            *map(heads, (query, key, value)), torch.zeros_like(mask), return_map=shown
        )
        assert none.isfinite().all() and (weights is None or weights.isfinite().all())


def test_maps_are_taken_before_dropout_and_in_full_precision():
    query, key, value, mask = inputs(torch.bfloat16)
    _, weights = attend(*map(heads, (query, key, value)), mask, 0.5, return_map=True)
    assert weights.dtype == torch.float32
    assert_close(weights.sum(-1), torch.ones(2, 2, 3))


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="3 heads do not divide a width of 8"):
        MultiheadAttention(8, 3)
