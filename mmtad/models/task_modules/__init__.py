from .point_assigner import PointAssigner
from .point_generator import PointGenerator

__all__ = ["PointAssigner", "PointGenerator"]
