import math

import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers.sparse_stage import REFINEMENTS, SparseStage, refine_by_deltas


def build(**kwargs):
    torch.manual_seed(0)
    options = dict(channels=8, num_heads=2, hidden_channels=12, dynamic_channels=4, soi_steps=4)
    return SparseStage(3, **(options | kwargs)).double().eval()


def inputs(batch=2, count=5, shared=False):
    torch.manual_seed(1)
    levels = [torch.randn(batch, 8, n, dtype=torch.float64) for n in (16, 8, 4, 2)]
    lengths = [x.new_full((batch,), x.shape[-1]) for x in levels]
    size = 1 if shared else batch
    states = torch.randn(size, count, 8, dtype=torch.float64)
    segments = torch.rand(size, count, 2, dtype=torch.float64) * 0.8 + 0.1
    return states, segments, levels, lengths


def test_deltas_by_hand():
    """(0.5, 0.2) moved by half of 1 widths and scaled by 3: (0.6, 0.6)."""
    segments, deltas = torch.tensor([0.5, 0.2]), torch.tensor([1.0, math.log(3)])
    assert_close(refine_by_deltas(segments, deltas), torch.tensor([0.6, 0.6]))
    assert_close(refine_by_deltas(segments, torch.zeros(2)), segments)
    largest = refine_by_deltas(torch.tensor([0.5, 1.0]), torch.tensor([0.0, 1e6]))
    assert_close(largest[1], torch.tensor(1e5 / 16))


def test_sigmoid_by_hand():
    segments = torch.tensor([0.5, 0.2])
    assert_close(REFINEMENTS["sigmoid"](segments, torch.zeros(2)), segments)
    moved = REFINEMENTS["sigmoid"](segments, torch.tensor([math.log(3), 0.0]))
    assert_close(moved, torch.tensor([0.75, 0.2]))
    whole = REFINEMENTS["sigmoid"](torch.tensor([0.5, 1.0]), torch.zeros(2))
    assert_close(whole, torch.tensor([0.5, 0.999]))
    with pytest.raises(ValueError, match="'deltas', 'sigmoid'.*'boxes'"):
        build(refinement="boxes")


@pytest.mark.parametrize("refinement", ["deltas", "sigmoid"])
def test_shared_proposals_equal_repeated_ones(refinement):
    stage = build(refinement=refinement)
    states, segments, *rest = inputs(shared=True)
    shared = stage(states, segments, *rest)
    each = stage(states.expand(2, -1, -1), segments.expand(2, -1, -1), *rest)
    assert_close(shared[:3], each[:3])
    assert shared.states.shape == (2, 5, 8)


def test_rows_of_the_map_sum_to_one():
    stage = build()
    given = inputs()
    out = stage(*given, return_map=True)
    assert out.attention_map.shape == (2, 2, 5, 5)
    assert_close(out.attention_map.sum(-1), torch.ones(2, 2, 5).to(out.attention_map))
    plain = stage(*given)
    assert plain.attention_map is None
    assert_close(plain[:3], out[:3])


def test_order_of_proposals_does_not_matter():
    stage = build()
    states, segments, *rest = inputs()
    order = torch.tensor([3, 0, 4, 1, 2])
    out = stage(states, segments, *rest)
    moved = stage(states[:, order], segments[:, order], *rest)
    for a, b in zip(out[:3], moved[:3], strict=True):
        assert_close(a[:, order], b)


def test_segments_choose_what_is_read():
    """A proposal changes with the features inside its enlarged segment on its own level only."""
    stage = build()
    states, segments, levels, lengths = inputs(batch=1, count=1)
    segments[:] = torch.tensor([0.25, 0.3])  # 0.04 to 0.46; a quarter or more: level 1
    before = stage(states, segments, levels, lengths).states
    for level, step, seen in ((1, 1, True), (1, 6, False), (0, 3, False), (2, 0, False)):
        changed = [x.clone() for x in levels]
        changed[level][..., step] += 1
        after = stage(states, segments, changed, lengths).states
        assert (not torch.equal(before, after)) == seen


def test_half_precision_refines_in_float32():
    stage = build().bfloat16()
    states, segments, levels, lengths = inputs()
    half = [x.bfloat16() for x in levels]
    out = stage(states.bfloat16(), segments.float(), half, [x.float() for x in lengths])
    assert out.segments.dtype == torch.float32 and out.class_logits.dtype == torch.bfloat16
