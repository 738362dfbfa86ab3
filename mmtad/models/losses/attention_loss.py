"""What losses on attention maps share: which maps, which rows, which weights."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmtad.ops.attention_guidance import (
    DECODER_AGGREGATIONS,
    ENCODER_AGGREGATIONS,
    aggregate_decoder,
    aggregate_encoder,
    restrict_map,
)

from ..layers.attention_maps import AttentionMaps

REDUCTIONS = ("mean", "sum")


def mean_over_rows(values: Tensor, kept: Tensor) -> Tensor:
    """Mean over the kept rows of each sample, then over the samples that keep one.

    Args:
        values: ``[B, ..., R]``; others than the kept ones may have any value.
        kept: Bool, the same shape.

    Returns:
        Scalar; 0 if nothing is kept.
    """
    values = values.masked_fill(~kept, 0.0).flatten(1)
    count = kept.flatten(1).sum(dim=1)
    return (values.sum(dim=1) / count.clamp(min=1)).sum() / (count > 0).sum().clamp(min=1)


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raise a ValueError if a value is none of the choices."""
    if value not in choices:
        raise ValueError(f"{name} is one of {', '.join(choices)}, got {value!r}")


def require_maps(maps: Sequence[Tensor], part: str) -> None:
    """Raise a ValueError if there are no maps of a part."""
    if not maps:
        raise ValueError(
            f"a loss on attention needs maps of the {part}, and there are none; run the head with "
            "return_maps=True, or set the weight of that part to 0"
        )


class AttentionLoss(nn.Module):
    """Base of losses on the maps of encoder and decoder: which maps, which rows, which weights.

    All of this but "one term for the encoder and one for the decoder, weighted" is our reading:
    heads are averaged first, which keeps the sums of rows; rows and columns of padded steps do not
    count; values are averaged over rows, then over samples, and over what is left of the layers of
    the decoder (``reduction``).

    Args:
        weight_encoder: Factor of the encoder's term; 0 leaves it out.
        weight_decoder: Factor of the decoder's term; 0 leaves it out.
        encoder_aggregation: ``"matmul"`` (product of all layers, the last one on the left),
            ``"average"`` or ``"last"``.
        decoder_aggregation: ``"layer"`` (every layer), ``"average"`` or ``"last"``.
        per_head: Let the decoder's term see every head instead of their mean.
        reduction: ``"mean"`` or ``"sum"`` over the layers of the decoder.
        eps: Rows with less mass than this are empty.

    Attributes:
        name: Tells the terms of several such losses apart.

    Raises:
        ValueError: If a weight is negative or an option is unknown.
    """

    name = "attention"

    def __init__(
        self,
        weight_encoder: float = 1.0,
        weight_decoder: float = 1.0,
        encoder_aggregation: str = "matmul",
        decoder_aggregation: str = "layer",
        per_head: bool = False,
        reduction: str = "mean",
        eps: float = 1e-6,
    ) -> None:
        super().__init__()
        if min(weight_encoder, weight_decoder) < 0 or weight_encoder == weight_decoder == 0:
            raise ValueError(
                "weights of attention losses are at least 0 and not both 0, got "
                f"weight_encoder={weight_encoder} and weight_decoder={weight_decoder}"
            )
        check_choice("encoder_aggregation", encoder_aggregation, ENCODER_AGGREGATIONS)
        check_choice("decoder_aggregation", decoder_aggregation, DECODER_AGGREGATIONS)
        check_choice("reduction", reduction, REDUCTIONS)
        self.weight_encoder = weight_encoder
        self.weight_decoder = weight_decoder
        self.encoder_aggregation = encoder_aggregation
        self.decoder_aggregation = decoder_aggregation
        self.per_head = per_head
        self.reduction = reduction
        self.eps = eps

    def forward(self, maps: AttentionMaps, mask: Tensor) -> dict[str, Tensor]:
        """Compute the terms in at least float32, also under autocast.

        Args:
            maps: Of all layers of a detector.
            mask: Bool ``[B, T]``, True = valid.

        Returns:
            ``loss_{name}_encoder`` and ``loss_{name}_decoder``, weighted scalars; only those of a
            weight above 0.

        Raises:
            ValueError: If a part has a weight but no maps.
        """
        losses = {}
        with torch.autocast(mask.device.type, enabled=False):
            if self.weight_encoder:
                require_maps(maps.encoder, "encoder")
                encoder = self.encoder_map(maps, mask)
                loss = self.encoder_loss(encoder, maps, mask)
                losses[f"loss_{self.name}_encoder"] = self.weight_encoder * loss
            if self.weight_decoder:
                require_maps(maps.decoder, "decoder")
                terms = self.decoder_losses(self.decoder_maps(maps.decoder), maps, mask)
                total = sum(terms)
                loss = total / len(terms) if self.reduction == "mean" else total
                losses[f"loss_{self.name}_decoder"] = self.weight_decoder * loss
        return losses

    def encoder_map(self, maps: AttentionMaps, mask: Tensor) -> Tensor:
        """The one map of the encoder: ``[B, T, T]``, rows of valid steps sum to 1."""
        layers = [restrict_map(x.mean(dim=1), mask, mask, self.eps) for x in maps.encoder]
        result = aggregate_encoder(layers, self.encoder_aggregation)
        return restrict_map(result, eps=self.eps)

    def decoder_maps(self, maps: Sequence[Tensor], mask: Tensor | None = None) -> list[Tensor]:
        """Maps of the decoder as they are compared, ``[B, Q, *]`` or ``[B, H, Q, *]`` each."""
        if not self.per_head:
            maps = [x.mean(dim=1) for x in maps]
        return aggregate_decoder(
            [restrict_map(x, columns=mask, eps=self.eps) for x in maps], self.decoder_aggregation
        )

    def encoder_loss(self, encoder: Tensor, maps: AttentionMaps, mask: Tensor) -> Tensor:
        """Loss of the encoder's map ``[B, T, T]``."""
        raise NotImplementedError

    def decoder_losses(
        self, decoder: Sequence[Tensor], maps: AttentionMaps, mask: Tensor
    ) -> list[Tensor]:
        """Loss of each of the decoder's maps, ``[B, Q, Q]`` or ``[B, H, Q, Q]``."""
        raise NotImplementedError
