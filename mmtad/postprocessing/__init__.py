from .detection import DetectionPostProcessor

__all__ = ["DetectionPostProcessor"]
