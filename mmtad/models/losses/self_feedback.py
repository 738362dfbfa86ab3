"""The feedback of Self-DETR: self-attention is to follow what cross-attention has learned."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmtad.ops.attention_guidance import (
    DIRECTIONS,
    decoder_guidance,
    encoder_guidance,
    restrict_map,
    row_divergence,
)
from mmtad.registry import MODELS

from ..layers.attention_maps import AttentionMaps
from .attention_loss import AttentionLoss, check_choice, mean_over_rows, require_maps


@MODELS.register_module()
class SelfFeedbackLoss(AttentionLoss):
    """Brings self-attention close to the guidance that cross-attention gives.

    `Self-feedback DETR <https://arxiv.org/abs/2308.10570>`_. Stated by the paper: guidance maps
    (:mod:`mmtad.ops.attention_guidance`), that the cross-attention of all decoder layers is
    averaged before it guides the encoder, that the encoder's maps are multiplied while the
    decoder's are guided layer by layer, a KL divergence, and one weight for both terms.

    Our reading, where it is silent or its numbers are not legible: the direction of the divergence;
    that the guidance is not trained by this loss; that its rows are scaled to sum to 1; heads;
    padding; reduction; and 1 as the value of the weights.

    Args:
        weight_encoder: Factor of the encoder's term; 0 leaves it out.
        weight_decoder: Factor of the decoder's term; 0 leaves it out. With ``reduction="sum"`` take
            a share of ``1 / L`` for the same size.
        encoder_aggregation: ``"matmul"`` (paper), ``"average"`` or ``"last"`` (its ablation).
        decoder_aggregation: ``"layer"`` (paper), ``"average"`` or ``"last"`` (its ablation).
        direction: ``"guidance_to_map"``, KL(guidance || map), or ``"map_to_guidance"``, KL(map ||
            guidance); see :func:`mmtad.ops.attention_guidance.row_divergence`.
        detach_guidance: Keep the gradient from cross-attention, which could otherwise collapse to
            meet the collapsed self-attention.
        per_head: Compare every head of the decoder with the guidance of the same head of
            cross-attention; the encoder's heads are averaged in any case.
        reduction: ``"mean"`` or ``"sum"`` over the layers of the decoder.
        eps: Rows with less mass are empty: steps that no query looks at guide nothing.
        log_eps: Probabilities are at least this within logarithms. Where a map has less, it gets no
            gradient.

    Raises:
        ValueError: If a weight is negative or an option is unknown.
    """

    name = "feedback"

    def __init__(
        self,
        weight_encoder: float = 1.0,
        weight_decoder: float = 1.0,
        encoder_aggregation: str = "matmul",
        decoder_aggregation: str = "layer",
        direction: str = "guidance_to_map",
        detach_guidance: bool = True,
        per_head: bool = False,
        reduction: str = "mean",
        eps: float = 1e-6,
        log_eps: float = 1e-8,
    ) -> None:
        super().__init__(
            weight_encoder,
            weight_decoder,
            encoder_aggregation,
            decoder_aggregation,
            per_head,
            reduction,
            eps,
        )
        check_choice("direction", direction, DIRECTIONS)
        self.direction = direction
        self.detach_guidance = detach_guidance
        self.log_eps = log_eps

    def encoder_target(self, maps: AttentionMaps, mask: Tensor) -> Tensor:
        """Guidance of the encoder ``[B, T, T]``, from the mean over layers and heads."""
        require_maps(maps.cross, "cross-attention")
        layers = [restrict_map(x.mean(dim=1), mask, eps=self.eps) for x in self._cross(maps)]
        return encoder_guidance(torch.stack(layers).mean(dim=0), mask, self.eps)

    def decoder_targets(self, maps: AttentionMaps, mask: Tensor) -> list[Tensor]:
        """Guidance of the decoder's maps, ``[B, Q, Q]`` or ``[B, H, Q, Q]`` each."""
        require_maps(maps.cross, "cross-attention")
        cross = self.decoder_maps(self._cross(maps), mask)
        return [decoder_guidance(x, self.eps) for x in cross]

    def encoder_loss(self, encoder: Tensor, maps: AttentionMaps, mask: Tensor) -> Tensor:
        """See :meth:`AttentionLoss.encoder_loss`."""
        return self._divergence(encoder, self.encoder_target(maps, mask))

    def decoder_losses(
        self, decoder: Sequence[Tensor], maps: AttentionMaps, mask: Tensor
    ) -> list[Tensor]:
        """See :meth:`AttentionLoss.decoder_losses`."""
        targets = self.decoder_targets(maps, mask)
        if len(targets) != len(decoder) or targets[0].shape != decoder[0].shape:
            raise ValueError(
                "self- and cross-attention of the decoder have to go with each other, got "
                f"{len(decoder)} maps of shape {tuple(decoder[0].shape)} and guidance for "
                f"{len(targets)} of shape {tuple(targets[0].shape)}"
            )
        pairs = zip(decoder, targets, strict=True)
        return [self._divergence(attention, guidance) for attention, guidance in pairs]

    def _cross(self, maps: AttentionMaps) -> list[Tensor]:
        return [x.detach() for x in maps.cross] if self.detach_guidance else maps.cross

    def _divergence(self, attention: Tensor, guidance: Tensor) -> Tensor:
        kept = (guidance.detach().sum(dim=-1) > 0) & (attention.detach().sum(dim=-1) > 0)
        values = row_divergence(attention, guidance, self.direction, self.log_eps)
        return mean_over_rows(values, kept)
