"""One detector for every method: encoder, projection, neck and head from the config."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from torch import Tensor

from mmtad.registry import MODELS
from mmtad.structures import TADDataSample

from ..layers import pool_mask, step_ratio


@MODELS.register_module()
class TADDetector(BaseModel):
    """Temporal action detector on raw video or on features.

    Inputs pass ``backbone`` (frames to features), ``projection`` (features to a pyramid), ``neck``
    and ``head``; all but the head may be missing. Everything inside works in grid units;
    predictions leave in seconds. They may reach beyond the video: post-processing limits them to
    it, after the suppression as public code does (see :class:`DetectionPostProcessor`).

    Args:
        head: Config of the head.
        backbone: Config of a video encoder ``(frames [B, C, T, H, W], length) -> [B, D, length]``,
            or ``-> list of [B, D_s, T_s]``, the stages of a backbone (:class:`StageEncoder`); None
            when the inputs are features.
        projection: Config of a module ``(x [B, C, T], mask [B, T]) -> (levels, masks)``; of stages,
            ``(stages, masks) -> (levels, masks)``.
        neck: Config of a module ``(levels, masks) -> (levels, masks)``.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(
        self,
        head: dict,
        backbone: dict | None = None,
        projection: dict | None = None,
        neck: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = None if backbone is None else MODELS.build(backbone)
        self.projection = None if projection is None else MODELS.build(projection)
        self.neck = None if neck is None else MODELS.build(neck)
        self.head = MODELS.build(head)

    def forward(
        self,
        inputs: Tensor,
        masks: Tensor,
        data_samples: Sequence[TADDataSample] | None = None,
        mode: str = "tensor",
    ) -> Any:
        """Run one of three modes, as MMEngine's runner asks for.

        Args:
            inputs: Frames ``[B, C, T, H, W]`` with a backbone, else features ``[B, C, T']``.
            masks: Bool ``[B, T']`` over feature steps, True = valid.
            data_samples: One per sample. ``loss`` needs their ``gt_instances`` (grid units),
                ``predict`` their ``grid``.
            mode: ``"tensor"``, ``"loss"`` or ``"predict"``.

        Returns:
            ``tensor``: raw outputs of the head. ``loss``: dict of scalars. ``predict``: the data
            samples with ``pred_instances`` in seconds.

        Raises:
            ValueError: If the mode is unknown, data samples are missing, or inputs have the wrong
            rank.
        """
        if mode == "tensor":
            return self.head(*self.extract_features(inputs, masks))
        if mode not in ("loss", "predict"):
            raise ValueError(f"mode is 'tensor', 'loss' or 'predict', got {mode!r}")
        if data_samples is None:
            raise ValueError(f"mode {mode!r} needs data_samples, one per input")
        if mode == "loss":
            return self.loss(inputs, masks, data_samples)
        return self.predict(inputs, masks, data_samples)

    def extract_features(self, inputs: Tensor, masks: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Compute what the head sees.

        Args:
            inputs: Frames ``[B, C, T, H, W]`` with a backbone, else features ``[B, C, T']``.
            masks: Bool ``[B, T']`` over feature steps, True = valid.

        Returns:
            Features ``[B, C, T_l]`` and bool masks ``[B, T_l]`` of L levels (one without a
            projection, or the stages of a backbone).

        Raises:
            ValueError: If the inputs do not have the rank that the backbone, or its absence, asks
            for.
        """
        return self._features(inputs, masks)[:2]

    def _features(self, inputs: Tensor, masks: Tensor) -> tuple[list[Tensor], list[Tensor], float]:
        """See :meth:`extract_features`; and how many grid units a step of the head's grid is.

        That is one, unless a backbone gives stages: heads then work in steps of the first stage.
        """
        expected = 3 if self.backbone is None else 5
        if inputs.dim() != expected:
            kind = "features [B, C, T]" if self.backbone is None else "frames [B, C, T, H, W]"
            raise ValueError(
                f"this detector takes {kind}, got inputs of shape {tuple(inputs.shape)}"
            )
        x = inputs if self.backbone is None else self._encode(inputs, masks.shape[-1])
        scale = 1.0
        if not isinstance(x, Tensor):
            scale = step_ratio(masks.shape[-1], x[0].shape[-1])
            masks = [pool_mask(masks, stage.shape[-1]) for stage in x]
        if self.projection is not None:
            features, level_masks = self.projection(x, masks)
        elif isinstance(x, Tensor):
            features, level_masks = [x], [masks]
        else:
            features, level_masks = list(x), masks
        if self.neck is not None:
            features, level_masks = self.neck(features, level_masks)
        return features, level_masks, scale

    def _encode(self, frames: Tensor, length: int) -> Tensor | Sequence[Tensor]:
        """Frames ``[B, C, T, H, W]`` to features ``[B, D, length]``, or stages."""
        if frames.dtype == torch.uint8:  # a data preprocessor that defers its normalisation
            return self.backbone(frames, length, prepare=self.data_preprocessor.normalize)
        return self.backbone(frames, length)

    def loss(
        self, inputs: Tensor, masks: Tensor, data_samples: Sequence[TADDataSample]
    ) -> dict[str, Tensor]:
        """Compute the losses.

        Args:
            inputs: See :meth:`forward`.
            masks: Bool ``[B, T']``.
            data_samples: With ``gt_instances`` in grid units.

        Returns:
            Scalars; MMEngine's ``parse_losses`` sums those whose key contains ``loss``.
        """
        features, level_masks, scale = self._features(inputs, masks)
        instances = [sample.gt_instances for sample in data_samples]
        if scale != 1:
            instances = [
                InstanceData(segments=truth.segments / scale, labels=truth.labels)
                for truth in instances
            ]
        return self.head.loss(features, level_masks, instances)

    def predict(
        self, inputs: Tensor, masks: Tensor, data_samples: Sequence[TADDataSample]
    ) -> list[TADDataSample]:
        """Detect actions, window by window, before suppression.

        Args:
            inputs: See :meth:`forward`.
            masks: Bool ``[B, T']``.
            data_samples: With ``grid`` in their metainfo.

        Returns:
            The samples, now with ``pred_instances``: ``segments`` in seconds, not yet limited to
            the video, ``scores``, ``labels``.
        """
        features, level_masks, scale = self._features(inputs, masks)
        for sample, found in zip(
            data_samples, self.head.predict(features, level_masks), strict=True
        ):
            sample.pred_instances = InstanceData(
                segments=sample.grid.to_seconds(found.segments * scale, clamp=False),
                scores=found.scores,
                labels=found.labels,
            )
        return list(data_samples)
