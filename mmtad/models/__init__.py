from . import adapters, backbones, detectors, heads, layers, losses, necks, task_modules
from .data_preprocessor import TADDataPreprocessor

__all__ = [
    "TADDataPreprocessor",
    "adapters",
    "backbones",
    "detectors",
    "heads",
    "layers",
    "losses",
    "necks",
    "task_modules",
]
