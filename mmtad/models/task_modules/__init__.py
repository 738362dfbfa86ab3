from .boundary_map_targets import boundary_targets, choose_boundaries, map_targets
from .point_assigner import PointAssigner
from .point_generator import PointGenerator

__all__ = [
    "PointAssigner",
    "PointGenerator",
    "boundary_targets",
    "choose_boundaries",
    "map_targets",
]
