import math

import pytest
import torch
from torch.testing import assert_close

from mmtad.ops import assign_levels, enlarge_segments, roi_align1d, soi_align

SIZES = (16, 8, 4, 2)


def pyramid(batch=2, channels=3, sizes=SIZES, dtype=torch.float64):
    torch.manual_seed(0)
    return [torch.randn(batch, channels, size, dtype=dtype) for size in sizes]


def full(levels):
    return [x.new_full((len(x),), x.shape[-1]) for x in levels]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_boundary_lengths_belong_to_the_coarser_level(dtype):
    """T to the top level, T / 2 to the next, T / 4 to the one below, what is shorter to level 0."""
    at = torch.tensor([1.0, 1 / 2, 1 / 4, 1 / 8], dtype=dtype)
    assert assign_levels(at, 4).tolist() == [3, 2, 1, 0]
    below = torch.nextafter(at.float(), torch.tensor(0.0)) if dtype == torch.bfloat16 else at
    below = below if dtype == torch.bfloat16 else torch.nextafter(at, torch.zeros_like(at))
    assert assign_levels(below, 4).tolist() == [2, 1, 0, 0]


def test_levels_are_those_of_the_formula_and_limited():
    widths = torch.rand(2000, dtype=torch.float64) * 1.5
    formula = (3 + widths.log2()).floor().clamp(0, 3).long()
    assert torch.equal(assign_levels(widths.view(50, 40), 4), formula.view(50, 40))
    extremes = torch.tensor([0.0, 1e-30, 9.0, 1e9])
    assert assign_levels(extremes, 4).tolist() == [0, 0, 3, 3]
    assert assign_levels(extremes, 1).tolist() == [0, 0, 0, 0]
    assert assign_levels(torch.zeros(2, 0), 4).shape == (2, 0)


def test_a_fifth_of_the_width_is_added_on_each_side():
    """(0.5, 0.2) is 0.4 to 0.6; a fifth of 0.2 more on each side: 0.36 to 0.64."""
    found = enlarge_segments(torch.tensor([[0.5, 0.2], [0.1, 0.5]]))
    assert_close(found, torch.tensor([[0.36, 0.64], [-0.25, 0.45]]))
    assert_close((found[:, 1] - found[:, 0]), 1.4 * torch.tensor([0.2, 0.5]))
    assert_close(enlarge_segments(torch.tensor([0.5, 0.2]), 2.0), torch.tensor([0.3, 0.7]))


def test_by_hand():
    """Half of a level of 4 steps, 2 bins of one position each: at 0.25 and 0.75 of steps 0 and 1.

    Positions 0.5 and 1.5 are the middles of steps 0 and 1; the third quarter reads steps 2 and 3.
    """
    level = torch.tensor([[[1.0, 3.0, 5.0, 9.0]]])
    lengths = [torch.tensor([4.0])]
    segments = torch.tensor([[[0.0, 0.5], [0.5, 1.0], [0.25, 0.75], [0.125, 0.625]]])
    index = torch.zeros(1, 4, dtype=torch.int64)
    found = soi_align([level], lengths, segments, index, output_size=2, sampling_ratio=1)
    expected = [[1.0, 3.0], [5.0, 9.0], [3.0, 5.0], [2.0, 4.0]]
    assert_close(found[0, :, 0], torch.tensor(expected))
    # Two positions a bin: 0.25, 0.75, 1.25, 1.75, less half a step; the first reads step 0.
    found = soi_align([level], lengths, segments[:, :1], index[:, :1], 2, sampling_ratio=2)
    assert_close(found[0, 0, 0], torch.tensor([(1 + 1.5) / 2, (2.5 + 3.5) / 2]))


@pytest.mark.parametrize("ratio", [1, 2, 3])
def test_equals_roi_align_on_each_level(ratio):
    """Where segments are longer than a step, it is RoI align of half a step to the left."""
    levels = pyramid()
    torch.manual_seed(1)
    start = torch.rand(2, 9, dtype=torch.float64) * 0.3
    segments = torch.stack([start, start + 0.5 + 0.2 * torch.rand_like(start)], dim=-1)
    index = torch.arange(9).remainder(4).expand(2, 9)
    found = soi_align(levels, full(levels), segments, index, 5, ratio)
    for level, x in enumerate(levels):
        chosen = index[0] == level
        expected = roi_align1d(x, segments[:, chosen] * x.shape[-1] - 0.5, 5, ratio)
        assert_close(found[:, chosen], expected)


def test_against_a_loop():
    levels = pyramid(batch=3)
    lengths = [torch.tensor([1.0, 0.6, 0.3]).double() * x.shape[-1] for x in levels]
    torch.manual_seed(2)
    segments = (torch.rand(3, 6, 2, dtype=torch.float64) * 1.6 - 0.3).sort(dim=-1).values
    index = torch.randint(4, (3, 6))
    found = soi_align(levels, lengths, segments, index, 4, 2)
    for b in range(3):
        for n in range(6):
            level = int(index[b, n])
            x, valid = levels[level][b], float(lengths[level][b])
            last = max(math.ceil(valid) - 1, 0)
            start, end = (min(max(float(s), 0.0), 1.0) for s in segments[b, n])
            samples = []
            for i in range(8):
                position = (start + (end - start) * (i + 0.5) / 8) * valid - 0.5
                position = min(max(position, 0.0), float(last))
                low = math.floor(position)
                high, share = min(low + 1, last), position - low
                samples.append(x[:, low] * (1 - share) + x[:, high] * share)
            bins = torch.stack(samples, -1).unflatten(-1, (4, 2)).mean(-1)
            assert_close(found[b, n], bins)


def test_steps_behind_the_valid_length_are_never_read():
    levels = pyramid()
    lengths = [x.new_tensor([x.shape[-1] / 2, x.shape[-1] / 4]) for x in levels]
    segments = torch.tensor([[[0.0, 1.0], [0.8, 5.0], [-3.0, -1.0]]]).double()
    index = torch.tensor([[0, 1, 3]])
    expected = soi_align(levels, lengths, segments, index)
    for x, length in zip(levels, lengths, strict=True):
        for sample, valid in zip(x, length.ceil().int().tolist(), strict=True):
            sample[:, valid:] = 1e30
    assert_close(soi_align(levels, lengths, segments, index), expected, rtol=0, atol=0)


def test_one_set_of_segments_for_all_samples():
    levels = pyramid(batch=3)
    segments = torch.tensor([[[0.1, 0.7], [0.4, 0.5]]]).double()
    index = torch.tensor([[2, 0]])
    shared = soi_align(levels, full(levels), segments, index)
    assert shared.shape == (3, 2, 3, 16)
    each = soi_align(levels, full(levels), segments.expand(3, -1, -1), index.expand(3, -1))
    assert_close(shared, each, rtol=0, atol=0)


def test_degenerate_input():
    levels = pyramid(dtype=torch.float32)
    nothing = soi_align(levels, full(levels), torch.zeros(2, 0, 2), torch.zeros(2, 0).long())
    assert nothing.shape == (2, 0, 3, 16)
    # Without a valid step the first one is read, which is zero behind a pyramid.
    empty = [torch.zeros(2) for _ in levels]
    segments, index = torch.tensor([[[0.2, 0.9]]]), torch.tensor([[1]])
    first = soi_align(levels, empty, segments, index, 2)
    assert_close(first, levels[1][:, None, :, :1].expand(2, 1, 3, 2))
    point = soi_align(levels, full(levels), torch.tensor([[[0.5, 0.5]]]), index, 3)
    middle = levels[1][..., 3:5].mean(-1)
    assert_close(point, middle[:, None, :, None].expand(2, 1, 3, 3))
    for bad in (torch.nan, torch.inf):
        found = soi_align(levels, full(levels), torch.full((1, 1, 2), bad), index)
        assert found.isfinite().all()


def test_gradients_and_half_precision():
    levels = [x.requires_grad_() for x in pyramid(batch=1, channels=2, sizes=(6, 3))]
    segments = torch.tensor([[[0.1, 0.9], [0.3, 0.4]]], dtype=torch.float64, requires_grad=True)
    index = torch.tensor([[1, 0]])

    def pool(*levels):
        return soi_align(levels, full(levels), segments, index, 3)

    assert torch.autograd.gradcheck(pool, levels)
    pool(*levels).sum().backward()
    assert segments.grad is None
    half = [x.detach().bfloat16() for x in levels]
    found = soi_align(half, full(half), segments.detach(), index, 3)
    assert found.dtype == torch.bfloat16
    assert_close(found.double(), pool(*levels), rtol=0.02, atol=0.02)


def test_wrong_arguments_are_named():
    levels = pyramid()
    segments, index = torch.zeros(2, 1, 2), torch.zeros(2, 1).long()
    with pytest.raises(ValueError, match="positive, got 0 and 2"):
        soi_align(levels, full(levels), segments, index, 0)
    with pytest.raises(ValueError, match="positive, got 4 and 0"):
        soi_align(levels, full(levels), segments, index, 4, 0)
    with pytest.raises(ValueError, match="4 levels need as many lengths, got 3"):
        soi_align(levels, full(levels)[:3], segments, index)
