import pytest
import torch
from torch.nn.functional import pad
from torch.testing import assert_close

from mmtad.models.heads import BoundaryMatchingExtractor, SubGraphAlignment
from mmtad.models.layers import mean_of_neighbours
from mmtad.ops import BoundarySampling, proposal_segments, roi_align1d

STEPS, DURATIONS = 10, 6
SIZES = dict(in_channels=8, num_steps=STEPS, num_durations=DURATIONS, out_channels=5)
BMN = dict(hidden_channels=6, roi_channels=7, num_points=4)
GTAD = dict(roi_size=4, context_size=2, groups=4)
BOTH = pytest.mark.parametrize(
    "kind, options", [(BoundaryMatchingExtractor, BMN), (SubGraphAlignment, GTAD)]
)


def build(kind, options, **more):
    torch.manual_seed(0)
    return kind(**SIZES, **options, **more).double().eval()


def features(lengths=(10, 7), seed=1):
    mask = torch.arange(STEPS) < torch.tensor(lengths)[:, None]
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 8, STEPS, generator=generator, dtype=torch.float64)
    return x * mask[:, None], mask


def valid(lengths):
    return proposal_segments(STEPS, DURATIONS)[0][..., 1] <= torch.tensor(lengths)[:, None, None]


@BOTH
def test_cells_beyond_the_sequence_are_zero(kind, options):
    x, mask = features((10, 10))
    out = build(kind, options)(x, mask)
    assert out.shape == (2, 5, DURATIONS, STEPS)
    inside = valid((10, 10))[:, None].expand_as(out)
    assert not out[~inside].any() and out[inside].any()
    # The public codes fill them; all others agree, but for those that G-TAD reads beyond the end.
    same = dict(closed_end=False) if kind is SubGraphAlignment else {}
    public = build(kind, options, preset="official", **same)(x, mask)
    assert public[~inside].any()
    segments = proposal_segments(STEPS, DURATIONS)[0]
    reach = segments[..., 1] + (segments[..., 1] - segments[..., 0]) / 2
    before_end = inside & (reach <= STEPS - 1) if same else inside
    assert_close(public[before_end], out[before_end])


def test_boundary_matching_by_its_definition():
    extractor, (x, mask) = build(BoundaryMatchingExtractor, BMN), features((10, 10))
    hidden = extractor.reduce(x).relu()
    sampled = BoundarySampling(STEPS, DURATIONS, num_points=4).double()(hidden)
    out = extractor.point_conv(sampled.flatten(3)).relu().squeeze(2)
    out = extractor.cell_conv(out.unflatten(2, (DURATIONS, STEPS))).relu()
    inside = valid((10, 10))[:, None].expand_as(out)
    assert_close(extractor(x, mask)[inside], out[inside], rtol=1e-5, atol=1e-6)


def test_sub_graph_alignment_by_its_definition():
    extractor, (x, mask) = build(SubGraphAlignment, GTAD), features((10, 10))
    hidden = extractor.graph(x, mask)
    segments, inside = proposal_segments(STEPS, DURATIONS)
    segments = segments[inside].double()
    length = segments[:, 1:] - segments[:, :1]
    enlarged = torch.cat([segments[:, :1] - length / 2, segments[:, 1:] + length / 2], dim=1)
    anchors = enlarged.expand(2, -1, -1)
    parts = [
        roi_align1d(pad(hidden, (0, 1)), anchors, 4),
        roi_align1d(pad(mean_of_neighbours(hidden, 3), (0, 1)), anchors, 2),
    ]
    rows = torch.cat(parts, dim=3).flatten(2).transpose(1, 2)[..., None]
    expected = extractor.bin_conv(rows).relu().squeeze(-1)
    assert_close(extractor(x, mask)[:, :, inside], expected, rtol=1e-5, atol=1e-6)


def test_half_precision_is_a_choice_of_the_preset():
    x, mask = features((10, 10))
    exact = build(SubGraphAlignment, GTAD, preset="official", closed_end=False)
    rounded = build(SubGraphAlignment, GTAD, preset="opentad")
    difference = (exact(x, mask) - rounded(x, mask)).detach().abs().max()
    assert 0 < float(difference) < 1e-2
    rounded.half_precision = False
    assert_close(exact(x, mask), rounded(x, mask))


@BOTH
def test_every_parameter_gets_a_gradient(kind, options):
    extractor = build(kind, options)
    extractor(*features()).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in extractor.parameters())
    assert all("sums" not in key and "inner" not in key for key in extractor.state_dict())
