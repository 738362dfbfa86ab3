from .actionformer_head import ActionFormerHead
from .anchor_free import (
    AnchorFreeOutputs,
    ConvTower,
    concat_levels,
    decode_offsets,
    init_class_prior,
    select_candidates,
)

__all__ = [
    "ActionFormerHead",
    "AnchorFreeOutputs",
    "ConvTower",
    "concat_levels",
    "decode_offsets",
    "init_class_prior",
    "select_candidates",
]
