"""What a training needs beyond MMEngine: hooks and parameter groups."""

from .attention_hook import AttentionDiversityHook
from .attention_summary import AttentionSummary
from .ema import TrainableEMAHook
from .gradient_compression import GradientCompressionHook
from .hooks import LoadReportHook, SeedHook
from .optimizers import RoleOptimWrapperConstructor
from .slim_checkpoints import SlimCheckpointHook

__all__ = [
    "AttentionDiversityHook",
    "AttentionSummary",
    "GradientCompressionHook",
    "LoadReportHook",
    "RoleOptimWrapperConstructor",
    "SeedHook",
    "SlimCheckpointHook",
    "TrainableEMAHook",
]
