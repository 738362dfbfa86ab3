from . import adapters, backbones, detectors, heads, layers, losses, necks, task_modules

__all__ = [
    "adapters",
    "backbones",
    "detectors",
    "heads",
    "layers",
    "losses",
    "necks",
    "task_modules",
]
