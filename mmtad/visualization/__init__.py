from .class_styles import ClassStyle, class_styles
from .panels import stack_lanes
from .timeline import draw_timeline

__all__ = ["ClassStyle", "class_styles", "draw_timeline", "stack_lanes"]
