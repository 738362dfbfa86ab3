"""Dynamic interaction of SP-TAD: every proposal filters its own segment."""

import torch.nn.functional as F
from torch import Tensor, nn

from .channels_last import Linear


def dynamic_product(x: Tensor, weights: Tensor) -> Tensor:
    """Multiply the steps of every segment with the matrix of its proposal.

    Args:
        x: ``[B, N, P, C]``.
        weights: ``[B, N, C, D]``, or ``[1, N, C, D]`` where all samples share their proposals.

    Returns:
        ``[B, N, P, D]``.
    """
    if len(weights) == len(x):
        return x @ weights
    # One product per proposal over the steps of all samples, instead of a copy for each sample.
    batch, count, steps, channels = x.shape
    rows = x.transpose(0, 1).reshape(count, batch * steps, channels) @ weights[0]
    return rows.unflatten(1, (batch, steps)).transpose(0, 1)


class DynamicInteraction(nn.Module):
    """Two matrices made from a proposal's feature filter the steps of its segment.

    `SP-TAD <https://arxiv.org/abs/2109.08847>`_, section 3.3: a linear layer turns the proposal
    feature into two matrices, C x D and D x C, which the pooled steps pass one after the other.
    As in `Sparse R-CNN <https://arxiv.org/abs/2011.12450>`_, which the paper builds on, a layer
    norm and ReLU follow each product; then the P steps are flattened, projected to C and normalised
    once more. The paper does not print D; 64 is Sparse R-CNN's.

    Args:
        channels: Width C.
        hidden_channels: Width D between the two products.
        num_steps: Steps P of a pooled segment.
    """

    def __init__(self, channels: int = 256, hidden_channels: int = 64, num_steps: int = 16) -> None:
        super().__init__()
        self.hidden_channels = hidden_channels
        self.generator = Linear(channels, 2 * channels * hidden_channels)
        self.hidden_norm = nn.LayerNorm(hidden_channels)
        self.step_norm = nn.LayerNorm(channels)
        self.out_proj = Linear(num_steps * channels, channels)
        self.out_norm = nn.LayerNorm(channels)

    def generate(self, proposals: Tensor) -> tuple[Tensor, Tensor]:
        """Make the two matrices of every proposal.

        Args:
            proposals: ``[B, N, C]``.

        Returns:
            ``[B, N, C, D]`` and ``[B, N, D, C]``.
        """
        first, second = self.generator(proposals).chunk(2, dim=-1)
        hidden = self.hidden_channels
        return first.unflatten(-1, (-1, hidden)), second.unflatten(-1, (hidden, -1))

    def forward(self, proposals: Tensor, segments: Tensor) -> Tensor:
        """Filter the segments.

        Args:
            proposals: Features ``[B, N, C]``, or ``[1, N, C]`` shared by all samples.
            segments: Pooled segments ``[B, N, C, P]``.

        Returns:
            ``[B, N, C]``.
        """
        first, second = self.generate(proposals)
        x = segments.transpose(2, 3)
        x = F.relu(self.hidden_norm(dynamic_product(x, first)))
        x = F.relu(self.step_norm(dynamic_product(x, second)))
        return F.relu(self.out_norm(self.out_proj(x.flatten(2))))
