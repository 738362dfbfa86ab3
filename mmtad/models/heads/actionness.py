"""How well the segment of a query fits an action, read from the features within it."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmtad.ops import roi_align1d
from mmtad.registry import MODELS
from mmtad.structures import centerwidth_to_segment, segment_iou

from ..layers.masked_conv import known_full
from ..layers.mlp import MLP
from ..layers.query_presets import resolve_query_preset
from ..task_modules.hungarian_matcher import SetTargets


@MODELS.register_module()
class ActionnessRegressor(BaseModule):
    """Predicts the largest IoU of a query's segment with an action.

    `TadTR <https://arxiv.org/abs/2106.10271>`_, actionness regression: the segment is enlarged, cut
    into ``roi_size`` bins of the encoder's memory by RoI align and mapped to one number by three
    linear layers. The score of a query is its class probability times this number. Segments get no
    gradient.

    Args:
        embed_dims: Width C of the memory.
        roi_size: Bins of a segment.
        extend_ratio: Enlargement of a segment at each side, in its length.
        loss_weight: Weight of the L1 loss, a mean over all queries of the batch.
        preset: See :func:`~mmtad.models.layers.resolve_query_preset`. In ours, RoIs lie within the
            valid steps, at least one step long, and an action of another video is no target.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        roi_size: int = 16,
        extend_ratio: float = 0.25,
        loss_weight: float = 4.0,
        preset: str = "padding_free",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.behaviour = resolve_query_preset(preset)
        self.embed_dims, self.preset = embed_dims, preset
        self.roi_size = roi_size
        self.extend_ratio = extend_ratio
        self.loss_weight = loss_weight
        self.mlp = MLP(roi_size * embed_dims, embed_dims, 1, num_layers=3)

    def forward(self, memory: Tensor, mask: Tensor, segments: Tensor) -> Tensor:
        """Predict.

        Args:
            memory: ``[B, T, C]``; padded steps may hold anything.
            mask: Bool ``[B, T]``, True = valid; valid steps first.
            segments: ``[B, Q, 2]`` (centre, width) in unit.

        Returns:
            ``[B, Q]`` in [0, 1], at least float32.
        """
        features = self.roi_features(memory, mask, self.rois(mask, segments))
        logits = self.mlp(features.flatten(2)).squeeze(-1)
        return logits.to(torch.promote_types(logits.dtype, torch.float32)).sigmoid()

    def rois(self, mask: Tensor, segments: Tensor) -> Tensor:
        """Enlarge segments and limit them to the sequence.

        Args:
            mask: Bool ``[B, T]``.
            segments: ``[B, Q, 2]`` (centre, width) in unit.

        Returns:
            Start and end in steps ``[B, Q, 2]``, without gradient.
        """
        exact = torch.promote_types(segments.dtype, torch.float32)
        centre, width = segments.detach().to(exact).unbind(-1)
        enlarged = torch.stack([centre, width * (1 + 2 * self.extend_ratio)], dim=-1)
        if self.behaviour.rois_by_padded_length:
            length = mask.shape[1]
            return (centerwidth_to_segment(enlarged) * length).clamp(min=0, max=length)
        valid = mask.sum(1).clamp(min=1).to(exact)[:, None]
        start, end = (centerwidth_to_segment(enlarged) * valid[..., None]).unbind(-1)
        # RoI align takes at least one step from the start on, which is not to be padding.
        start = torch.minimum(start.clamp(min=0), valid - 1)
        return torch.stack([start, torch.maximum(torch.minimum(end, valid), start + 1)], dim=-1)

    def roi_features(self, memory: Tensor, mask: Tensor, rois: Tensor) -> Tensor:
        """Read the memory.

        Args:
            memory: ``[B, T, C]``.
            mask: Bool ``[B, T]``.
            rois: ``[B, Q, 2]`` in steps.

        Returns:
            ``[B, Q, C, P]``, P bins.
        """
        if self.behaviour.half_precision_rois:
            memory, rois = memory.half().to(memory.dtype), rois.half().to(rois.dtype)
        if not self.behaviour.rois_by_padded_length and not known_full(mask):
            # The last valid step stands in for the padding, as roi_align1d does behind the end.
            last = mask.sum(1, keepdim=True).sub(1).clamp(min=0)
            steps = torch.arange(mask.shape[1], device=mask.device).minimum(last)
            memory = memory.gather(1, steps[..., None].expand_as(memory))
        return roi_align1d(memory.transpose(1, 2), rois, self.roi_size)

    def loss(self, actionness: Tensor, segments: Tensor, targets: Sequence[SetTargets]) -> Tensor:
        """Compute the loss.

        Args:
            actionness: ``[B, Q]``.
            segments: ``[B, Q, 2]`` (centre, width) in unit.
            targets: B windows.

        Returns:
            Weighted scalar.
        """
        wanted = self.target(segments.detach(), [target.segments for target in targets])
        return self.loss_weight * F.l1_loss(actionness, wanted.to(actionness.dtype))

    def target(self, segments: Tensor, actions: Sequence[Tensor]) -> Tensor:
        """Find the largest IoU of every segment with an action.

        Args:
            segments: ``[B, Q, 2]`` (centre, width) in unit.
            actions: B tensors ``[N, 2]``, start and end in unit.

        Returns:
            ``[B, Q]``, 0 where there is no action.
        """
        pairs = centerwidth_to_segment(segments)
        if self.behaviour.shared_actionness_targets:
            actions = [torch.cat(list(actions))] * len(pairs)
        most = max((len(one) for one in actions), default=0)
        if most == 0:
            return pairs.new_zeros(pairs.shape[:2])
        # A segment of no length overlaps nothing.
        padded = [F.pad(one, (0, 0, 0, most - len(one))) for one in actions]
        return segment_iou(pairs, torch.stack(padded).to(pairs.dtype)).amax(-1)
