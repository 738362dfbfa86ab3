from .clip import Clip
from .color import ColorJitter
from .features import OpenFeatures, SampleFeatures
from .flow import LoadFlow
from .formatting import PackTADInputs
from .loading import DecodeFrames, OpenVideo, VideoReadError
from .randaugment import RandAugment
from .sampling import SampleFrames
from .spatial import (
    CenterCrop,
    Flip,
    RandomCrop,
    RandomResizedCrop,
    RandomRotation,
    ResizeClip,
)

__all__ = [
    "CenterCrop",
    "Clip",
    "ColorJitter",
    "DecodeFrames",
    "Flip",
    "LoadFlow",
    "OpenFeatures",
    "OpenVideo",
    "PackTADInputs",
    "RandAugment",
    "RandomCrop",
    "RandomResizedCrop",
    "RandomRotation",
    "ResizeClip",
    "SampleFeatures",
    "SampleFrames",
    "VideoReadError",
]
