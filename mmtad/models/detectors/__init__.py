from .tad_detector import TADDetector

__all__ = ["TADDetector"]
