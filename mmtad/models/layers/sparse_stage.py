"""One refinement stage of SP-TAD: proposals look at each other, then each at its own segment."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmtad.ops import assign_levels, enlarge_segments, soi_align

from .dynamic_interaction import DynamicInteraction
from .feed_forward import FeedForward
from .mlp import MLP
from .multihead_attention import MultiheadAttention
from .refinement import refine

MAX_LOG_WIDTH = math.log(1e5 / 16)  # Detectron2's limit of one step of refinement


def refine_by_deltas(segments: Tensor, deltas: Tensor) -> Tensor:
    """Move by half of the first offset in widths, scale by e to the second.

    `Sparse R-CNN <https://arxiv.org/abs/2011.12450>`_: ``c + w d_c / 2``, ``w exp(d_w)``.

    Args:
        segments: ``[..., 2]`` centre and width, in any unit.
        deltas: ``[..., 2]``.

    Returns:
        ``[..., 2]`` centre and width; nothing keeps them within the window.
    """
    (center, width), (move, scale) = segments.unbind(-1), deltas.unbind(-1)
    scaled = width * scale.clamp(max=MAX_LOG_WIDTH).exp()
    return torch.stack([center + width * move / 2, scaled], dim=-1)


REFINEMENTS = {"deltas": refine_by_deltas, "sigmoid": refine}


def resolve_refinement(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """Refinement of a name; raises a ValueError for an unknown one."""
    if name not in REFINEMENTS:
        raise ValueError(f"refinement is one of {sorted(REFINEMENTS)}, got {name!r}")
    return REFINEMENTS[name]


class StageOutputs(NamedTuple):
    """What a stage gives.

    Attributes:
        states: Proposal features ``[B, N, C]``.
        class_logits: ``[B, N, K]``.
        segments: ``[B, N, 2]`` centre and width in unit, at least float32.
        attention_map: Self-attention ``[B, H, N, N]``, or None.
    """

    states: Tensor
    class_logits: Tensor
    segments: Tensor
    attention_map: Tensor | None


class SparseStage(nn.Module):
    """Self-attention, SoI-Align, dynamic interaction, feed-forward, then classes and segments.

    `SP-TAD <https://arxiv.org/abs/2109.08847>`_, section 3.3, in the order and with the norms of
    `Sparse R-CNN <https://arxiv.org/abs/2011.12450>`_, which it builds on: every residual is
    followed by a layer norm. Classes come from one linear layer, segments from three with ReLU.

    Not printed in the paper, and our choice: 16 steps of a pooled segment, two positions in each
    (Sparse R-CNN 7 and 2); 8 heads, a hidden width of 2048 and no dropout (Sparse R-CNN's);
    the level of a segment follows from its length before it is enlarged.

    Args:
        num_classes: Number of classes K.
        channels: Width C.
        num_heads: Heads H of the self-attention.
        hidden_channels: Hidden width of the feed-forward network.
        dynamic_channels: See :class:`DynamicInteraction`.
        soi_steps: Steps of a pooled segment.
        sampling_ratio: Positions in each of them.
        eta: See :func:`~mmtad.ops.enlarge_segments`.
        refinement: ``"deltas"`` of Sparse R-CNN, or ``"sigmoid"``; the paper does not say.
        dropout: Chance that an attention weight or an output value is dropped.

    Raises:
        ValueError: If the refinement is unknown, or ``soi_steps``, ``sampling_ratio`` or ``eta`` is
            not positive.
    """

    def __init__(
        self,
        num_classes: int,
        channels: int = 256,
        num_heads: int = 8,
        hidden_channels: int = 2048,
        dynamic_channels: int = 64,
        soi_steps: int = 16,
        sampling_ratio: int = 2,
        eta: float = 5.0,
        refinement: str = "deltas",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        for name, value in dict(
            soi_steps=soi_steps, sampling_ratio=sampling_ratio, eta=eta
        ).items():
            if not value > 0:
                raise ValueError(f"{name} of a stage must be positive, got {value}")
        self.soi_steps = soi_steps
        self.sampling_ratio = sampling_ratio
        self.eta = eta
        self.refine = resolve_refinement(refinement)
        self.self_attention = MultiheadAttention(channels, num_heads, dropout)
        self.interaction = DynamicInteraction(channels, dynamic_channels, soi_steps)
        self.feed_forward = FeedForward(channels, hidden_channels, dropout)
        self.attention_norm = nn.LayerNorm(channels)
        self.interaction_norm = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels, num_classes)
        self.regressor = MLP(channels, channels, 2, num_layers=3)

    def forward(
        self,
        states: Tensor,
        segments: Tensor,
        levels: Sequence[Tensor],
        lengths: Sequence[Tensor],
        return_map: bool = False,
    ) -> StageOutputs:
        """Refine the proposals.

        Args:
            states: Proposal features ``[B, N, C]``, or ``[1, N, C]`` where all samples have the
                same, as in the first stage; what depends on them alone is then computed once.
            segments: ``[B, N, 2]`` or ``[1, N, 2]``, centre and width in unit.
            levels: L tensors ``[B, C, T_l]``, zero at padded steps.
            lengths: L tensors ``[B]``, see :func:`~mmtad.ops.soi_align`.
            return_map: Return the map of the self-attention too.

        Returns:
            The refined proposals.
        """
        mixed, weights = self.self_attention(states, states, states, return_map=return_map)
        states = self.attention_norm(states + self.dropout(mixed))
        pooled = soi_align(
            levels,
            lengths,
            enlarge_segments(segments, self.eta),
            assign_levels(segments[..., 1], len(levels)),
            self.soi_steps,
            self.sampling_ratio,
        )
        filtered = self.interaction(states, pooled)
        states = self.feed_forward(self.interaction_norm(states + self.dropout(filtered)))
        deltas = self.regressor(states)
        exact = torch.promote_types(deltas.dtype, torch.float32)
        refined = self.refine(segments.to(exact), deltas.to(exact))
        return StageOutputs(states, self.classifier(states), refined, weights)
