from .inception_i3d import InceptionI3D
from .side_encoder import SideVideoEncoder
from .stage_encoder import StageEncoder
from .taps import BackboneTaps, build_taps
from .two_stream_i3d import TwoStreamI3D
from .video_encoder import VideoEncoder

__all__ = [
    "BackboneTaps",
    "InceptionI3D",
    "SideVideoEncoder",
    "StageEncoder",
    "TwoStreamI3D",
    "VideoEncoder",
    "build_taps",
]
