"""The feed-forward part of transformer layers that normalise last."""

from torch import Tensor, nn

from .channels_last import Linear

ACTIVATIONS = {"relu": nn.ReLU, "prelu": nn.PReLU}


def build_activation(name: str) -> nn.Module:
    """Activation of a name.

    Raises:
        ValueError: If the name is unknown.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}, got {name!r}")
    return ACTIVATIONS[name]()


class FeedForward(nn.Module):
    """``LayerNorm(x + W_2 activation(W_1 x))`` of every step, with dropout after both products.

    `Attention is all you need <https://arxiv.org/abs/1706.03762>`_, section 3.3.

    Args:
        embed_dims: Width C.
        hidden_channels: Width between the two layers.
        dropout: Chance that a value is dropped in training.
        activation: ``"relu"``, or ``"prelu"`` with a slope that is learnt.

    Raises:
        ValueError: If the activation is unknown.
    """

    def __init__(
        self,
        embed_dims: int,
        hidden_channels: int,
        dropout: float = 0.0,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        self.expand = Linear(embed_dims, hidden_channels)
        self.reduce = Linear(hidden_channels, embed_dims)
        self.activation = build_activation(activation)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(embed_dims)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer: ``[B, T, C]`` to ``[B, T, C]``."""
        hidden = self.dropout(self.activation(self.expand(x)))
        return self.norm(x + self.dropout(self.reduce(hidden)))
