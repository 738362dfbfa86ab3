from .base import TADDataset
from .features import FeatureDataset

__all__ = ["FeatureDataset", "TADDataset"]
