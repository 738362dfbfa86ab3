"""Key tables of BMN and G-TAD in OpenTAD."""

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

_CELL_CONV = re.compile(r"^(?:module\.)?roi_head\.proposal_roi_extractor\.conv2d\.0\.")


def _convert(state_dict: Mapping[str, Tensor], cell_conv: str) -> dict[str, Tensor]:
    """Rename; the 1x1 convolution of either extractor has the same name there."""
    named = {
        _CELL_CONV.sub(f"head.extractor.{cell_conv}.", key): value
        for key, value in state_dict.items()
    }
    converted = _RENAME(named)
    for key, value in converted.items():
        if re.search(rf"{_GRAPH}semantic_", key) and value.dim() == 4:
            converted[key] = value.squeeze(-1)  # 1x1 convolutions over (steps, neighbours)
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
