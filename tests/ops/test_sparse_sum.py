import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mmtad.ops import SamplePoints, SparseSum, sampled_projection

ROWS, COLUMNS = np.array([0, 0, 2, 2, 2]), np.array([1, 3, 0, 0, 2])
WEIGHTS = np.array([2.0, -1.0, 0.5, 0.25, 3.0])
MATRIX = torch.tensor([[0, 2.0, 0, -1], [0, 0, 0, 0], [0.75, 0, 3, 0]])


def sums():
    return SparseSum(ROWS, COLUMNS, WEIGHTS, (3, 4))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_is_a_matrix_product(dtype):
    x = torch.randn(2, 4, 5).to(dtype)
    out = sums()(x)
    assert out.dtype == dtype
    expected = MATRIX.to(torch.float64) @ x.double()
    tolerance = dict(rtol=1e-2, atol=1e-2) if dtype == torch.bfloat16 else {}
    assert_close(out, expected.to(dtype), **tolerance)


def test_gradients_and_their_gradients():
    module = sums().double()
    x = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, x)
    assert torch.autograd.gradgradcheck(module, x)


def test_tables_are_in_no_checkpoint():
    assert not sums().state_dict()
    table = sums().table()
    assert table.columns.dtype == torch.int32 and table.columns.tolist() == [1, 3, 0, 2]
    assert sums().table(transposed=True).offsets.tolist() == [0, 1, 2, 3, 4]


def test_empty_matrix():
    nothing = np.zeros(0, int)
    module = SparseSum(nothing, nothing, np.zeros(0), (2, 4))
    assert_close(module(torch.randn(1, 4, 3)), torch.zeros(1, 2, 3))


def test_wrong_rows_are_named():
    with pytest.raises(ValueError, match=r"over 4 rows, got a tensor of \(1, 5, 2\)"):
        sums()(torch.zeros(1, 5, 2))


def points():
    cells, point = np.array([0, 0, 1, 2, 2]), np.array([0, 1, 0, 1, 1])
    steps = np.array([0, 2, 1, 3, 0])
    return SamplePoints(cells, point, steps, WEIGHTS, (3, 2, 4))


def test_projection_equals_sampling_and_then_projecting():
    x, weight = torch.randn(2, 5, 4), torch.randn(6, 5, 2)
    sampled = points().sampling()(x.transpose(1, 2)).unflatten(1, (3, 2))
    expected = torch.einsum("bmnc,ocn->bmo", sampled, weight)
    assert_close(sampled_projection(x, weight, points().projection()), expected)


def test_cells_may_be_left_out():
    x, weight = torch.randn(2, 5, 4), torch.randn(6, 5, 2)
    every = sampled_projection(x, weight, points().projection())
    some = points().keep(np.array([True, False, True]))
    assert some.shape == (2, 2, 4)
    assert_close(sampled_projection(x, weight, some.projection()), every[:, [0, 2]])
