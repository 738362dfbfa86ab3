"""Deformable attention along time: weighted sums of a few steps, read by linear interpolation."""

import torch
import torch.nn.functional as F
from torch import Tensor


def deform_attn1d(value: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    """Read P places of a sequence per query and head and add them up.

    `Deformable DETR <https://arxiv.org/abs/2010.04159>`_, equation 2, in one dimension. Step ``t``
    covers ``[t, t + 1] / T`` and its value lies at the centre; between two centres the values are
    interpolated, and beyond the first and the last they fade to zero within a step. Gradients reach
    all three inputs. Every query and head is one sum over rows of ``value``: memory grows with B x
    Q x H x (P + D), nothing is gathered. Half precision is computed in float32.

    Args:
        value: ``[B, T, H, D]``, finite.
        locations: ``[B, Q, H, P]`` in unit, 0 = start of the first step, 1 = end of the last one;
            any number. One that is NaN makes the result NaN.
        weights: ``[B, Q, H, P]``.

    Returns:
        ``[B, Q, H, D]`` in the dtype of ``value``.

    Raises:
        ValueError: If shapes do not fit or the sequence has no step.
    """
    _check(value, locations, weights)
    batch, length, heads, dims = value.shape
    exact = torch.promote_types(value.dtype, torch.float32)
    steps, shares = _interpolate(locations.to(exact), weights.to(exact), length)
    shares = shares * ((steps >= 0) & (steps < length))
    first = torch.arange(0, batch * length * heads, length * heads, device=value.device)
    head = torch.arange(heads, device=value.device)
    # int32 halves the indices; a batch with more rows than it counts would not fit in memory.
    rows = steps.clamp(0, length - 1).int() * heads
    rows = rows + (first[:, None, None, None] + head[:, None]).int()
    out = F.embedding_bag(
        rows.flatten(0, 2),
        value.to(exact).reshape(-1, dims),
        mode="sum",
        per_sample_weights=shares.flatten(0, 2),
    )
    return out.view(*locations.shape[:3], dims).to(value.dtype)


def deform_attn1d_map(locations: Tensor, weights: Tensor, length: int) -> Tensor:
    """Spread what :func:`deform_attn1d` reads over the steps, as a dense attention map.

    The product of the map with the values is what the function returns, and a row sums to the sum
    of its weights less what lies outside the sequence. Gradients reach both inputs.

    Args:
        locations: ``[B, Q, H, P]`` in unit.
        weights: ``[B, Q, H, P]``.
        length: Number of steps T.

    Returns:
        ``[B, H, Q, T]`` in at least float32.

    Raises:
        ValueError: If the shapes differ or the length is not positive.
    """
    if locations.shape != weights.shape or length < 1:
        raise ValueError(
            "a map needs locations and weights of one shape and a positive length, got "
            f"{tuple(locations.shape)}, {tuple(weights.shape)} and {length}"
        )
    exact = torch.promote_types(weights.dtype, torch.float32)
    steps, shares = _interpolate(locations.to(exact), weights.to(exact), length)
    # One place before the sequence and one behind it take what lies outside.
    places = steps.clamp(-1, length).long() + 1
    full = shares.new_zeros(*locations.shape[:3], length + 2).scatter_add(-1, places, shares)
    return full[..., 1:-1].transpose(1, 2)


def _interpolate(locations: Tensor, weights: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """The two steps around every location, and what each of them weighs.

    Returns:
        Steps, whole numbers that may lie outside the sequence, and weights; ``[B, Q, H, 2 P]``.
    """
    positions = locations * length - 0.5
    lower = positions.detach().floor().nan_to_num()
    fraction = positions - lower
    steps = torch.cat([lower, lower + 1], dim=-1)
    return steps, torch.cat([weights * (1 - fraction), weights * fraction], dim=-1)


def _check(value: Tensor, locations: Tensor, weights: Tensor) -> None:
    fits = (
        value.dim() == locations.dim() == 4
        and locations.shape == weights.shape
        and (value.shape[0], value.shape[2]) == (locations.shape[0], locations.shape[2])
        and value.shape[1] > 0
    )
    if not fits:
        raise ValueError(
            "deformable attention takes value [B, T, H, D] with T > 0 and locations and weights "
            f"[B, Q, H, P], got {tuple(value.shape)}, {tuple(locations.shape)} and "
            f"{tuple(weights.shape)}"
        )
