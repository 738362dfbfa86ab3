"""Weighted sums of rows by a fixed sparse matrix: fast forward and backward, nothing dense."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from torch import Tensor, nn


class SumTable(NamedTuple):
    """A sparse matrix by its rows; row ``i`` holds entries ``offsets[i]`` to ``offsets[i + 1]``.

    Attributes:
        columns: int32 ``[nnz]``.
        offsets: int32 ``[rows + 1]``.
        weights: Float ``[nnz]``.
    """

    columns: Tensor
    offsets: Tensor
    weights: Tensor


class SparseSum(nn.Module):
    """Product of a constant sparse matrix ``[M, R]`` with the rows of a tensor.

    Both directions gather rows (``embedding_bag``): the matrix is also kept transposed, so the
    backward pass adds nothing atomically and gives the same bits on every run. Half precision is
    computed in float32. The tables are buffers that no checkpoint holds.

    Args:
        rows: int ``[nnz]`` row of each entry, in [0, M).
        columns: int ``[nnz]`` column of each entry, in [0, R); entries of one place add up.
        weights: Float ``[nnz]``.
        shape: M and R.
    """

    def __init__(
        self, rows: np.ndarray, columns: np.ndarray, weights: np.ndarray, shape: tuple[int, int]
    ) -> None:
        super().__init__()
        self.shape = shape
        matrix = sparse.coo_matrix((weights, (rows, columns)), shape=shape).tocsr()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        for prefix, table in (("", matrix), ("back_", matrix.T.tocsr())):
            table.sort_indices()
            for name, values, dtype in (
                ("columns", table.indices, np.int32),
                ("offsets", table.indptr, np.int32),
                ("weights", table.data, np.float32),
            ):
                values = torch.tensor(values.astype(dtype))
                self.register_buffer(prefix + name, values, persistent=False)

    def table(self, transposed: bool = False) -> SumTable:
        """The matrix, or its transpose."""
        prefix = "back_" if transposed else ""
        return SumTable(*(getattr(self, prefix + name) for name in SumTable._fields))

    def forward(self, x: Tensor) -> Tensor:
        """Sum rows.

        Args:
            x: ``[B, R, F]``.

        Returns:
            ``[B, M, F]`` in the dtype of ``x``.

        Raises:
            ValueError: If ``x`` does not have R rows.
        """
        if x.shape[1] != self.shape[1]:
            raise ValueError(
                f"the sums are over {self.shape[1]} rows, got a tensor of {tuple(x.shape)}"
            )
        exact = x if x.dtype == torch.float64 else x.float()
        return _RowSums.apply(exact, self.table(), self.table(transposed=True)).to(x.dtype)


class _RowSums(torch.autograd.Function):
    """Sums by one table forward, by the other backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, table: SumTable, transposed: SumTable) -> Tensor:
        ctx.tables = table, transposed
        weights = table.weights.to(x.dtype)
        return torch.stack(
            [
                F.embedding_bag(
                    table.columns,
                    sample.contiguous(),
                    table.offsets,
                    mode="sum",
                    per_sample_weights=weights,
                    include_last_offset=True,
                )
                for sample in x
            ]
        )

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        table, transposed = ctx.tables
        return _RowSums.apply(grad, transposed, table), None, None


@dataclass(frozen=True)
class SamplePoints:
    """Where N points of each of M cells read a sequence of T steps, entry by entry.

    Attributes:
        cells: int ``[nnz]`` cell of each entry, in [0, M).
        points: int ``[nnz]`` point of each entry, in [0, N).
        steps: int ``[nnz]`` step that each entry reads, in [0, T).
        weights: Float ``[nnz]``.
        shape: M, N and T.
    """

    cells: np.ndarray
    points: np.ndarray
    steps: np.ndarray
    weights: np.ndarray
    shape: tuple[int, int, int]

    def keep(self, chosen: np.ndarray) -> "SamplePoints":
        """Leave cells out.

        Args:
            chosen: Bool ``[M]``, True for those that stay, in their order.

        Returns:
            The points of these cells.
        """
        stays = chosen[self.cells]
        number = np.cumsum(chosen) - 1
        return SamplePoints(
            number[self.cells[stays]],
            self.points[stays],
            self.steps[stays],
            self.weights[stays],
            (int(chosen.sum()), *self.shape[1:]),
        )

    def sampling(self) -> SparseSum:
        """Sums that read the points: ``[B, T, C] -> [B, M * N, C]``."""
        num_cells, num_points, num_steps = self.shape
        rows = self.cells * num_points + self.points
        return SparseSum(rows, self.steps, self.weights, (num_cells * num_points, num_steps))

    def projection(self) -> SparseSum:
        """Sums for :func:`sampled_projection`: ``[B, T * N, F] -> [B, M, F]``."""
        num_cells, num_points, num_steps = self.shape
        columns = self.steps * num_points + self.points
        return SparseSum(self.cells, columns, self.weights, (num_cells, num_steps * num_points))


def sampled_projection(x: Tensor, weight: Tensor, sums: SparseSum) -> Tensor:
    """Read N points of every cell and project them together, in the order that is cheap.

    ``out[m, o] = sum over n, c of weight[o, c, n] * point[m, n, c]``, where the points are fixed
    sums over steps. Both are linear, so the channels are projected first, once per step and point
    instead of once per cell and point: nothing of the size cells x N x C ever exists.

    Args:
        x: Features ``[B, C, T]``.
        weight: ``[O, C, N]``.
        sums: From ``SamplePoints.projection``.

    Returns:
        ``[B, M, O]`` of the M cells.
    """
    out_channels, channels, num_points = weight.shape
    matrix = weight.permute(1, 2, 0).reshape(channels, num_points * out_channels)
    per_step = x.transpose(1, 2) @ matrix  # [B, T, N * O]
    return sums(per_step.reshape(len(x), -1, out_channels))
