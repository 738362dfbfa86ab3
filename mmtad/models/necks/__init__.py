from .conv_projection import ConvProjection, GCNeXtNeck
from .conv_transformer import ConvTransformerProjection
from .pyramid_projection import PyramidProjection
from .sgp_pyramid import SGPProjection
from .temporal_fpn import FPN1D, FPNIdentity

__all__ = [
    "FPN1D",
    "ConvProjection",
    "ConvTransformerProjection",
    "FPNIdentity",
    "GCNeXtNeck",
    "PyramidProjection",
    "SGPProjection",
]
