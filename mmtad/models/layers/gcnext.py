"""The graph block of G-TAD."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from .masked_conv import zero_padding


def nearest_steps(x: Tensor, k: int, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The k steps of a sequence whose features are nearest to those of each step.

    Itself is one of them. Distances are Euclidean.

    Args:
        x: ``[B, C, T]``.
        k: Number of steps.
        mask: Bool ``[B, T]``: only steps where it is True are found; None for all.

    Returns:
        int64 ``[B, T, k]`` steps, nearest first, and bool ``[B, T, k]``, False where there were
        fewer than k; those repeat the step itself.

    Raises:
        ValueError: If the sequence has fewer than k steps.
    """
    if x.shape[-1] < k:
        raise ValueError(
            f"a graph of {k} nearest steps needs as many steps, got features of {tuple(x.shape)}"
        )
    x = x.detach()
    x = x if x.dtype == torch.float64 else x.float()
    with torch.autocast(x.device.type, enabled=False):
        squares = x.square().sum(1)
        closeness = 2 * (x.transpose(1, 2) @ x) - squares[:, None] - squares[:, :, None]
    if mask is not None:
        closeness = closeness.masked_fill(~mask[:, None], -torch.inf)
    values, steps = closeness.topk(k, dim=-1)
    found = values > -torch.inf
    itself = torch.arange(x.shape[-1], device=x.device)[:, None]
    return torch.where(found, steps, itself), found


def gather_steps(x: Tensor, steps: Tensor) -> Tensor:
    """Features of chosen steps.

    Args:
        x: ``[B, C, T]``.
        steps: int64 ``[B, T, k]``.

    Returns:
        ``[B, C, T, k]``.
    """
    index = steps.flatten(1)[:, None].expand(-1, x.shape[1], -1)
    return x.gather(2, index).unflatten(2, steps.shape[1:])


def mean_of_neighbours(x: Tensor, k: int, mask: Tensor | None = None) -> Tensor:
    """Mean feature of the k nearest steps, see :func:`nearest_steps`; ``[B, C, T]`` to the same."""
    steps, found = nearest_steps(x, k, mask)
    share = found / found.sum(-1, keepdim=True).clamp(min=1)
    return (gather_steps(x, steps) * share[:, None].to(x.dtype)).sum(-1)


class GCNeXt(BaseModule):
    """Residual block over two graphs: neighbours in time and neighbours in feature space.

    `G-TAD: Sub-Graph Localization for Temporal Action Detection
    <https://arxiv.org/abs/1911.11462>`_, section 3.2: ``ReLU(x + temporal(x) + semantic(x))``. The
    temporal branch is a grouped convolution between two of kernel 1. The semantic branch maps
    (neighbour, itself) for each of the k nearest steps and takes the maximum over them.

    The first map of the semantic branch is linear in (neighbour, itself) and so computed once per
    step rather than once per pair.

    Args:
        channels: Channels C of input and output.
        k: Neighbours in feature space.
        groups: Groups of the middle convolutions.
        group_width: Channels of a group.
        isolate_padding: Padded steps are nobody's neighbour, and the output is zero there. The
            public code lets them take part, as features like any others.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(
        self,
        channels: int,
        k: int = 3,
        groups: int = 32,
        group_width: int = 4,
        isolate_padding: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        width = groups * group_width
        self.k = k
        self.isolate_padding = isolate_padding
        self.temporal_in = nn.Conv1d(channels, width, 1)
        self.temporal_conv = nn.Conv1d(width, width, 3, padding=1, groups=groups)
        self.temporal_out = nn.Conv1d(width, channels, 1)
        self.semantic_in = nn.Conv1d(2 * channels, width, 1)
        self.semantic_conv = nn.Conv1d(width, width, 1, groups=groups)
        self.semantic_out = nn.Conv1d(width, channels, 1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: ``[B, C, T]``, zero at padded steps.
            mask: Bool ``[B, T]``, True = valid.

        Returns:
            ``[B, C, T]``.
        """
        hidden = F.relu(self.temporal_in(x))
        if self.isolate_padding:
            hidden = zero_padding(hidden, mask)
        out = x + self.temporal_out(F.relu(self.temporal_conv(hidden))) + self._semantic(x, mask)
        out = F.relu(out)
        return zero_padding(out, mask) if self.isolate_padding else out

    def _semantic(self, x: Tensor, mask: Tensor) -> Tensor:
        steps, _ = nearest_steps(x, self.k, mask if self.isolate_padding else None)
        of_neighbour, of_itself = self.semantic_in.weight.chunk(2, dim=1)
        pairs = gather_steps(F.conv1d(x, of_neighbour), steps)
        pairs = pairs + F.conv1d(x, of_itself, self.semantic_in.bias)[..., None]
        hidden = F.relu(self.semantic_conv(F.relu(pairs).flatten(2)))
        return self.semantic_out(hidden).unflatten(2, steps.shape[1:]).max(-1).values
