from .nms import batched_nms, nms, segment_voting, soft_nms

__all__ = ["batched_nms", "nms", "segment_voting", "soft_nms"]
