from .hooks import LoadReportHook, SeedHook
from .optimizers import RoleOptimWrapperConstructor

__all__ = ["LoadReportHook", "RoleOptimWrapperConstructor", "SeedHook"]
