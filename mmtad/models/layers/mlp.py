"""A small stack of linear layers, as the heads of query-based detectors have."""

import torch.nn.functional as F
from torch import Tensor, nn

from .channels_last import Linear


class MLP(nn.Module):
    """Linear layers with ReLU between them.

    Args:
        in_channels: Width of the input.
        hidden_channels: Width between the layers.
        out_channels: Width of the output.
        num_layers: Number of linear layers, at least 1.

    Raises:
        ValueError: If there is no layer.
    """

    def __init__(
        self, in_channels: int, hidden_channels: int, out_channels: int, num_layers: int
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"an MLP needs at least one layer, got num_layers={num_layers}")
        widths = [in_channels, *[hidden_channels] * (num_layers - 1), out_channels]
        self.layers = nn.ModuleList(
            Linear(before, after) for before, after in zip(widths, widths[1:], strict=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layers: ``[..., C_in]`` to ``[..., C_out]``."""
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)
