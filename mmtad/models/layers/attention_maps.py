"""What decoders of queries return, and the attention maps of a whole detector."""

from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class AttentionMaps:
    """Attention maps of a detector, layer by layer, before dropout.

    Args:
        encoder: Self-attention of the encoder, each ``[B, H, T, T]``.
        decoder: Self-attention among queries, each ``[B, H, Q, Q]``.
        cross: Attention of queries to steps, each ``[B, H, Q, T]``.
    """

    encoder: list[Tensor] = field(default_factory=list)
    decoder: list[Tensor] = field(default_factory=list)
    cross: list[Tensor] = field(default_factory=list)


@dataclass
class DecoderOutputs:
    """What L decoder layers give, the last layer last.

    Args:
        states: What the class heads see, each ``[B, Q, C]``.
        segments: Predicted segments, (centre, width) in unit, each ``[B, Q, 2]``.
        references: What each layer hands on to the next one, without gradient in most decoders;
            each ``[B, Q, 2]``, (centre, width) in unit.
        self_maps: Self-attention among queries, each ``[B, H, Q, Q]``; empty unless asked for.
        cross_maps: Attention to the memory, each ``[B, H, Q, T]``; empty unless asked for.
    """

    states: list[Tensor]
    segments: list[Tensor]
    references: list[Tensor] = field(default_factory=list)
    self_maps: list[Tensor] = field(default_factory=list)
    cross_maps: list[Tensor] = field(default_factory=list)
