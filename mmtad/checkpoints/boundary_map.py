"""Key tables of G-TAD, and of BMN and G-TAD in OpenTAD."""

import re
from collections.abc import Mapping

from torch import Tensor

from .key_tables import KeyTable, register_source

_GRAPH = r"^((?:neck\.blocks\.\d+|head\.towers\.\d+\.block|head\.extractor\.graph)\.)"

# The parts of a graph block are numbered in two sequences, with a ReLU between two convolutions.
_BLOCK = [
    (rf"{_GRAPH}{foreign}convs\.{index}\.", rf"\1{ours}_{part}.")
    for foreign, ours in (("t", "temporal"), ("s", "semantic"))
    for index, part in ((0, "in"), (2, "conv"), (4, "out"))
]

_RENAME = KeyTable(
    [
        (r"^module\.", ""),
        (r"^projection\.convs\.(\d+)\.conv\.", r"projection.convs.\1."),
        (r"^neck\.([ts]convs)\.", r"neck.blocks.0.\1."),
        # One tower per boundary, or one for both (`shared`).
        (r"^rpn_head\.tem\.(\d+)\.0\.(?:conv\.)?", r"head.towers.\1.block."),
        (r"^rpn_head\.tem\.(\d+)\.1\.conv\.", r"head.towers.\1.out."),
        (r"^rpn_head\.tem\.0\.(?:conv\.)?", "head.towers.0.block."),
        (r"^rpn_head\.tem\.1\.conv\.", "head.towers.0.out."),
        (r"^roi_head\.proposal_roi_extractor\.reduce_dim\.0\.", "head.extractor.reduce."),
        (r"^roi_head\.proposal_roi_extractor\.conv3d\.0\.", "head.extractor.point_conv."),
        (r"^roi_head\.proposal_roi_extractor\.gcnext\.", "head.extractor.graph."),
        (r"^roi_head\.proposal_head\.head\.(\d+)\.0\.", r"head.map_convs.\1."),
        (r"^roi_head\.proposal_head\.head\.\d+\.", "head.map_out."),
        *_BLOCK,
    ]
)

_OFFICIAL_RENAME = KeyTable(
    [
        (r"^module\.", ""),
        (r"^backbone1\.0\.", "projection.convs.0."),
        (r"^backbone1\.2\.", "neck.blocks.0."),
        (r"^regu_s\.0\.", "head.towers.0.block."),
        (r"^regu_s\.1\.", "head.towers.0.out."),
        (r"^regu_e\.0\.", "head.towers.1.block."),
        (r"^regu_e\.1\.", "head.towers.1.out."),
        (r"^backbone2\.0\.", "head.extractor.graph."),
        (r"^localization\.0\.", "head.extractor.bin_conv."),
        (r"^localization\.2\.", "head.map_convs.0."),
        (r"^localization\.4\.", "head.map_convs.1."),
        (r"^localization\.6\.", "head.map_convs.2."),
        (r"^localization\.8\.", "head.map_out."),
        *_BLOCK,
    ]
)

_CELL_CONV = re.compile(r"^(?:module\.)?roi_head\.proposal_roi_extractor\.conv2d\.0\.")


def _convert(state_dict: Mapping[str, Tensor], cell_conv: str) -> dict[str, Tensor]:
    """Rename; the 1x1 convolution of either extractor has the same name there."""
    named = {
        _CELL_CONV.sub(f"head.extractor.{cell_conv}.", key): value
        for key, value in state_dict.items()
    }
    return _flatten_pairs(_RENAME(named))


def _flatten_pairs(converted: dict[str, Tensor]) -> dict[str, Tensor]:
    """Drop the last axis of convolutions over pairs of a step and a neighbour."""
    for key, value in converted.items():
        if re.search(rf"{_GRAPH}semantic_", key) and value.dim() == 4:
            converted[key] = value.squeeze(-1)
    return converted


@register_source(
    "opentad_bmn",
    about="OpenTAD BMN: projection and head, on features",
    detector=True,
    signature=(r"^(module\.)?rpn_head\.tem\.", r"proposal_roi_extractor\.reduce_dim\."),
)
def from_opentad_bmn(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of OpenTAD's BMN to those of ``TADDetector``.

    Use them with ``preset="opentad"``.

    Args:
        state_dict: ``state_dict_ema`` (or ``state_dict``) of its checkpoint.

    Returns:
        Weights under our names; keys without a counterpart, those of a backbone among them, keep
        theirs.
    """
    return _convert(state_dict, "cell_conv")


@register_source(
    "opentad_gtad",
    about="OpenTAD G-TAD: projection, neck and head, on features",
    detector=True,
    signature=(r"^(module\.)?rpn_head\.tem\.", r"proposal_roi_extractor\.gcnext\."),
)
def from_opentad_gtad(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of OpenTAD's G-TAD to those of ``TADDetector``.

    Use them with ``preset="opentad"``.

    Args:
        state_dict: ``state_dict_ema`` (or ``state_dict``) of its checkpoint.

    Returns:
        Weights under our names; keys without a counterpart, those of a backbone among them, keep
        theirs.
    """
    return _convert(state_dict, "bin_conv")


@register_source(
    "gtad",
    about="G-TAD: the authors' repository (frostinassiky/gtad)",
    detector=True,
    signature=(r"^(module\.)?regu_s\.0\.tconvs\.", r"^(module\.)?localization\.8\."),
)
def from_gtad(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of the authors' repository to those of ``TADDetector``.

    Use them with ``preset="official"``, and on THUMOS14 with ``kernel_size=[1, 3, 3]`` in the head.
    That project predicts the regression first and the classification second.

    Args:
        state_dict: ``state_dict`` of its checkpoint.

    Returns:
        Weights under our names; keys without a counterpart keep theirs.
    """
    converted = _flatten_pairs(_OFFICIAL_RENAME(state_dict))
    for key in ("head.map_out.weight", "head.map_out.bias"):
        if key in converted:
            converted[key] = converted[key].flip(0)
    return converted
