"""What a training needs beyond MMEngine: hooks and parameter groups."""

from .ema import TrainableEMAHook
from .gradient_compression import GradientCompressionHook
from .hooks import LoadReportHook, SeedHook
from .optimizers import RoleOptimWrapperConstructor
from .slim_checkpoints import SlimCheckpointHook

__all__ = [
    "GradientCompressionHook",
    "LoadReportHook",
    "RoleOptimWrapperConstructor",
    "SeedHook",
    "SlimCheckpointHook",
    "TrainableEMAHook",
]
