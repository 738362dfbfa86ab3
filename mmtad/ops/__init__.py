from .boundary_sampling import (
    BoundarySampling,
    boundary_sample_points,
    proposal_arrays,
    proposal_segments,
)
from .nms import batched_nms, nms, segment_voting, soft_nms
from .roi_align1d import align_sample_points, roi_align1d
from .segment_fusion import fuse_segments
from .sparse_sum import SamplePoints, SparseSum, sampled_projection

__all__ = [
    "BoundarySampling",
    "SamplePoints",
    "SparseSum",
    "align_sample_points",
    "boundary_sample_points",
    "proposal_arrays",
    "proposal_segments",
    "roi_align1d",
    "sampled_projection",
    "batched_nms",
    "fuse_segments",
    "nms",
    "segment_voting",
    "soft_nms",
]
