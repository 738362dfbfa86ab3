import torch
from torch.testing import assert_close

from mmtad.models.heads.boundary_bins import expected_distances, first_bins, pad_and_join


def test_bins_of_every_point_by_hand():
    levels = [torch.tensor([[[1.0, 2, 3]]]), torch.tensor([[[4.0, 5]]])]
    columns = first_bins([3, 2], 2, None)[:, None] + torch.arange(3)
    starts = pad_and_join(levels, 2, 0)[0, 0][columns]
    assert starts.tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [0, 0, 4], [0, 4, 5]]
    ends = pad_and_join(levels, 0, 2)[0, 0][columns]
    assert ends.tolist() == [[1, 2, 3], [2, 3, 0], [3, 0, 0], [4, 5, 0], [5, 0, 0]]


def test_expectation_by_hand():
    start = torch.tensor([[0.0, 0.0, 0.0], [0.0, 50.0, 0.0]])
    end = torch.tensor([[0.0, 0.0, 50.0], [50.0, 0.0, 0.0]])
    offsets = torch.zeros(2, 6)
    assert_close(expected_distances(start, end, offsets), torch.tensor([[1.0, 2.0], [1.0, 0.0]]))
    offsets[1, 0] = 100.0  # the farthest bin of the start
    offsets[1, 4] = 50.0  # the middle bin of the end ties with the nearest
    assert_close(expected_distances(start, end, offsets)[1], torch.tensor([2.0, 0.5]))


def test_dtypes_and_nothing():
    half = [torch.zeros(1, 2, 3, dtype=torch.bfloat16)]
    assert pad_and_join(half, 1, 0).dtype == torch.float32
    assert pad_and_join([half[0].double()], 1, 0).dtype == torch.float64
    assert expected_distances(torch.zeros(0, 4), torch.zeros(0, 4), torch.zeros(0, 8)).shape == (
        0,
        2,
    )
