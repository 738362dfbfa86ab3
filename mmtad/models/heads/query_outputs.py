"""What detectors with queries predict."""

from dataclasses import dataclass, field

from torch import Tensor

from ..layers.attention_maps import AttentionMaps


@dataclass
class QueryOutputs:
    """Raw outputs of a detector with Q queries; lists run over layers, the last one last.

    Args:
        class_logits: Each ``[B, Q, K]``.
        segments: (centre, width) in unit, the share of the window's valid length; each ``[B, Q,
            2]``.
        memory: ``[B, T, C]``, what the queries look at.
        mask: Bool ``[B, T]``, True = valid.
        references: What each layer hands on to the next one; each ``[B, Q, 2]``.
        states: What the class heads see; each ``[B, Q, C]``.
        actionness: ``[B, Q]`` in [0, 1], how well the last segments fit an action; or None.
        maps: Attention maps if they were asked for.
    """

    class_logits: list[Tensor]
    segments: list[Tensor]
    memory: Tensor
    mask: Tensor
    references: list[Tensor] = field(default_factory=list)
    states: list[Tensor] = field(default_factory=list)
    actionness: Tensor | None = None
    maps: AttentionMaps | None = None
