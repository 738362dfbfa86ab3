from .side_encoder import SideVideoEncoder
from .taps import BackboneTaps, build_taps
from .video_encoder import VideoEncoder

__all__ = ["BackboneTaps", "SideVideoEncoder", "VideoEncoder", "build_taps"]
