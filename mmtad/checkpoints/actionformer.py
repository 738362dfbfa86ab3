"""Key tables of ActionFormer: the authors' repository and OpenTAD."""

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

from .key_tables import KeyTable, register_source

# One transformer block: the two projects name its parts alike.
_BLOCK = (
    (r"^(projection\.(?:stem|branch)\.\d+)\.ln1\.", r"\1.attn_norm."),
    (r"^(projection\.(?:stem|branch)\.\d+)\.ln2\.", r"\1.mlp_norm."),
    (r"^(projection\.(?:stem|branch)\.\d+)\.mlp\.0\.", r"\1.mlp_in."),
    (r"^(projection\.(?:stem|branch)\.\d+)\.mlp\.3\.", r"\1.mlp_out."),
    (r"^(projection\.(?:stem|branch)\.\d+)\.drop_path_(attn|mlp)\.", r"\1.\2_path."),
    (r"^(projection\..*(?:query|key|value)_conv)\.conv\.", r"\1."),
    (r"^neck\.fpn_norms\.", "neck.norms."),
)

OFFICIAL_RULES = (
    (r"^module\.", ""),
    (r"^backbone\.embd\.", "projection.embed."),
    (r"^backbone\.embd_norm\.(\d+)\.", r"projection.embed.\1.norm."),
    (r"^backbone\.proj\.(\d+)\.conv\.", r"projection.streams.\1."),
    (r"^backbone\.(stem|branch)\.", r"projection.\1."),
    (r"^neck\.(lateral_convs|fpn_convs)\.(\d+)\.conv\.", r"neck.\1.\2."),
    (r"^(cls|reg)_head\.head\.(\d+)\.", r"head.\1_tower.units.\2."),
    (r"^(cls|reg)_head\.norm\.(\d+)\.", r"head.\1_tower.units.\2.norm."),
    (r"^cls_head\.cls_head\.conv\.", "head.cls_out."),
    (r"^reg_head\.offset_head\.conv\.", "head.reg_out."),
    (r"^reg_head\.scale\.", "head.scales."),
    *_BLOCK,
)

OPENTAD_RULES = (
    (r"^module\.", ""),
    (r"^projection\.proj\.(\d+)\.conv\.", r"projection.streams.\1."),
    (r"^rpn_head\.(cls|reg)_convs\.", r"head.\1_tower.units."),
    (r"^rpn_head\.(cls|reg)_head\.", r"head.\1_out."),
    (r"^rpn_head\.scale\.", "head.scales."),
    (r"^rpn_head\.loss_normalizer$", "head.normalizer.average"),
    *_BLOCK,
)

_PER_CHANNEL = re.compile(r"norm|_path\.")
_LINEAR = re.compile(r"\.(attn\.(query|key|value|proj)|mlp_in|mlp_out)\.weight$")


def rename(state_dict: Mapping[str, Tensor], rules: Sequence[tuple[str, str]]) -> dict[str, Tensor]:
    """Rename the weights of a detector and give norms, scales and linear layers our shapes.

    Args:
        state_dict: Weights under their foreign names.
        rules: (pattern, replacement) pairs that every key goes through in order.

    Returns:
        Weights under our names; keys that no rule meets keep theirs.

    Raises:
        ValueError: If two keys become one.
    """
    ours = ("projection.", "neck.", "head.")
    return {
        key: _reshape(key, value) if key.startswith(ours) else value
        for key, value in KeyTable(rules)(state_dict).items()
    }


def _reshape(key: str, value: Tensor) -> Tensor:
    if value.dim() == 3 and _PER_CHANNEL.search(key):
        return value.flatten()  # norms and drop-path scales [1, C, 1]
    if value.dim() == 3 and _LINEAR.search(key):
        return value.squeeze(-1)  # convolutions of kernel 1
    return value if value.is_floating_point() else value.float()  # OpenTAD's untrained normaliser


@register_source(
    "actionformer",
    about="ActionFormer: the authors' repository (happyharrycn/actionformer_release)",
    detector=True,
    signature=(
        r"^(module\.)?backbone\.(stem|branch)\.\d+\.(ln1|attn)\.",
        r"^(module\.)?cls_head\.",
    ),
    optional=(r"(^|\.)normalizer\.average$",),
)
def from_actionformer(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of the authors' repository to those of ``TADDetector``.

    Use them with ``preset="official"``. That project does not store ``head.normalizer.average``,
    which matters only for continued training.

    Args:
        state_dict: ``state_dict_ema`` (or ``state_dict``) of its checkpoint.

    Returns:
        Weights under our names; keys without a counterpart keep theirs.
    """
    return rename(state_dict, OFFICIAL_RULES)


@register_source(
    "opentad_actionformer",
    about="OpenTAD ActionFormer: projection, neck and head, on features",
    detector=True,
    signature=(
        r"^(module\.)?projection\.(stem|branch)\.\d+\.(ln1|attn)\.",
        r"^(module\.)?rpn_head\.",
    ),
)
def from_opentad_actionformer(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of OpenTAD's ActionFormer to those of ``TADDetector``.

    Projection, neck and head are renamed. Use them with ``preset="opentad"``.

    Args:
        state_dict: ``state_dict_ema`` (or ``state_dict``) of its checkpoint.

    Returns:
        Weights under our names; keys without a counterpart, those of a backbone among them, keep
        theirs.
    """
    return rename(state_dict, OPENTAD_RULES)
