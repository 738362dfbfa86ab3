from .base import TADDataset

__all__ = ["TADDataset"]
