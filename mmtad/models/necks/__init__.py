from .conv_projection import ConvProjection, GCNeXtNeck
from .conv_transformer import ConvTransformerProjection
from .feature_stages import FeatureStages
from .pyramid_projection import PyramidProjection
from .sgp_pyramid import SGPProjection
from .stage_pyramid import StagePyramid
from .temporal_fpn import FPN1D, FPNIdentity

__all__ = [
    "FPN1D",
    "ConvProjection",
    "ConvTransformerProjection",
    "FPNIdentity",
    "FeatureStages",
    "GCNeXtNeck",
    "PyramidProjection",
    "SGPProjection",
    "StagePyramid",
]
