"""Key tables of TadTR: the authors' repository and OpenTAD's."""

import re
from collections.abc import Mapping

from torch import Tensor

from .key_tables import KeyTable, register_source

_ATTENTION = [
    (r"\.sampling_offsets\.", ".offset_proj."),
    (r"\.attention_weights\.", ".weight_proj."),
    (r"\.output_proj\.", ".out_proj."),
]

_OFFICIAL = KeyTable(
    [
        (r"^input_proj\.0\.0\.", "projection.convs.0."),
        (r"^input_proj\.0\.1\.", "projection.norms.0."),
        (r"^transformer\.(encoder|decoder)\.", r"head.\1."),
        (r"^transformer\.level_embed$", "head.encoder.level_code"),
        (r"^transformer\.reference_points\.", "head.decoder.reference_proj."),
        (r"^query_embed\.weight$", "head.decoder.queries"),
        (r"^class_embed\.", "head.classifiers."),
        (r"^(head\.decoder\.)?segment_embed\.", "head.decoder.regressors."),
        (r"^actionness_pred\.0\.", "head.actionness.mlp.layers.0."),
        (r"^actionness_pred\.2\.", "head.actionness.mlp.layers.1."),
        (r"^actionness_pred\.4\.", "head.actionness.mlp.layers.2."),
        (r"^(head\.encoder\.layers\.\d+)\.self_attn\.", r"\1.attention."),
        (r"^(head\.encoder\.layers\.\d+)\.norm1\.", r"\1.norm."),
        (r"^(head\.encoder\.layers\.\d+)\.norm2\.", r"\1.feed_forward.norm."),
        (r"^(head\.decoder\.layers\.\d+)\.self_attn\.", r"\1.self_attention."),
        (r"^(head\.decoder\.layers\.\d+)\.cross_attn\.", r"\1.cross_attention."),
        (r"^(head\.decoder\.layers\.\d+)\.norm1\.", r"\1.cross_norm."),
        (r"^(head\.decoder\.layers\.\d+)\.norm2\.", r"\1.self_norm."),
        (r"^(head\.decoder\.layers\.\d+)\.norm3\.", r"\1.feed_forward.norm."),
        (r"^(head\.(?:en|de)coder\.layers\.\d+)\.linear1\.", r"\1.feed_forward.expand."),
        (r"^(head\.(?:en|de)coder\.layers\.\d+)\.linear2\.", r"\1.feed_forward.reduce."),
        *_ATTENTION,
    ]
)

_OPENTAD = KeyTable(
    [
        (r"^projection\.convs\.(\d+)\.conv\.", r"projection.convs.\1."),
        (r"^projection\.convs\.(\d+)\.norm\.", r"projection.norms.\1."),
        (r"^transformer\.(encoder|decoder)\.", r"head.\1."),
        (r"^transformer\.level_embeds$", "head.encoder.level_code"),
        (r"^transformer\.reference_points\.", "head.decoder.reference_proj."),
        (r"^transformer\.query_embedding\.weight$", "head.decoder.queries"),
        (r"^transformer\.class_embed\.", "head.classifiers."),
        (r"^(head\.decoder|transformer)\.bbox_embed\.", "head.decoder.regressors."),
        (r"^transformer\.actionness_pred\.0\.", "head.actionness.mlp.layers.0."),
        (r"^transformer\.actionness_pred\.2\.", "head.actionness.mlp.layers.1."),
        (r"^transformer\.actionness_pred\.4\.", "head.actionness.mlp.layers.2."),
        (r"^(head\.encoder\.layers\.\d+)\.attentions\.0\.", r"\1.attention."),
        (r"^(head\.encoder\.layers\.\d+)\.norms\.0\.", r"\1.norm."),
        (r"^(head\.encoder\.layers\.\d+)\.norms\.1\.", r"\1.feed_forward.norm."),
        (r"^(head\.decoder\.layers\.\d+)\.attentions\.0\.attn\.", r"\1.self_attention."),
        (r"^(head\.decoder\.layers\.\d+)\.attentions\.1\.", r"\1.cross_attention."),
        (r"^(head\.decoder\.layers\.\d+)\.norms\.0\.", r"\1.self_norm."),
        (r"^(head\.decoder\.layers\.\d+)\.norms\.1\.", r"\1.cross_norm."),
        (r"^(head\.decoder\.layers\.\d+)\.norms\.2\.", r"\1.feed_forward.norm."),
        (r"\.ffns\.0\.layers\.0\.0\.", ".feed_forward.expand."),
        (r"\.ffns\.0\.layers\.1\.", ".feed_forward.reduce."),
        *_ATTENTION,
    ]
)


def _unpack(renamed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take apart what those projects keep in one tensor: queries, and three projections."""
    out: dict[str, Tensor] = {}
    for key, value in renamed.items():
        before, _, kind = key.partition(".self_attention.in_proj_")
        if kind:
            for name, part in zip(("query", "key", "value"), value.chunk(3), strict=True):
                out[f"{before}.self_attention.{name}_proj.{kind}"] = part
        elif key == "head.decoder.queries":
            positions, content = value.chunk(2, dim=1)
            out |= {
                "head.decoder.query_positions": positions,
                "head.decoder.query_content": content,
            }
        elif key == "head.encoder.level_code":
            out[key] = value.squeeze(0)
        else:
            out[key] = value
    return out


def _without_copies(state_dict: Mapping[str, Tensor], copies: str, kept: str) -> dict[str, Tensor]:
    """Drop weights under the second of their two names, and a wrapper's prefix."""
    plain = {key.removeprefix("module."): value for key, value in state_dict.items()}
    return {
        key: value
        for key, value in plain.items()
        if not (key.startswith(copies) and kept + key.removeprefix(copies) in plain)
    }


@register_source(
    "tadtr",
    about="TadTR: the authors' repository (xlliu7/TadTR)",
    detector=True,
    signature=(
        r"^(module\.)?transformer\.level_embed$",
        r"^(module\.)?segment_embed\.|\.decoder\.segment_embed\.",
    ),
)
def from_tadtr(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of the authors' repository to those of ``TADDetector``.

    Use them with ``preset="official"`` in the head and ``isolate_padding=False`` in the projection.

    Args:
        state_dict: ``model`` of its checkpoint.

    Returns:
        Weights under our names; keys without a counterpart keep theirs.
    """
    single = _without_copies(state_dict, "segment_embed.", "transformer.decoder.segment_embed.")
    return _unpack(_OFFICIAL(single))


@register_source(
    "opentad_tadtr",
    about="OpenTAD TadTR: projection and head, on features",
    detector=True,
    signature=(
        r"^(module\.)?transformer\.level_embeds$",
        r"^(module\.)?transformer\.(decoder\.)?bbox_embed\.",
    ),
)
def from_opentad_tadtr(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of OpenTAD's TadTR to those of ``TADDetector``.

    Use them with ``preset="opentad"`` in the head and ``isolate_padding=False`` in the projection.

    Args:
        state_dict: ``state_dict_ema`` (or ``state_dict``) of its checkpoint.

    Returns:
        Weights under our names; keys without a counterpart, those of a backbone among them, keep
        theirs.
    """
    single = _without_copies(
        state_dict, "transformer.bbox_embed.", "transformer.decoder.bbox_embed."
    )
    converted = _unpack(_OPENTAD(single))
    for key in [key for key in converted if re.match(r"projection\.convs\.\d+\.weight$", key)]:
        # Before a norm that project's convolutions have no bias.
        bias = converted[key].new_zeros(len(converted[key]))
        converted.setdefault(key.replace("weight", "bias"), bias)
    return converted
