from .actionformer_head import ActionFormerHead
from .actionness import ActionnessRegressor
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
from .clip_classifier import ClipClassifier
from .detr_head import DETRHead
from .proposal_extractors import BoundaryMatchingExtractor, SubGraphAlignment
from .query_outputs import QueryOutputs
from .sparse_proposal_head import SparseOutputs, SparseProposalHead
from .trident_head import TridentHead, TridentOutputs

__all__ = [
    "ActionFormerHead",
    "ActionnessRegressor",
    "AnchorFreeOutputs",
    "BoundaryMapHead",
    "BoundaryMapOutputs",
    "BoundaryMatchingExtractor",
    "ClipClassifier",
    "ConvTower",
    "DETRHead",
    "QueryOutputs",
    "SparseOutputs",
    "SparseProposalHead",
    "SubGraphAlignment",
    "TridentHead",
    "TridentOutputs",
    "concat_levels",
    "decode_offsets",
    "init_class_prior",
    "select_candidates",
]
