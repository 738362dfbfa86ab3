import pytest
import torch

from mmtad.structures import (
    centerwidth_to_segment,
    clip_segments,
    segment_diou,
    segment_giou,
    segment_iou,
    segment_to_centerwidth,
)

OVERLAPS = [segment_iou, segment_giou, segment_diou]


def random_segments(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    starts = torch.rand(n, generator=generator, dtype=torch.float64) * 20
    widths = torch.rand(n, generator=generator, dtype=torch.float64) * 10
    return torch.stack([starts, starts + widths], dim=1)


def test_by_hand():
    a = torch.tensor([[0.0, 10.0]])
    b = torch.tensor([[0.0, 10.0], [5.0, 15.0], [2.0, 4.0], [10.0, 20.0], [30.0, 40.0]])
    expected = [1, 5 / 15, 2 / 10, 0, 0]
    torch.testing.assert_close(segment_iou(a, b), torch.tensor([expected]))
    expected = [1, 5 / 15, 2 / 10, 0, -20 / 40]  # no gap, so GIoU = IoU, but for the last
    torch.testing.assert_close(segment_giou(a, b), torch.tensor([expected]))
    shift = [0, 5 / 15, 2 / 10, 10 / 20, 30 / 40]
    expected = [1, 5 / 15, 2 / 10, 0, 0]
    expected = [iou - s**2 for iou, s in zip(expected, shift, strict=True)]
    torch.testing.assert_close(segment_diou(a, b), torch.tensor([expected]))


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_symmetric_and_bounded_and_one_with_itself(overlap):
    a, b = random_segments(30), random_segments(40, seed=1)
    values = overlap(a, b)
    assert values.shape == (30, 40)
    torch.testing.assert_close(values, overlap(b, a).T)
    assert values.max() <= 1 and values.min() >= (0 if overlap is segment_iou else -1)
    torch.testing.assert_close(overlap(a, a, aligned=True), torch.ones(30, dtype=torch.float64))


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_moving_scaling_and_mirroring_change_nothing(overlap):
    a, b = random_segments(30), random_segments(40, seed=1)
    values = overlap(a, b)
    torch.testing.assert_close(overlap(a + 7, b + 7), values)
    torch.testing.assert_close(overlap(a * 1e-6, b * 1e-6), values)
    torch.testing.assert_close(overlap(-a.flip(1), -b.flip(1)), values)


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_aligned_is_the_diagonal(overlap):
    a, b = random_segments(30), random_segments(30, seed=1)
    torch.testing.assert_close(overlap(a, b, aligned=True), overlap(a, b).diagonal())
    with pytest.raises(ValueError, match="30.*29"):
        overlap(a, b[:29], aligned=True)


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_the_others_are_not_above_iou(overlap):
    a, b = random_segments(30), random_segments(40, seed=1)
    assert (overlap(a, b) <= segment_iou(a, b)).all()


@pytest.mark.parametrize("overlap", OVERLAPS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_iou_never_exceeds_one(overlap, dtype):
    a = random_segments(200).to(dtype)
    nudged = torch.nextafter(a.float(), torch.tensor(torch.inf)).to(dtype)
    assert overlap(a, nudged, aligned=True).max() <= 1


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_empty(overlap):
    a, none = random_segments(3), torch.zeros(0, 2, dtype=torch.float64)
    assert overlap(a, none).shape == (3, 0)
    assert overlap(none, a).shape == (0, 3)
    assert overlap(none, none, aligned=True).shape == (0,)


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_segments_without_length_stay_finite(overlap):
    points = torch.tensor([[5.0, 5.0], [5.0, 5.0], [0.0, 10.0], [8.0, 8.0]], requires_grad=True)
    values = overlap(points, points)
    assert values.isfinite().all()
    assert values[0, 1] == 0 and values[0, 0] == 0
    assert values[0, 3] == (0 if overlap is segment_iou else -1)
    (gradient,) = torch.autograd.grad(values.sum(), points)
    assert gradient.abs().max() < 1e3


def test_reversed_segments_overlap_nothing():
    a, b = torch.tensor([[6.0, 4.0]]), torch.tensor([[0.0, 10.0], [5.0, 5.0], [6.0, 4.0]])
    assert segment_iou(a, b).tolist() == [[0.0, 0.0, 0.0]]


def test_centre_and_width():
    segments = torch.tensor([[[0.0, 10.0], [4.0, 4.0]], [[-2.0, 1.0], [3.0, 8.0]]])
    expected = torch.tensor([[[5.0, 10.0], [4.0, 0.0]], [[-0.5, 3.0], [5.5, 5.0]]])
    assert segment_to_centerwidth(segments).equal(expected)
    assert centerwidth_to_segment(expected).equal(segments)
    assert centerwidth_to_segment(torch.zeros(0, 2)).shape == (0, 2)
    back = centerwidth_to_segment(segment_to_centerwidth(random_segments(50)))
    torch.testing.assert_close(back, random_segments(50))


def test_clip_gives_a_new_tensor():
    segments = torch.tensor([[-1.0, 5.0], [2.0, 12.0], [11.0, 14.0]])
    before = segments.clone()
    clipped = clip_segments(segments, 0, 10)
    assert clipped.tolist() == [[0, 5], [2, 10], [10, 10]]
    assert segments.equal(before)
    assert clip_segments(clipped, 0, 10).equal(clipped)
