from .detection import DetectionPostProcessor
from .ensemble import ensemble_results
from .score_fusion import fuse_video_scores, reweigh_by_video_scores
from .video_score_formats import THUMOS14_CLASS_IDS, VideoScores, load_video_scores

__all__ = [
    "THUMOS14_CLASS_IDS",
    "DetectionPostProcessor",
    "VideoScores",
    "ensemble_results",
    "fuse_video_scores",
    "load_video_scores",
    "reweigh_by_video_scores",
]
