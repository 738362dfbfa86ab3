"""Sine codes of positions in [0, 1]: of the steps of a sequence and of the anchors of queries."""

import math

import torch
from torch import Tensor, nn

from .masked_conv import known_full


def sine_code(
    positions: Tensor, channels: int, temperature: float = 10000.0, scale: float = 2 * math.pi
) -> Tensor:
    """Sine (even channels) and cosine (odd ones) of ``scale p / temperature^(2 floor(c / 2) / C)``.

    `DETR <https://arxiv.org/abs/2005.12872>`_, one axis of its position encoding. The dot product
    of two codes of one temperature falls with the distance of their positions.

    Args:
        positions: ``[...]``, usually in [0, 1].
        channels: Channels C, even.
        temperature: Ratio of the longest wave to the shortest, roughly.
        scale: Factor of the positions.

    Returns:
        ``[..., C]`` in the dtype of the positions.

    Raises:
        ValueError: If the number of channels is odd.
    """
    if channels % 2:
        raise ValueError(f"a sine code needs an even number of channels, got {channels}")
    channel = torch.arange(channels // 2, device=positions.device, dtype=positions.dtype)
    angles = positions[..., None] * scale * temperature ** (-2 * channel / channels)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def unit_positions(mask: Tensor, offset: float = 0.0) -> Tensor:
    """Where the steps of sequences lie, as a share of the valid length.

    Args:
        mask: Bool ``[B, T]``, True = valid.
        offset: Steps added to the index, which starts from 1: 0 gives the ends of the steps as in
            DETR and TadTR, -0.5 their centres.

    Returns:
        float32 ``[B, T]``; padded steps have the position of the last valid one.
    """
    index = mask.cumsum(1, dtype=torch.float32)
    length = index[:, -1:].clamp(min=1)
    return (index + offset) / length


class SinePosition(nn.Module):
    """Fixed position codes of the steps of a sequence, without parameters.

    Args:
        channels: Channels C, even.
        temperature: See :func:`sine_code`.
        offset: See :func:`unit_positions`.
    """

    def __init__(self, channels: int, temperature: float = 10000.0, offset: float = -0.5) -> None:
        super().__init__()
        if channels % 2:
            raise ValueError(f"a sine code needs an even number of channels, got {channels}")
        self.channels = channels
        self.temperature = temperature
        self.offset = offset

    def forward(self, mask: Tensor) -> Tensor:
        """Code the steps.

        Args:
            mask: Bool ``[B, T]``, True = valid.

        Returns:
            float32 ``[B, T, C]``; one row for all samples where nothing is padded, on a CPU.
        """
        rows = mask[:1] if known_full(mask) else mask
        codes = sine_code(unit_positions(rows, self.offset), self.channels, self.temperature)
        return codes.expand(len(mask), -1, -1)
