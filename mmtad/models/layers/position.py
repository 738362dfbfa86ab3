"""Absolute positions of sequences of any length."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .masked_conv import zero_padding


def sinusoid_table(length: int, channels: int) -> Tensor:
    """Sine (even channels) and cosine (odd channels) of ``t / 10000^(2 floor(c / 2) / C)``.

    `Attention is all you need <https://arxiv.org/abs/1706.03762>`_, section 3.5.

    Args:
        length: Number of steps T.
        channels: Number of channels C.

    Returns:
        float32 ``[C, T]``.
    """
    channel = torch.arange(channels, dtype=torch.float64)
    frequency = 10000 ** (-2 * (channel // 2) / channels)
    angle = frequency[:, None] * torch.arange(length, dtype=torch.float64)
    return torch.where(channel[:, None] % 2 == 0, angle.sin(), angle.cos()).float()


class AbsolutePosition(nn.Module):
    """Adds a fixed sinusoidal table, divided by sqrt(C), to the valid steps.

    A sequence longer than the table gets the table stretched to its length by linear interpolation.

    Args:
        channels: Channels C of the input.
        max_seq_len: Length of the table in steps.
        by_valid_length: Stretch to the valid length of each sample, so that padding changes
            nothing. The public implementations stretch to the padded length.
    """

    def __init__(self, channels: int, max_seq_len: int, by_valid_length: bool = True) -> None:
        super().__init__()
        table = sinusoid_table(max_seq_len, channels) / channels**0.5
        self.register_buffer("table", table, persistent=False)
        self.by_valid_length = by_valid_length

    def _positions(self, length: int) -> Tensor:
        if length <= self.table.shape[1]:
            return self.table[:, :length]
        return F.interpolate(self.table[None], size=length, mode="linear", align_corners=False)[0]

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Add the positions.

        Args:
            x: ``[B, C, T]``.
            mask: Bool ``[B, T]``, True = valid.

        Returns:
            ``[B, C, T]``.
        """
        length = x.shape[-1]
        positions = self._positions(length)[None]
        if self.by_valid_length and length > self.table.shape[1]:
            steps = torch.arange(1, length + 1, device=mask.device)
            ends = (mask * steps).amax(dim=1).tolist()
            positions = torch.stack(
                [F.pad(self._positions(end), (0, length - end)) for end in ends]
            )
        return x + zero_padding(positions.to(x.dtype), mask)
