import math

import pytest
import torch

from mmtad.ops import fuse_segments

SEGMENTS = torch.tensor([[0.0, 10.0], [1.0, 11.0], [40.0, 50.0], [0.0, 10.0]])
SCORES = torch.tensor([0.9, 0.6, 0.5, 0.3])
LABELS = torch.tensor([0, 0, 0, 1])
SOURCES = torch.tensor([0, 1, 1, 0])


def rows(result):
    return [(s, p, k) for s, p, k in zip(*(field.tolist() for field in result), strict=True)]


def test_by_hand():
    found = rows(fuse_segments(SEGMENTS, SCORES, LABELS, SOURCES, [1.0, 1.0]))
    assert [label for *_, label in found] == [0, 0, 1]
    share = 0.6 / 1.5  # tIoU of the first two: 9 / 11
    assert found[0][0] == pytest.approx([share, 10 + share])
    assert [score for _, score, _ in found] == pytest.approx([0.75, 0.25, 0.15])
    assert found[1][0] == [40, 50] and found[2][0] == [0, 10]


def test_weights_by_hand():
    found = rows(fuse_segments(SEGMENTS, SCORES, LABELS, SOURCES, [3.0, 1.0]))
    share = 0.6 / (3 * 0.9 + 0.6)
    assert found[0][0] == pytest.approx([share, 10 + share])
    assert [score for _, score, _ in found] == pytest.approx([(2.7 + 0.6) / 4, 0.9 / 4, 0.5 / 4])
    assert [label for *_, label in found] == [0, 1, 0]


def test_repetitions_of_one_detector_do_not_count_twice():
    once = fuse_segments(SEGMENTS, SCORES, LABELS, SOURCES, [1.0, 1.0])
    again = torch.cat([SEGMENTS, SEGMENTS[:1]]), torch.cat([SCORES, torch.tensor([0.1])])
    labels, sources = torch.cat([LABELS, LABELS[:1]]), torch.cat([SOURCES, SOURCES[:1]])
    twice = fuse_segments(*again, labels, sources, [1.0, 1.0])
    assert torch.equal(once[1], twice[1])


def random_case(n=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    starts = torch.rand(n, generator=generator, dtype=torch.float64) * 100
    ends = starts + 1 + torch.rand(n, generator=generator, dtype=torch.float64) * 20
    scores = torch.rand(n, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (n,), generator=generator)
    return torch.stack([starts, ends], 1), scores, labels, torch.arange(n) % 2


def test_order_scale_of_weights_and_source_numbers_do_not_matter():
    case = random_case()
    expected = fuse_segments(*case, [1.0, 0.5])
    assert 50 < len(expected[1]) < 180
    shuffle = torch.randperm(200, generator=torch.Generator().manual_seed(1))
    for result in (
        fuse_segments(*(field[shuffle] for field in case), [1.0, 0.5]),
        fuse_segments(*case, [4.0, 2.0]),
        fuse_segments(*case[:3], 1 - case[3], [0.5, 1.0]),
    ):
        for ours, theirs in zip(result, expected, strict=True):
            torch.testing.assert_close(ours, theirs)


def test_segments_and_scores_stay_within_what_goes_in():
    segments, scores, labels, sources = random_case(seed=3)
    fused, total, members = fuse_segments(segments, scores, labels, sources, [1.0, 2.0], 0.3)
    assert (total.diff() <= 0).all() and 0 <= total.min() and total.max() <= scores.max()
    assert (fused[:, 1] > fused[:, 0]).all()
    for label in range(3):
        own = segments[labels == label]
        assert fused[members == label].min() >= own.min()
        assert fused[members == label].max() <= own.max()


def test_a_single_detector_without_overlaps_stays_as_it_is():
    segments = torch.tensor([[0.0, 1.0], [5.0, 6.0], [3.0, 3.0]])
    scores = torch.tensor([0.2, 0.9, 0.0])
    none = torch.zeros(3, dtype=torch.int64)
    fused, total, labels = fuse_segments(segments, scores, none, none, [1.0])
    assert fused.tolist() == [[5, 6], [0, 1], [3, 3]]
    assert total.tolist() == pytest.approx([0.9, 0.2, 0.0]) and labels.tolist() == [0, 0, 0]


def test_nothing_and_no_length():
    empty = torch.zeros(0, dtype=torch.int64)
    result = fuse_segments(torch.zeros(0, 2), torch.zeros(0), empty, empty, [1.0, 1.0])
    assert [tuple(field.shape) for field in result] == [(0, 2), (0,), (0,)]
    points, zeros = torch.ones(2, 2), torch.zeros(2)
    fused, total, _ = fuse_segments(points, zeros, zeros.long(), torch.arange(2), [1.0, 1.0])
    assert fused.tolist() == [[1, 1], [1, 1]] and total.tolist() == [0, 0]


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(scores=SCORES[:2]), "differ"),
        (dict(scores=-SCORES), "scores >= 0"),
        (dict(segments=SEGMENTS * math.nan), "finite"),
        (dict(weights=[1.0]), "sources must be 0 to 0, got 1"),
        (dict(weights=[1.0, 0.0]), "weights must be positive"),
        (dict(iou_threshold=0.0), "iou_threshold"),
    ],
)
def test_wrong_input_is_named(change, message):
    good = dict(
        segments=SEGMENTS, scores=SCORES, labels=LABELS, sources=SOURCES, weights=[1.0, 1.0]
    )
    with pytest.raises(ValueError, match=message):
        fuse_segments(**{**good, **change})
