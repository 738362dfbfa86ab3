from .boundary_map_targets import boundary_targets, choose_boundaries, map_targets
from .hungarian_matcher import HungarianMatcher, Matches, SetTargets
from .point_assigner import PointAssigner
from .point_generator import PointGenerator

__all__ = [
    "HungarianMatcher",
    "Matches",
    "PointAssigner",
    "PointGenerator",
    "SetTargets",
    "boundary_targets",
    "choose_boundaries",
    "map_targets",
]
