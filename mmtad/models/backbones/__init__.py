from .taps import BackboneTaps, build_taps
from .video_encoder import VideoEncoder

__all__ = ["BackboneTaps", "VideoEncoder", "build_taps"]
