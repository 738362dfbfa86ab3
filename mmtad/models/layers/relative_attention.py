"""Relative attention: scores of self-attention that know how far query and key lie apart.

Self-DETR tries "relative attention" against the collapse of attention and reports no gain; which
kind is not told. Our reading: a learned bias of the scores per head, along time in the encoder and
between anchors in the decoder. Both start at 0, that is as the plain attention.
"""

import torch
from torch import Tensor, nn

from mmtad.registry import MODELS

from .mlp import MLP


@MODELS.register_module()
class RelativeTimeBias(nn.Module):
    """One learned number per head and distance in steps, as in T5 without its coarse bins.

    `Self-attention with relative position representations <https://arxiv.org/abs/1803.02155>`_
    clips distances alike.

    Args:
        num_heads: Heads H.
        max_distance: Steps; pairs further apart share the number of this distance.

    Raises:
        ValueError: If ``max_distance`` is below 1.
    """

    def __init__(self, num_heads: int, max_distance: int = 64) -> None:
        super().__init__()
        if max_distance < 1:
            raise ValueError(f"max_distance must be at least 1 step, got {max_distance}")
        self.max_distance = max_distance
        self.table = nn.Parameter(torch.zeros(num_heads, 2 * max_distance + 1))

    def forward(self, length: int) -> Tensor:
        """Bias of the scores.

        Args:
            length: Steps T.

        Returns:
            ``[1, H, T, T]``; the row is the step that looks.
        """
        step = torch.arange(length, device=self.table.device)
        distance = (step - step[:, None]).clamp(-self.max_distance, self.max_distance)
        return self.table[:, distance + self.max_distance][None]


@MODELS.register_module()
class RelativeAnchorBias(nn.Module):
    """A learned function of where another anchor lies, and how wide it is, seen from one's own.

    An MLP reads ``sign(d) log(1 + |d|)`` with ``d = (c_j - c_i) / w_i``, and ``log(w_j / w_i)``:
    the measures of `Relation networks <https://arxiv.org/abs/1711.11575>`_ along time, with a side.

    Args:
        num_heads: Heads H.
        hidden_channels: Width inside the MLP.
        min_width: Widths are at least this, in unit.
    """

    def __init__(self, num_heads: int, hidden_channels: int = 64, min_width: float = 1e-3) -> None:
        super().__init__()
        self.min_width = min_width
        self.mlp = MLP(2, hidden_channels, num_heads, num_layers=2)
        nn.init.zeros_(self.mlp.layers[-1].weight)
        nn.init.zeros_(self.mlp.layers[-1].bias)

    def forward(self, anchors: Tensor) -> Tensor:
        """Bias of the scores.

        Args:
            anchors: ``[B, Q, 2]`` (centre, width) in unit.

        Returns:
            ``[B, H, Q, Q]``; the row is the query that looks.
        """
        centre = anchors[..., 0]
        width = anchors[..., 1].clamp(min=self.min_width)
        apart = (centre[:, None, :] - centre[:, :, None]) / width[:, :, None]
        near = apart.sign() * apart.abs().log1p()
        ratio = width.log()[:, None, :] - width.log()[:, :, None]
        return self.mlp(torch.stack([near, ratio], dim=-1)).permute(0, 3, 1, 2)
