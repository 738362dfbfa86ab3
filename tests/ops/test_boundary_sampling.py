import torch
from torch.testing import assert_close

from mmtad.ops import (
    BoundarySampling,
    boundary_sample_points,
    proposal_segments,
    sampled_projection,
)


def matrix(num_steps, num_durations, **options):
    """The dense matrix ``[T, N, D, T]``."""
    return BoundarySampling(num_steps, num_durations, **options)(torch.eye(num_steps)[None])[0]


def test_cells_of_a_map():
    segments, valid = proposal_segments(4, 3)
    assert segments.shape == (3, 4, 2)
    assert segments[2, 1].tolist() == [1, 4] and segments[0, 3].tolist() == [3, 4]
    assert valid.int().tolist() == [[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]]


def test_golden_matrix(golden):
    _, io, case = golden("bmn")
    options = case["config"]["roi_head"]["proposal_roi_extractor"]
    expected = torch.zeros(tuple(io["sample_mask_shape"]))
    expected[tuple(io["sample_mask"])] = io["sample_mask_values"]
    ours = matrix(
        options["tscale"],
        options["dscale"],
        num_points=options["num_sample"],
        num_subsamples=options["num_sample_perbin"],
    )
    assert_close(ours, expected, rtol=0, atol=1e-7)


def test_one_cell_by_hand():
    # Cell d=1, t=2 of 8 steps: 2 to 3, enlarged to 1 .. 4; four positions 1, 2, 3, 4, two a point.
    out = matrix(8, 2, num_points=2, num_subsamples=2)[:, :, 1, 2]
    expected = torch.zeros(8, 2)
    expected[1:3, 0] = expected[3:5, 1] = 0.5
    assert_close(out, expected)
    # d=0, t=0: positions -0.5, -1/6, 1/6, 0.5. Those before 0 read step 0 in full.
    out = matrix(8, 2, num_points=2, num_subsamples=2)[:, :, 0, 0]
    assert_close(out[:2], torch.tensor([[1.0, (5 / 6 + 1 / 2) / 2], [0, (1 / 6 + 1 / 2) / 2]]))


def test_cells_that_end_beyond_read_nothing_and_others_do():
    out = matrix(10, 6)
    valid = proposal_segments(10, 6)[1]
    assert not out[:, :, ~valid].any()
    assert (out.sum((0, 1))[valid] > 0).all()
    assert (out >= 0).all() and (out.sum(0) <= 1 + 1e-5).all()


def test_a_shift_in_time_shifts_the_map():
    out = matrix(40, 4)
    # Away from the borders: what cell (d, 20) reads is what (d, 15) reads, 5 steps later.
    assert_close(out[10:30, :, :, 20], out[5:25, :, :, 15])


def test_convolution_over_the_points():
    sampling = BoundarySampling(12, 5, num_points=4, num_subsamples=3)
    sums = boundary_sample_points(12, 5, num_points=4, num_subsamples=3).projection()
    x, weight = torch.randn(2, 3, 12), torch.randn(7, 3, 4)
    sampled = sampling(x)
    assert sampled.shape == (2, 3, 4, 5, 12)
    expected = torch.einsum("bcndt,ocn->bodt", sampled, weight)
    ours = sampled_projection(x, weight, sums).transpose(1, 2).unflatten(2, (5, 12))
    assert_close(ours, expected)


def test_nothing_dense_at_the_size_of_the_paper():
    sums = boundary_sample_points(128, 128).projection()
    buffers = sum(b.numel() * b.element_size() for b in sums.buffers())
    assert buffers < 14 * 2**20  # forward and backward; the dense matrix has 256 MiB
