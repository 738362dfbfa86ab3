"""The anchor-free head of TriDet, whose boundaries are expectations over neighbouring steps."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmtad.registry import MODELS

from ..layers import MaskedConv1d, resolve_preset
from ..losses import offset_iou_loss
from .actionformer_head import ActionFormerHead
from .anchor_free import ConvTower, concat_levels, init_class_prior
from .boundary_bins import expected_distances, first_bins, pad_and_join


class TridentOutputs(NamedTuple):
    """Raw outputs of :class:`TridentHead`, one entry per level.

    Attributes:
        class_logits: L tensors ``[B, K, T_l]``, zero at padded steps.
        offsets: L tensors ``[B, 2 (num_bins + 1), T_l]``, what the centre adds to the logits of the
            bins, those of the start first; >= 0, zero at padded steps.
        start_logits: L tensors ``[B, K, T_l]``, response of each class to a start at this step.
        end_logits: L tensors ``[B, K, T_l]``, response to an end.
    """

    class_logits: list[Tensor]
    offsets: list[Tensor]
    start_logits: list[Tensor]
    end_logits: list[Tensor]


@MODELS.register_module()
class TridentHead(ActionFormerHead):
    """Distances are expectations over bins, from a start, an end and a centre branch.

    `TriDet: Temporal Action Detection with Relative Boundary Modeling
    <https://arxiv.org/abs/2303.07347>`_. Points, targets, losses and selection are those of
    :class:`ActionFormerHead`, except that

    - the distance to a boundary is the expectation over ``num_bins + 1`` neighbouring steps
      (:func:`~mmtad.models.heads.boundary_bins.expected_distances`), so it is at most ``num_bins``
      strides and depends on the class; a point with two classes is regressed twice;
    - the start and end towers see the features without passing a gradient back to them;
    - the focal loss of a positive (point, class) is multiplied by ``IoU^iou_power`` of the segment
      it predicts. In the authors' code this factor passes a gradient to the offsets too.

    Distances are computed for positive or selected pairs only: time and memory do not grow with
    points times classes times bins.

    Args:
        num_classes: Number of classes K.
        in_channels: Channels of the pyramid.
        feat_channels: Channels of the four towers.
        num_convs: Convolutions of each tower before the last one.
        num_bins: Bins beside that of distance 0 (16 THUMOS14 and EPIC, 12 ActivityNet).
        boundary_kernel_size: Odd kernel of the start and end branches.
        iou_power: Exponent of the IoU (0.2 THUMOS14, 0.25 EPIC, 1 ActivityNet); 0 leaves the factor
            out.
        detach_iou: The factor passes no gradient.
        prior_prob: Probability that every class starts with; the start and end branches have a bias
            of zero or, in the preset ``official``, this one.
        offset_bias: What the regression bias starts with; 0 in the codes.
        empty_classes: Classes without a training instance; they start close to zero.
        preset: See :func:`~mmtad.models.layers.resolve_preset`.
        **kwargs: The other arguments of :class:`ActionFormerHead`.

    Raises:
        ValueError: If there is no bin, or ``loss_weight`` is neither ``"auto"`` nor a number >= 0.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 512,
        feat_channels: int = 512,
        num_convs: int = 2,
        num_bins: int = 16,
        boundary_kernel_size: int = 3,
        iou_power: float = 0.2,
        detach_iou: bool = False,
        prior_prob: float = 0.01,
        offset_bias: float = 0.0,
        empty_classes: Sequence[int] = (),
        preset: str = "padding_free",
        **kwargs,
    ) -> None:
        super().__init__(
            num_classes,
            in_channels,
            feat_channels,
            num_convs,
            prior_prob=prior_prob,
            empty_classes=empty_classes,
            preset=preset,
            **kwargs,
        )
        if num_bins < 1:
            raise ValueError(f"the trident head needs at least one bin, got num_bins={num_bins}")
        behaviour = resolve_preset(preset)
        self.num_bins = num_bins
        self.iou_power = iou_power
        self.detach_iou = detach_iou
        self.mask_boundary_logits = behaviour.mask_boundary_logits
        kernel_size = self.reg_out.kernel_size[0]
        self.reg_out = MaskedConv1d(feat_channels, 2 * (num_bins + 1), kernel_size)
        nn.init.constant_(self.reg_out.bias, offset_bias)
        for name in ("start", "end"):
            tower = ConvTower(
                in_channels, feat_channels, num_convs, boundary_kernel_size, behaviour
            )
            out = MaskedConv1d(feat_channels, num_classes, boundary_kernel_size)
            if behaviour.boundary_prior:
                init_class_prior(out.bias, prior_prob, empty_classes)
            self.add_module(f"{name}_tower", tower)
            self.add_module(f"{name}_out", out)

    def forward(self, features: Sequence[Tensor], masks: Sequence[Tensor]) -> TridentOutputs:
        """Run the four towers on every level.

        Args:
            features: L tensors ``[B, C, T_l]``.
            masks: L bool tensors ``[B, T_l]``, True = valid.

        Returns:
            Raw outputs per level.

        Raises:
            ValueError: If the number of levels is not that of the point generator.
        """
        logits, offsets = super().forward(features, masks)
        boundaries = [
            [self._boundary(name, x, mask) for x, mask in zip(features, masks, strict=True)]
            for name in ("start", "end")
        ]
        return TridentOutputs(logits, offsets, *boundaries)

    def _boundary(self, name: str, x: Tensor, mask: Tensor) -> Tensor:
        x = getattr(self, f"{name}_tower")(x.detach(), mask)
        shown = mask if self.mask_boundary_logits else torch.ones_like(mask)
        return getattr(self, f"{name}_out")(x, shown)

    def distances(self, outputs: TridentOutputs) -> Callable[..., Tensor]:
        """Prepare the predicted distances to start and end; they depend on the class.

        Args:
            outputs: Raw outputs.

        Returns:
            A function of samples, points and classes, indices ``[N]`` each (or one number), to
            distances over the stride ``[N, 2]``.
        """
        offsets = concat_levels(outputs.offsets)
        starts = pad_and_join(outputs.start_logits, self.num_bins, 0)
        ends = pad_and_join(outputs.end_logits, 0, self.num_bins)
        lengths = [x.shape[-1] for x in outputs.offsets]
        firsts = first_bins(lengths, self.num_bins, offsets.device)
        bins = torch.arange(self.num_bins + 1, device=offsets.device)

        def distances(samples: Tensor | int, points: Tensor, labels: Tensor) -> Tensor:
            columns = firsts[points][:, None] + bins
            rows = samples[:, None] if isinstance(samples, Tensor) else samples
            start_bins, end_bins = (x[rows, labels[:, None], columns] for x in (starts, ends))
            return expected_distances(start_bins, end_bins, offsets[samples, points])

        return distances

    def loss_sums(
        self, outputs: TridentOutputs, classes: Tensor, distances: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Sum both losses over the points.

        Args:
            outputs: Raw outputs.
            classes: ``[B, S, K]``, multi-hot; all zero = background or padding.
            distances: ``[B, S, 2]`` over the stride.
            valid: Bool ``[B, S]``.

        Returns:
            Classification and regression, scalars.
        """
        samples, points, labels = pairs = classes.nonzero(as_tuple=True)
        pred, target = self.distances(outputs)(*pairs), distances[samples, points]
        logits = concat_levels(outputs.class_logits)
        # The root of zero has an infinite slope; an IoU of zero needs an empty prediction.
        iou = (1 - offset_iou_loss(pred, target, "iou")).clamp(min=torch.finfo(pred.dtype).eps)
        factor = (iou.detach() if self.detach_iou else iou) ** self.iou_power
        weights = torch.ones_like(logits).index_put(pairs, factor)
        loss_cls = self.loss_cls(logits, self.smoothed(classes), valid, weights)
        loss_reg = self.loss_reg(pred, target, torch.ones_like(labels, dtype=torch.bool))
        return loss_cls, loss_reg
