import math

import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers import DeformableAttention


def attention(**options):
    torch.manual_seed(0)
    module = DeformableAttention(16, num_heads=4, num_points=4, **options).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module


def inputs(queries=5, steps=12, valid=(12, 9)):
    torch.manual_seed(1)
    query = torch.randn(2, queries, 16, dtype=torch.float64)
    value = torch.randn(2, steps, 16, dtype=torch.float64)
    mask = torch.arange(steps) < torch.tensor(valid)[:, None]
    references = torch.rand(2, queries, 2, dtype=torch.float64) * 0.5 + 0.1
    return query, references, value, mask


def by_loop(module, query, references, value, mask):
    """The definition, sample by sample, query by query, head by head, point by point."""
    out = torch.zeros_like(query)
    for b in range(len(query)):
        valid = int(mask[b].sum())
        values = module.value_proj(value[b, :valid]).view(valid, 4, 4)
        for q in range(query.shape[1]):
            offsets = module.offset_proj(query[b, q]).view(4, 4)
            weights = module.weight_proj(query[b, q]).view(4, 4).softmax(-1)
            heads = torch.zeros(4, 4, dtype=query.dtype)
            for head in range(4):
                for point in range(4):
                    place = references[b, q, 0]
                    if references.shape[-1] == 1:
                        place = place + offsets[head, point] / valid
                    else:
                        place = place + offsets[head, point] / 4 * references[b, q, 1] / 2
                    position = place.item() * valid - 0.5
                    for step in range(valid):
                        share = max(0.0, 1 - abs(position - step))
                        heads[head] += weights[head, point] * share * values[step, head]
            out[b, q] = module.out_proj(heads.flatten())
    return out


@torch.no_grad()
@pytest.mark.parametrize("size", [1, 2])
def test_is_the_definition(size):
    module, (query, references, value, mask) = attention(), inputs()
    out, _ = module(query, references[..., :size], value, mask)
    assert_close(out, by_loop(module, query, references[..., :size], value, mask))


def test_start_looks_around_whatever_the_query_holds():
    """In turns heads look ahead, at the reference, behind and at it again; by 1 to 4 steps."""
    torch.manual_seed(0)
    module = DeformableAttention(16, num_heads=8, num_points=4)
    pattern = torch.outer(torch.tensor([1.0, 0, -1, 0, 1, 0, -1, 0]), torch.arange(1.0, 5))
    assert_close(module.offset_proj.bias.view(8, 4), pattern, rtol=0, atol=1e-5)
    references = torch.full((2, 3, 1), 0.5)
    places, weights, _ = module.places(torch.randn(2, 3, 16), references, None, 20)
    assert_close(places, (0.5 + pattern / 20).expand(2, 3, 8, 4))
    assert_close(weights, torch.full((2, 3, 8, 4), 0.25))
    # The steps on which the places fall do not depend on the length of the sequence.
    longer, _, _ = module.places(torch.randn(2, 3, 16), references, None, 60)
    assert_close((longer - 0.5) * 60, (places - 0.5) * 20, rtol=0, atol=1e-5)


def test_reference_with_a_width_scales_with_it():
    module, (query, references, _, mask) = attention(), inputs()
    wide = references * torch.tensor([1.0, 2.0])
    centre = references[..., :1, None] * mask.sum(1)[:, None, None, None] / 12
    narrow_places, wide_places = (
        module.places(query, seen, mask, 12)[0] for seen in (references, wide)
    )
    assert_close(wide_places - centre, 2 * (narrow_places - centre))
    # The 4 places of the start reach from the centre to the end of the segment.
    start = DeformableAttention(16, num_heads=8).double()
    places, _, _ = start.places(query, references, None, 12)
    ends = references[..., 0] + references[..., 1] / 2
    assert_close(places[:, :, 0, 3], ends, rtol=0, atol=1e-6)


def test_padding_never_matters():
    module, (query, references, value, mask) = attention(), inputs()
    out, read = module(query, references, value, mask, return_map=True)
    value = torch.where(mask[..., None], value, torch.nan)
    assert_close(module(query, references, value, mask)[0], out, rtol=0, atol=0)
    longer = torch.cat([value, value[:, :7] * torch.nan], dim=1)
    mask = torch.cat([mask, mask[:, :7] & False], dim=1)
    again, read_again = module(query, references, longer, mask, return_map=True)
    assert_close(again, out)
    assert_close(read_again[..., :12], read)
    assert (read_again[..., 12:] == 0).all() and (read[1, ..., 9:] == 0).all()


def test_map():
    module, (query, references, value, mask) = attention(), inputs()
    references = references * 0.2 + torch.tensor([0.4, 0.0])
    out, read = module(query, references, value, mask, return_map=True)
    assert read.shape == (2, 4, 5, 12)
    assert_close(read.sum(-1), torch.ones(2, 4, 5, dtype=torch.float64))
    values = module.value_proj(value).unflatten(-1, (4, 4))
    # Nothing lies outside here, so that the map is what was read.
    heads = torch.einsum("bhqt,bthd->bqhd", read, values)
    assert_close(module.out_proj(heads.flatten(2)), out)


def test_map_of_what_lies_outside():
    """It counts for the border, so that rows sum to 1 and gradients stay finite."""
    module, (query, references, value, mask) = attention(), inputs()
    for shift in (-3.0, 3.0):
        outside = (references + torch.tensor([shift, 0.0])).requires_grad_()
        out, read = module(query, outside, value, mask, return_map=True)
        assert_close(out, module.out_proj.bias.expand_as(out))
        border = read[..., 0] if shift < 0 else torch.stack([read[0, ..., 11], read[1, ..., 8]])
        assert_close(border, torch.ones(2, 4, 5, dtype=torch.float64))
        (out.sum() + read.square().sum()).backward()
        assert outside.grad.isfinite().all()


def test_no_valid_step():
    module, (query, references, value, mask) = attention(), inputs(valid=(12, 0))
    out, read = module(query, references, value * torch.nan, mask & False, return_map=True)
    assert out.isfinite().all() and read.isfinite().all()


def test_half_of_what_is_read_counts_in_opentad():
    ours, theirs = attention(), attention(preset="opentad")
    theirs.load_state_dict(ours.state_dict())
    query, references, value, mask = inputs()
    bias = ours.out_proj.bias
    out, halved = (module(query, references, value, mask)[0] for module in (ours, theirs))
    assert_close(halved - bias, (out - bias) / 2)


def test_under_autocast():
    module, (query, references, value, mask) = attention().float(), inputs()
    arguments = (query.float(), references.float(), value.float(), mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out, read = module(*arguments, return_map=True)
    assert read.dtype == torch.float32 and out.isfinite().all()
    assert_close(out.float(), module(*arguments)[0], rtol=0.1, atol=0.2)


def test_diverged_queries_show():
    module, (query, references, value, mask) = attention(), inputs()
    query[0, 0, 0] = math.nan
    out, _ = module(query, references, value, mask)
    assert out[0, 0].isnan().all() and out[0, 1:].isfinite().all() and out[1].isfinite().all()


def test_bad_input():
    with pytest.raises(ValueError, match="3 heads do not divide a width of 16"):
        DeformableAttention(16, num_heads=3)
    module, (query, _, value, mask) = attention(), inputs()
    with pytest.raises(ValueError, match=r"references are \[B, Q, 1\] or \[B, Q, 2\], got"):
        module(query, torch.zeros(2, 5, 3), value, mask)
