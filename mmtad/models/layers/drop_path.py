"""Learnable scales and stochastic depth."""

import torch
from torch import Tensor, nn


class ScaledDropPath(nn.Module):
    """Learnable scale per channel, then stochastic depth per sample.

    Scales of `Going deeper with Image Transformers <https://arxiv.org/abs/2103.17239>`_,
    with `stochastic depth <https://arxiv.org/abs/1603.09382>`_. The public ActionFormer code leaves
    the scale out when the rate is 0; here it is always there, so that the rate never changes the
    parameters.

    Args:
        channels: Size of the last dimension of the input.
        drop_prob: Chance that the branch of a sample is dropped in training.
        init_scale: Value that the scales start with.

    Raises:
        ValueError: If ``drop_prob`` is not in [0, 1).
    """

    def __init__(self, channels: int, drop_prob: float = 0.0, init_scale: float = 1e-4) -> None:
        super().__init__()
        if not 0 <= drop_prob < 1:
            raise ValueError(f"a drop-path rate lies in [0, 1), got {drop_prob}")
        self.drop_prob = drop_prob
        self.scale = nn.Parameter(torch.full((channels,), init_scale))

    def forward(self, x: Tensor) -> Tensor:
        """Scale; in training, drop whole samples and enlarge the rest to keep the mean.

        Args:
            x: ``[B, ..., C]``.

        Returns:
            The same shape.
        """
        scale = self.scale
        if self.training and self.drop_prob > 0:
            keep_prob = 1 - self.drop_prob
            kept = torch.empty(x.shape[0], *[1] * (x.dim() - 1), device=x.device, dtype=scale.dtype)
            scale = scale * kept.bernoulli_(keep_prob).div_(keep_prob)
        return x * scale


class LevelScale(nn.Module):
    """One learnable factor, as `FCOS <https://arxiv.org/abs/1904.01355>`_ has one per level.

    Args:
        init_scale: Value that the factor starts with.
    """

    def __init__(self, init_scale: float = 1.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(float(init_scale)))

    def forward(self, x: Tensor) -> Tensor:
        """Multiply a tensor of any shape by the factor."""
        return x * self.scale
