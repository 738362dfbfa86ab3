from .detection import DetectionPostProcessor
from .score_fusion import VideoScores, fuse_video_scores, load_video_scores

__all__ = ["DetectionPostProcessor", "VideoScores", "fuse_video_scores", "load_video_scores"]
