"""How far an attention map is from one whose rows are all the same."""

import torch
from torch import Tensor

CENTRES = ("median", "mean")


def attention_diversity(
    attention: Tensor,
    centre: str = "median",
    rows: Tensor | None = None,
    columns: Tensor | None = None,
    relative: bool = False,
) -> Tensor:
    """Diversity ``d(A) = min_a || A - 1 a^T ||`` with ``||X|| = sqrt(||X||_1 ||X||_inf)``.

    ``||X||_1`` is the largest sum of absolute values of a column, ``||X||_inf`` that of a row. It
    is 0 where all queries attend alike, the collapse that Self-DETR and LTP report.
    `Self-feedback DETR <https://arxiv.org/abs/2308.10570>`_, which takes it from
    `Attention is not all you need <https://arxiv.org/abs/2103.03404>`_.

    No closed form of the minimum is known and the papers do not say what they compute, so this is
    an upper bound, at one of two a: the median of each column minimises ``||X||_1`` exactly, the
    mean is the projection on maps with equal rows. Report which one was used.

    d(A) also grows with how few places a map looks at: where half of R rows look at one step and
    half at another one it is ``sqrt(R / 2)``, of the identity, whose rows all differ, 1. With
    ``relative`` it is divided by ``||A||``, as the second paper plots what layers give: 0 at the
    collapse, 1 for both of these maps.

    Args:
        attention: Maps ``[..., R, C]``.
        centre: ``"median"`` or ``"mean"``, over the rows.
        rows: Bool, broadcast to ``[..., R]``: other rows do not count; None for all.
        columns: Bool, broadcast to ``[..., C]``: other columns do not count; None for all.
        relative: Divide by ``||A||``.

    Returns:
        ``[...]`` in at least float32, without a unit; 0 without a valid row. Maps whose rows sum to
        1 lie below ``sqrt(2 R)``. The minimum of the relative one is at most 1, its bound may lie
        above.

    Raises:
        ValueError: If the centre is unknown.
    """
    if centre not in CENTRES:
        raise ValueError(f"centre is one of {', '.join(CENTRES)}, got {centre!r}")
    x = attention.to(torch.promote_types(attention.dtype, torch.float32))
    if columns is not None:
        x = x.masked_fill(~columns[..., None, :], 0.0)
    if rows is None:
        rows = torch.ones(x.shape[:-1], dtype=torch.bool, device=x.device)
    valid = rows.expand(x.shape[:-1])[..., None]
    x = x.masked_fill(~valid, 0.0)
    middle = _median_row(x, valid) if centre == "median" else _mean_row(x, valid)
    distance = _norm((x - middle) * valid)
    if not relative:
        return distance
    size = _norm(x)
    return distance / torch.where(size > 0, size, 1.0)


def _norm(x: Tensor) -> Tensor:
    """``sqrt(||X||_1 ||X||_inf)`` of matrices; its gradient at 0 is 0 instead of infinite."""
    size = x.abs()
    product = size.sum(dim=-1).amax(dim=-1) * size.sum(dim=-2).amax(dim=-1)
    return torch.where(product > 0, product, 1.0).sqrt() * (product > 0)


def _mean_row(x: Tensor, valid: Tensor) -> Tensor:
    return x.sum(dim=-2, keepdim=True) / valid.sum(dim=-2, keepdim=True).clamp(min=1)


def _median_row(x: Tensor, valid: Tensor) -> Tensor:
    """Median over valid rows, ``[..., 1, C]``; of an even number the mean of the middle two."""
    ordered = x.masked_fill(~valid, float("inf")).sort(dim=-2).values
    count = valid.sum(dim=-2, keepdim=True).clamp(min=1).expand_as(x[..., :1, :])
    lower = ordered.gather(-2, (count - 1) // 2)
    upper = ordered.gather(-2, count // 2)
    middle = (lower + upper) / 2
    return middle.masked_fill(~valid.any(dim=-2, keepdim=True), 0.0)
