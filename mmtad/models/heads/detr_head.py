"""The head of DETR-style detectors: encoder, decoder of queries, classifiers and set loss."""

import inspect
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmtad.registry import MODELS
from mmtad.structures import centerwidth_to_segment

from ..layers import fill_padding
from ..layers.attention_maps import AttentionMaps
from ..layers.query_presets import resolve_query_preset
from ..layers.sine_position import SinePosition
from ..losses.set_criterion import make_targets
from .anchor_free import init_class_prior, select_candidates
from .query_outputs import QueryOutputs


@MODELS.register_module()
class DETRHead(BaseModule):
    """A transformer whose Q queries each predict one segment and its classes.

    `DETR <https://arxiv.org/abs/2005.12872>`_ along time. The encoder and the decoder make the
    method: DAB-DETR, Deformable DETR; with ``actionness`` TadTR, with ``feedback`` Self-DETR. The
    score of a query is ``sigmoid(class logit)``, times its actionness if there is one.

    Segments inside are (centre, width) in *unit*, the share of the valid length of the window
    (grid index / valid length), so that padding changes nothing.

    Args:
        num_classes: Number of classes K.
        encoder: Config of a module ``(x [B, T, C], positions, mask, return_maps) -> (memory,
            maps)``; None for none.
        decoder: Config of a module ``(memory, positions, mask, query_code, return_maps) ->
            DecoderOutputs`` with the attributes ``embed_dims``, ``num_layers`` and ``num_queries``.
        position: Arguments of :class:`~mmtad.models.layers.SinePosition` other than the channels;
            the offset defaults to the preset's.
        criterion: Config of the set loss.
        actionness: Config of an :class:`ActionnessRegressor`; None for none.
        feedback: Config of a loss on attention maps ``(AttentionMaps, mask) -> dict``, or a list of
            such configs; None for none.
        shared_classifier: One classifier for all layers as in DAB-DETR, or one each.
        prior_prob: Probability that every class starts with.
        merge_labels: See :func:`~mmtad.models.losses.make_targets`.
        max_per_window: Most predictions of a window, the best pairs of query and class.
        score_threshold: Predictions must score above this.
        preset: See :func:`~mmtad.models.layers.resolve_query_preset`; encoder, decoder and
            actionness take over that of the head.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If ``num_classes`` or ``max_per_window`` is below 1, the preset is unknown, or
            the parts do not fit each other.
    """

    def __init__(
        self,
        num_classes: int,
        decoder: dict,
        encoder: dict | None = None,
        position: dict | None = None,
        criterion: dict | None = None,
        actionness: dict | None = None,
        feedback: dict | Sequence[dict] | None = None,
        shared_classifier: bool = True,
        prior_prob: float = 0.01,
        merge_labels: bool = True,
        max_per_window: int = 200,
        score_threshold: float = 0.0,
        preset: str = "padding_free",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        for name, value in (("num_classes", num_classes), ("max_per_window", max_per_window)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        behaviour = resolve_query_preset(preset)
        self.use_mask, self.zero_padding = behaviour.use_mask, behaviour.zero_padding
        self.num_classes = num_classes
        self.merge_labels = merge_labels
        self.max_per_window = max_per_window
        self.score_threshold = score_threshold
        self.encoder = _build_part(encoder, preset)
        self.decoder = _build_part(decoder, preset)
        width, depth = self.decoder.embed_dims, self.decoder.num_layers
        offset = dict(offset=behaviour.position_offset)
        self.position = SinePosition(width, **(offset | dict(position or {})))
        self.classifiers = nn.ModuleList(
            nn.Linear(width, num_classes) for _ in range(1 if shared_classifier else depth)
        )
        for classifier in self.classifiers:
            init_class_prior(classifier.bias, prior_prob)
        self.criterion = MODELS.build(dict(type="mmtad.SetCriterion") | dict(criterion or {}))
        self.actionness = _build_part(actionness, preset)
        parts = dict(encoder=self.encoder, decoder=self.decoder, actionness=self.actionness)
        _check_parts(parts, preset)
        feedback = [feedback] if isinstance(feedback, dict) else list(feedback or ())
        self.feedback = nn.ModuleList(MODELS.build(config) for config in feedback)

    def forward(
        self,
        features: Sequence[Tensor],
        masks: Sequence[Tensor],
        query_code: Tensor | None = None,
        return_maps: bool = False,
    ) -> QueryOutputs:
        """Decode the queries.

        Args:
            features: One tensor ``[B, C, T]``; padded steps may hold anything.
            masks: One bool tensor ``[B, T]``, True = valid.
            query_code: ``[B, C]``, added to every content query; None for nothing.
            return_maps: Return the attention maps too.

        Returns:
            The outputs of all decoder layers.

        Raises:
            ValueError: If there are several levels, or they do not have the width of the decoder.
        """
        if len(features) != 1:
            raise ValueError(
                f"queries look at one level, got {len(features)}; leave the pyramid out of the "
                "projection or the neck"
            )
        if (found := features[0].shape[1]) != self.decoder.embed_dims:
            raise ValueError(
                f"the features have {found} channels and the decoder a width of "
                f"{self.decoder.embed_dims}; set out_channels of the projection to that"
            )
        x = fill_padding(features[0], masks[0]) if self.zero_padding else features[0]
        mask = masks[0] if self.use_mask else torch.ones_like(masks[0])
        memory, positions = x.transpose(1, 2), self.position(mask).to(x.dtype)
        encoder_maps: list[Tensor] = []
        if self.encoder is not None:
            memory, encoder_maps = self.encoder(memory, positions, mask, return_maps=return_maps)
        decoded = self.decoder(
            memory, positions, mask, query_code=query_code, return_maps=return_maps
        )
        shared = len(self.classifiers) == 1
        logits = [
            self.classifiers[0 if shared else layer](state)
            for layer, state in enumerate(decoded.states)
        ]
        actionness = None
        if self.actionness is not None:
            actionness = self.actionness(memory, mask, decoded.segments[-1])
        maps = AttentionMaps(encoder_maps, decoded.self_maps, decoded.cross_maps)
        return QueryOutputs(
            class_logits=logits,
            segments=decoded.segments,
            memory=memory,
            mask=mask,
            references=decoded.references,
            states=decoded.states,
            actionness=actionness,
            maps=maps if return_maps else None,
        )

    def loss(
        self,
        features: Sequence[Tensor],
        masks: Sequence[Tensor],
        instances: Sequence[InstanceData],
        query_code: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Compute the losses, in at least float32 also under autocast.

        Args:
            features: One tensor ``[B, C, T]``.
            masks: One bool tensor ``[B, T]``, True = valid.
            instances: Ground truth of B samples: ``segments`` ``[N, 2]`` in grid units and
                ``labels`` int64 ``[N]``; N may be 0.
            query_code: See :meth:`forward`.

        Returns:
            See :class:`~mmtad.models.losses.SetCriterion`; also ``loss_actionness`` and the losses
            of ``feedback``.
        """
        outputs = self(features, masks, query_code, return_maps=len(self.feedback) > 0)
        with torch.autocast(masks[0].device.type, enabled=False):
            return self.loss_by_outputs(outputs, instances)

    def loss_by_outputs(
        self, outputs: QueryOutputs, instances: Sequence[InstanceData]
    ) -> dict[str, Tensor]:
        """Compute the losses of given raw outputs; see :meth:`loss`."""
        targets = make_targets(instances, outputs.mask, self.num_classes, self.merge_labels)
        losses = self.criterion(outputs.class_logits, outputs.segments, targets)
        if self.actionness is not None:
            losses["loss_actionness"] = self.actionness.loss(
                outputs.actionness, outputs.segments[-1], targets
            )
        for feedback in self.feedback:
            losses.update(feedback(outputs.maps, outputs.mask))
        return losses

    @torch.no_grad()
    def predict(self, features: Sequence[Tensor], masks: Sequence[Tensor]) -> list[InstanceData]:
        """Detect actions, before suppression.

        Args:
            features: One tensor ``[B, C, T]``.
            masks: One bool tensor ``[B, T]``, True = valid.

        Returns:
            B instances with ``segments`` ``[N, 2]`` in grid units, ``scores`` ``[N]`` in falling
            order and ``labels`` int64 ``[N]``; N is at most ``max_per_window``.
        """
        outputs = self(features, masks)
        exact = torch.promote_types(outputs.class_logits[-1].dtype, torch.float32)
        scores = outputs.class_logits[-1].to(exact).sigmoid()
        if outputs.actionness is not None:
            scores = scores * outputs.actionness.to(exact)[..., None]
        lengths = outputs.mask.sum(1)[:, None, None]
        segments = centerwidth_to_segment(outputs.segments[-1].to(exact)) * lengths
        return [
            select_candidates(pairs, of_pairs, self.score_threshold, self.max_per_window, -1.0)
            for pairs, of_pairs in zip(segments, scores, strict=True)
        ]


def _build_part(config: dict | None, preset: str) -> nn.Module | None:
    """Build a part, with the preset of the head if it has one and names none."""
    if config is None:
        return None
    kind = config.get("type")
    kind = MODELS.get(kind) if isinstance(kind, str) else kind
    if kind is not None and "preset" in inspect.signature(kind).parameters:
        config = dict(preset=preset) | dict(config)
    return MODELS.build(config)


def _check_parts(parts: dict[str, nn.Module | None], preset: str) -> None:
    """Check that the parts of a head agree, as far as they tell."""
    decoder = parts["decoder"]
    for name in ("num_layers", "num_queries"):
        if (value := getattr(decoder, name)) < 1:
            raise ValueError(f"{name} of the decoder must be at least 1, got {value}")
    for name, part in parts.items():
        width, theirs = getattr(part, "embed_dims", None), getattr(part, "preset", None)
        if width not in (None, decoder.embed_dims):
            raise ValueError(
                f"embed_dims of encoder, decoder and actionness are one number, got {width} for "
                f"the {name} and {decoder.embed_dims} for the decoder"
            )
        if theirs not in (None, preset):
            raise ValueError(
                f"the preset of the head is {preset!r} and that of the {name} {theirs!r}; leave it "
                "out in the parts, which take over that of the head"
            )
