from .grid import TemporalGrid
from .segments import (
    centerwidth_to_segment,
    clip_segments,
    segment_diou,
    segment_giou,
    segment_iou,
    segment_to_centerwidth,
)
from .tad_sample import TADDataSample

__all__ = [
    "TADDataSample",
    "TemporalGrid",
    "centerwidth_to_segment",
    "clip_segments",
    "segment_diou",
    "segment_giou",
    "segment_iou",
    "segment_to_centerwidth",
]
