from .actionformer_head import ActionFormerHead
from .anchor_free import (
    AnchorFreeOutputs,
    ConvTower,
    concat_levels,
    decode_offsets,
    init_class_prior,
    select_candidates,
)
from .boundary_map import BoundaryMapOutputs
from .boundary_map_head import BoundaryMapHead
from .detr_head import DETRHead
from .proposal_extractors import BoundaryMatchingExtractor, SubGraphAlignment
from .query_outputs import QueryOutputs
from .trident_head import TridentHead, TridentOutputs

__all__ = [
    "ActionFormerHead",
    "AnchorFreeOutputs",
    "BoundaryMapHead",
    "BoundaryMapOutputs",
    "BoundaryMatchingExtractor",
    "ConvTower",
    "DETRHead",
    "QueryOutputs",
    "SubGraphAlignment",
    "TridentHead",
    "TridentOutputs",
    "concat_levels",
    "decode_offsets",
    "init_class_prior",
    "select_candidates",
]
