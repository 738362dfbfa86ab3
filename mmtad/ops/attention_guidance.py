"""Guidance for self-attention out of cross-attention, and the divergence between the two.

`Self-feedback DETR for temporal action detection <https://arxiv.org/abs/2308.10570>`_ (Self-DETR).
What the paper states: guidance maps are the product of a cross-attention map with its transpose,
followed by an element-wise square root, queries x queries for the decoder and steps x steps for
the encoder; maps of encoder layers are multiplied; a KL divergence brings self-attention close to
its guidance. No code is public, and several points stay open. What we chose there is marked as
"our reading" in each function.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

ENCODER_AGGREGATIONS = ("matmul", "average", "last")
DECODER_AGGREGATIONS = ("layer", "average", "last")
DIRECTIONS = ("guidance_to_map", "map_to_guidance")


def normalize_rows(x: Tensor, eps: float = 1e-6) -> Tensor:
    """Scale rows to a sum of 1; rows whose sum is below ``eps`` become 0.

    Our reading: the paper does not say how a guidance map, whose rows do not sum to 1, becomes
    distributions. ``eps`` only tells which rows are empty and is not added to the sum, so that
    every other row sums to 1 exactly, also one of little mass.

    Args:
        x: ``[..., R, C]``, non-negative.
        eps: Smallest sum of a row that is kept.

    Returns:
        ``[..., R, C]``.
    """
    mass = x.sum(dim=-1, keepdim=True)
    return torch.where(mass < eps, torch.zeros_like(x), x / mass.clamp(min=eps))


def restrict_map(
    attention: Tensor, columns: Tensor | None = None, rows: Tensor | None = None, eps: float = 1e-6
) -> Tensor:
    """Take padded rows and columns out of attention maps, whose rows then sum to 1 again.

    The rows of a softmax over valid keys do so anyway. Those of deformable attention written as a
    dense map sum to less where sampling points lie outside of the sequence, and those of a model
    that ignores its padding lose what they gave to it. Our reading; the paper says nothing about
    padding.

    Args:
        attention: ``[B, ..., R, C]``; padded elements may have any value.
        columns: Bool ``[B, C]``, True = valid; None for all.
        rows: Bool ``[B, R]``, True = valid; None for all.
        eps: See :func:`normalize_rows`.

    Returns:
        In at least float32, ``[B, ..., R, C]``: 0 at padded rows and columns.
    """
    x = attention.to(torch.promote_types(attention.dtype, torch.float32))
    middle = (1,) * (x.dim() - 3)
    if columns is not None:
        x = x.masked_fill(~columns.view(len(columns), *middle, 1, -1), 0.0)
    if rows is not None:
        x = x.masked_fill(~rows.view(len(rows), *middle, -1, 1), 0.0)
    return normalize_rows(x, eps)


def _root(x: Tensor) -> Tensor:
    """Square root whose gradient at 0 is 0 instead of infinite."""
    positive = x > 0
    return torch.where(positive, x, 1.0).sqrt() * positive


def decoder_guidance(cross: Tensor, eps: float = 1e-6) -> Tensor:
    """Guidance for self-attention among queries: how much pairs of queries look at the same steps.

    ``G[i, j] = sqrt(sum_t A[i, t] A[j, t])`` (paper), each row then scaled to a sum of 1 (our
    reading, see :func:`normalize_rows`, also that it comes after the root: there the product is
    still symmetric and the root that of the paper).

    Args:
        cross: Cross-attention ``[..., Q, T]``, 0 at padded steps.
        eps: Smallest sum of a row that is kept.

    Returns:
        In at least float32, ``[..., Q, Q]``: rows sum to 1 or are 0.
    """
    with torch.autocast(cross.device.type, enabled=False):
        exact = cross.to(torch.promote_types(cross.dtype, torch.float32))
        return normalize_rows(_root(exact @ exact.mT), eps)


def encoder_guidance(cross: Tensor, mask: Tensor | None = None, eps: float = 1e-6) -> Tensor:
    """Guidance for self-attention among steps: how much the same queries look at pairs of steps.

    ``G[s, t] = sqrt(sum_i A[i, s] A[i, t])`` (paper), each row then scaled to a sum of 1 (our
    reading). Steps that no query looks at have an empty row, which the loss skips (our reading).

    Args:
        cross: Cross-attention ``[B, ..., Q, T]``; in the paper the mean over decoder layers.
        mask: Bool ``[B, T]``, True = valid; None for all.
        eps: Smallest sum of a row that is kept.

    Returns:
        In at least float32, ``[B, ..., T, T]``: rows sum to 1 or are 0, padded ones are 0.
    """
    with torch.autocast(cross.device.type, enabled=False):
        exact = cross.to(torch.promote_types(cross.dtype, torch.float32))
        if mask is not None:
            exact = restrict_map(exact, columns=mask, eps=eps)
        return normalize_rows(_root(exact.mT @ exact), eps)


def aggregate_encoder(maps: Sequence[Tensor], mode: str = "matmul") -> Tensor:
    """Make one map of those of all encoder layers.

    ``matmul`` is the paper's choice, a product that starts with the first layer; ``average`` and
    ``last`` are those of its ablation. That later layers stand on the left is our reading: layer 2
    mixes what layer 1 has mixed, as in attention roll-out. A product of maps whose rows sum to 1
    has such rows as well.

    Args:
        maps: One ``[..., T, T]`` per layer, the first layer first; rows sum to 1.
        mode: ``"matmul"``, ``"average"`` or ``"last"``.

    Returns:
        ``[..., T, T]``.

    Raises:
        ValueError: If there is no map or the mode is unknown.
    """
    _check(maps, mode, ENCODER_AGGREGATIONS, "encoder")
    if mode == "average":
        return torch.stack(list(maps)).mean(dim=0)
    result = maps[-1]
    if mode == "matmul":
        with torch.autocast(result.device.type, enabled=False):
            for earlier in reversed(maps[:-1]):
                result = result @ earlier
    return result


def aggregate_decoder(maps: Sequence[Tensor], mode: str = "layer") -> list[Tensor]:
    """Choose what of a decoder is compared: every layer for itself, their mean, or the last one.

    ``layer`` is the paper's choice, the others are those of its ablation. Cross- and self-attention
    are aggregated alike (our reading of the ablation).

    Args:
        maps: One ``[..., Q, *]`` per layer, the first layer first.
        mode: ``"layer"``, ``"average"`` or ``"last"``.

    Returns:
        L maps with ``"layer"``, else one.

    Raises:
        ValueError: If there is no map or the mode is unknown.
    """
    _check(maps, mode, DECODER_AGGREGATIONS, "decoder")
    if mode == "average":
        return [torch.stack(list(maps)).mean(dim=0)]
    return [maps[-1]] if mode == "last" else list(maps)


def _check(maps: Sequence[Tensor], mode: str, modes: Sequence[str], part: str) -> None:
    if mode not in modes:
        raise ValueError(f"{part} maps are aggregated by one of {', '.join(modes)}, got {mode!r}")
    if not maps:
        raise ValueError(f"there are no attention maps of the {part}; ask its layers for them")


def row_divergence(
    attention: Tensor, guidance: Tensor, direction: str = "guidance_to_map", eps: float = 1e-8
) -> Tensor:
    """KL divergence between the rows of a map and of its guidance, summed over keys.

    The direction is our reading, as the paper only names the divergence: ``KL(guidance || map)`` is
    a cross-entropy, which punishes a map that misses what the guidance has; the other one punishes
    a map for what the guidance lacks.

    Args:
        attention: ``[..., R, C]``, rows sum to 1.
        guidance: ``[..., R, C]``, rows sum to 1.
        direction: ``"guidance_to_map"`` or ``"map_to_guidance"``.
        eps: Probabilities are at least this within logarithms.

    Returns:
        ``[..., R]``, at least 0 up to rounding.

    Raises:
        ValueError: If the direction is unknown.
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"direction is one of {', '.join(DIRECTIONS)}, got {direction!r}")
    p, q = (guidance, attention) if direction == "guidance_to_map" else (attention, guidance)
    return (p * (p.clamp(min=eps).log() - q.clamp(min=eps).log())).sum(dim=-1)
