"""Key tables of TriDet: the authors' repository and OpenTAD.

Both grew out of ActionFormer's code and name alike what they took from there; only the SGP blocks
and the start and end branches have names of their own.
"""

from collections.abc import Mapping

from torch import Tensor

from .actionformer import OFFICIAL_RULES, OPENTAD_RULES, rename
from .key_tables import register_source

# One SGP block: the two projects name its parts alike.
_BLOCK = (
    (r"^(projection\.(?:stem|branch)\.\d+)\.ln\.", r"\1.layer_norm."),
    (r"^(projection\.(?:stem|branch)\.\d+)\.gn\.", r"\1.group_norm."),
    (r"^(projection\.(?:stem|branch)\.\d+)\.(psi|fc|global_fc)\.", r"\1.sgp.\2."),
    (r"^(projection\.(?:stem|branch)\.\d+)\.conv(w|kw)\.", r"\1.sgp.conv_\2."),
    (r"^(projection\.(?:stem|branch)\.\d+)\.mlp\.2\.", r"\1.mlp_out."),
    (r"^(projection\.(?:stem|branch)\.\d+)\.drop_path_out\.", r"\1.sgp_path."),
)

TRIDET_RULES = (
    *OFFICIAL_RULES,
    (r"^(start|end)_head\.head\.(\d+)\.", r"head.\1_tower.units.\2."),
    (r"^(start|end)_head\.norm\.(\d+)\.", r"head.\1_tower.units.\2.norm."),
    (r"^(start|end)_head\.cls_head\.conv\.", r"head.\1_out."),
    *_BLOCK,
)

OPENTAD_TRIDET_RULES = (
    *OPENTAD_RULES,
    (r"^rpn_head\.cls_(start|end)_convs\.", r"head.\1_tower.units."),
    (r"^rpn_head\.cls_(start|end)_head\.", r"head.\1_out."),
    *_BLOCK,
)


@register_source(
    "tridet",
    about="TriDet: the authors' repository (dingfengshi/TriDet)",
    detector=True,
    signature=(r"^(module\.)?backbone\.(stem|branch)\.\d+\.convkw\.", r"^(module\.)?start_head\."),
    optional=(r"(^|\.)normalizer\.average$",),
)
def from_tridet(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of the authors' repository to those of ``TADDetector``.

    Use them with ``preset="official"``. That project does not store ``head.normalizer.average``,
    which matters only for continued training.

    Args:
        state_dict: ``state_dict_ema`` (or ``state_dict``) of its checkpoint.

    Returns:
        Weights under our names; keys without a counterpart keep theirs.
    """
    return rename(state_dict, TRIDET_RULES)


@register_source(
    "opentad_tridet",
    about="OpenTAD TriDet: projection, neck and head, on features",
    detector=True,
    signature=(
        r"^(module\.)?projection\.(stem|branch)\.\d+\.convkw\.",
        r"^(module\.)?rpn_head\.cls_start_head\.",
    ),
)
def from_opentad_tridet(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of OpenTAD's TriDet to those of ``TADDetector``.

    Projection, neck and head are renamed. Use them with ``preset="opentad"``.

    Args:
        state_dict: ``state_dict_ema`` (or ``state_dict``) of its checkpoint.

    Returns:
        Weights under our names; keys without a counterpart, those of a backbone among them, keep
        theirs.
    """
    return rename(state_dict, OPENTAD_TRIDET_RULES)
