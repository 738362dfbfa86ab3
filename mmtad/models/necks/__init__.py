from .conv_transformer import ConvTransformerProjection
from .temporal_fpn import FPN1D, FPNIdentity

__all__ = ["FPN1D", "ConvTransformerProjection", "FPNIdentity"]
