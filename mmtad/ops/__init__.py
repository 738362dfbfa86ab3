from .attention_diversity import attention_diversity
from .attention_guidance import decoder_guidance, encoder_guidance
from .boundary_sampling import (
    BoundarySampling,
    boundary_sample_points,
    proposal_arrays,
    proposal_segments,
)
from .deform_attn1d import deform_attn1d, deform_attn1d_map
from .nms import batched_nms, nms, segment_voting, soft_nms
from .roi_align1d import align_sample_points, roi_align1d
from .segment_fusion import fuse_segments
from .soi_align import assign_levels, enlarge_segments, soi_align
from .sparse_sum import SamplePoints, SparseSum, sampled_projection

__all__ = [
    "BoundarySampling",
    "SamplePoints",
    "SparseSum",
    "align_sample_points",
    "attention_diversity",
    "assign_levels",
    "deform_attn1d",
    "deform_attn1d_map",
    "boundary_sample_points",
    "decoder_guidance",
    "encoder_guidance",
    "proposal_arrays",
    "proposal_segments",
    "roi_align1d",
    "sampled_projection",
    "batched_nms",
    "enlarge_segments",
    "fuse_segments",
    "nms",
    "segment_voting",
    "soft_nms",
    "soi_align",
]
