"""What Self-DETR compares its feedback with: other losses on the same attention maps."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmtad.ops.attention_diversity import CENTRES, attention_diversity
from mmtad.registry import MODELS

from ..layers.attention_maps import AttentionMaps
from .attention_loss import AttentionLoss, check_choice, mean_over_rows


@MODELS.register_module()
class IdentityAttentionLoss(AttentionLoss):
    """Alternative to the feedback: every step and query is to attend to itself.

    Self-DETR's ablation has an identity matrix in place of the guidance and reports no gain. The
    divergence from it is ``-log A[i, i]``; that maps are aggregated and weighted as in the feedback
    is our reading. Arguments of :class:`AttentionLoss`, of which this adds:

    Args:
        log_eps: Probabilities are at least this within logarithms.
        **kwargs: See :class:`AttentionLoss`.
    """

    name = "identity"

    def __init__(self, log_eps: float = 1e-8, **kwargs) -> None:
        super().__init__(**kwargs)
        self.log_eps = log_eps

    def encoder_loss(self, encoder: Tensor, maps: AttentionMaps, mask: Tensor) -> Tensor:
        """See :meth:`AttentionLoss.encoder_loss`."""
        return self._distance(encoder)

    def decoder_losses(
        self, decoder: Sequence[Tensor], maps: AttentionMaps, mask: Tensor
    ) -> list[Tensor]:
        """See :meth:`AttentionLoss.decoder_losses`."""
        return [self._distance(x) for x in decoder]

    def _distance(self, attention: Tensor) -> Tensor:
        kept = attention.detach().sum(dim=-1) > 0
        itself = attention.diagonal(dim1=-2, dim2=-1)
        return mean_over_rows(-itself.clamp(min=self.log_eps).log(), kept)


@MODELS.register_module()
class AttentionDiversityLoss(AttentionLoss):
    """Alternative to the feedback: rows of a map are to differ from each other, whatever they say.

    Self-DETR's ablation maximises the diversity of self-attention and reports no gain; how is not
    told. Our reading: ``exp(-d(A))`` of :func:`mmtad.ops.attention_diversity.attention_diversity`,
    which is 1 at the collapse and bounded by 0, or, denser as every pair of rows counts, the mean
    cosine between two rows.

    Args:
        measure: ``"residual"``, exp(-d(A)), or ``"cosine"``.
        centre: Of d(A), ``"median"`` or ``"mean"``.
        **kwargs: See :class:`AttentionLoss`.
    """

    name = "diversity"

    def __init__(self, measure: str = "residual", centre: str = "mean", **kwargs) -> None:
        super().__init__(**kwargs)
        check_choice("measure", measure, ("residual", "cosine"))
        check_choice("centre", centre, CENTRES)
        self.measure = measure
        self.centre = centre

    def encoder_loss(self, encoder: Tensor, maps: AttentionMaps, mask: Tensor) -> Tensor:
        """See :meth:`AttentionLoss.encoder_loss`."""
        return self._likeness(encoder)

    def decoder_losses(
        self, decoder: Sequence[Tensor], maps: AttentionMaps, mask: Tensor
    ) -> list[Tensor]:
        """See :meth:`AttentionLoss.decoder_losses`."""
        return [self._likeness(x) for x in decoder]

    def _likeness(self, attention: Tensor) -> Tensor:
        rows = attention.detach().sum(dim=-1) > 0
        count = rows.sum(dim=-1)
        if self.measure == "residual":
            values = torch.exp(-attention_diversity(attention, self.centre, rows))
        else:
            unit = attention / attention.square().sum(-1, keepdim=True).clamp(min=1e-12).sqrt()
            pairs = unit.sum(dim=-2).square().sum(dim=-1) - count  # the cosine with itself is 1
            values = pairs / (count * (count - 1)).clamp(min=1)
        return mean_over_rows(values.unsqueeze(-1), (count > 1).unsqueeze(-1))
