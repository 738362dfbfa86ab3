import math

import pytest
import torch
from torch.testing import assert_close

from mmtad.ops.attention_guidance import (
    aggregate_decoder,
    aggregate_encoder,
    decoder_guidance,
    encoder_guidance,
    normalize_rows,
    restrict_map,
    row_divergence,
)


def maps(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator).mul(3).softmax(-1)


def test_decoder_guidance_by_hand():
    cross = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    # Products: [[1, .5, 0], [.5, .5, 0], [0, 0, 1]]; roots; rows to a sum of 1.
    root = math.sqrt(0.5)
    first = 1 + root
    expected = [[1 / first, root / first, 0], [0.5, 0.5, 0], [0, 0, 1]]
    assert_close(decoder_guidance(cross), torch.tensor(expected))


def test_encoder_guidance_by_hand():
    cross = torch.tensor([[[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]])
    # Products of columns: [[1.25, .25, 0], [.25, .25, 0], [0, 0, 0]]: no query looks at step 2.
    first = math.sqrt(1.25) + 0.5
    expected = [[math.sqrt(1.25) / first, 0.5 / first, 0], [0.5, 0.5, 0], [0, 0, 0]]
    assert_close(encoder_guidance(cross), torch.tensor([expected]))


@pytest.mark.parametrize("guide", [decoder_guidance, encoder_guidance])
def test_guidance_is_the_explicit_sum(guide):
    cross = maps(2, 5, 7)
    mine = guide(cross)
    rows = cross if guide is decoder_guidance else cross.mT
    for b in range(2):
        for i, one in enumerate(rows[b]):
            raw = [
                math.sqrt(sum(float(x * y) for x, y in zip(one, o, strict=True))) for o in rows[b]
            ]
            assert_close(mine[b, i], torch.tensor(raw) / sum(raw), rtol=1e-5, atol=1e-6)


def test_rows_sum_to_one():
    for x in (decoder_guidance(maps(3, 40, 128)), encoder_guidance(maps(3, 40, 128))):
        assert_close(x.sum(-1), torch.ones(x.shape[:-1]), rtol=0, atol=1e-5)
    # Also rows of little mass; those of less than eps are empty.
    x = normalize_rows(torch.tensor([[2e-6, 2e-6], [2e-7, 2e-7], [0.0, 0.0]]))
    assert_close(x, torch.tensor([[0.5, 0.5], [0.0, 0.0], [0.0, 0.0]]))


def test_padding_is_taken_out():
    mask = torch.tensor([[True] * 4 + [False] * 2, [True] * 6, [False] * 6])
    cross = maps(3, 2, 5, 6)
    cross[0, :, :, 4:] = float("nan")
    kept = restrict_map(cross, mask)
    assert_close(kept[0, ..., :4], cross[0, ..., :4] / cross[0, ..., :4].sum(-1, keepdim=True))
    assert (kept[0, ..., 4:] == 0).all() and (kept[2] == 0).all()
    assert_close(kept[1], cross[1])
    guidance = encoder_guidance(cross[:, 0], mask)
    assert_close(guidance[0, :4, :4], encoder_guidance(kept[:1, 0, :, :4])[0])
    assert guidance[0, 4:].eq(0).all() and guidance[0, :, 4:].eq(0).all()
    assert guidance[2].eq(0).all()
    both = restrict_map(maps(3, 6, 6), mask, mask)
    assert_close(both.sum(-1), mask.float())


def test_rows_below_one_are_scaled_up():
    dense = maps(1, 5, 6) * 0.7  # of deformable attention whose points lie outside
    assert_close(restrict_map(dense), maps(1, 5, 6))


def test_the_last_layer_stands_on_the_left():
    first, second, third = maps(3, 1, 4, 4).unbind()
    assert_close(aggregate_encoder([first, second, third]), third @ second @ first)
    assert_close(aggregate_encoder([first, second], "average"), (first + second) / 2)
    assert aggregate_encoder([first, second], "last") is second
    product = aggregate_encoder(list(maps(6, 2, 128, 128)))
    assert_close(product.sum(-1), torch.ones(2, 128), rtol=0, atol=1e-5)


def test_decoder_modes():
    layers = list(maps(3, 2, 4, 5))
    assert all(a is b for a, b in zip(aggregate_decoder(layers), layers, strict=True))
    assert aggregate_decoder(layers, "last") == [layers[-1]]
    (mean,) = aggregate_decoder(layers, "average")
    assert_close(mean, sum(layers) / 3)


@pytest.mark.parametrize("direction", ["guidance_to_map", "map_to_guidance"])
def test_divergence_is_the_explicit_sum(direction):
    attention, guidance = maps(3, 6), maps(3, 6, seed=1)
    mine = row_divergence(attention, guidance, direction)
    for row in range(3):
        total = 0.0
        for a, g in zip(attention[row].tolist(), guidance[row].tolist(), strict=True):
            p, q = (g, a) if direction == "guidance_to_map" else (a, g)
            total += p * math.log(p / q)
        assert_close(mine[row], torch.tensor(total), rtol=1e-5, atol=1e-6)


def test_divergence_of_equal_rows_is_zero_also_with_zeros():
    x = torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])
    assert_close(row_divergence(x, x), torch.zeros(2))
    miss = row_divergence(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))
    assert_close(miss, torch.tensor(-math.log(1e-8)))


def test_gradients_are_finite_at_zeros():
    cross = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]], requires_grad=True)
    target = torch.tensor([[0.6, 0.4]]).expand(1, 2, 2)
    row_divergence(target, decoder_guidance(cross)).sum().backward()
    assert cross.grad.isfinite().all()
    cross.grad = None
    row_divergence(maps(1, 3, 3), encoder_guidance(cross)).sum().backward()
    assert cross.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    cross = maps(1, 4, 6).to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mine = decoder_guidance(cross), encoder_guidance(cross), restrict_map(cross)
    assert {x.dtype for x in mine} == {torch.float32}
    assert_close(mine[0], decoder_guidance(cross.float()))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="one of matmul, average, last, got 'mean'"):
        aggregate_encoder([maps(1, 2, 2)], "mean")
    with pytest.raises(ValueError, match="one of layer, average, last, got 'matmul'"):
        aggregate_decoder([maps(1, 2, 2)], "matmul")
    with pytest.raises(ValueError, match="no attention maps of the encoder"):
        aggregate_encoder([])
    with pytest.raises(ValueError, match="direction is one of .*, got 'forward'"):
        row_divergence(maps(2, 2), maps(2, 2), "forward")
