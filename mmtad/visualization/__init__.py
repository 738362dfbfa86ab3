from .attention_plots import draw_attention_maps, draw_diversity
from .class_styles import ClassStyle, class_styles
from .diagnosis_plots import draw_false_positives, draw_sensitivity
from .diagnosis_report import timeline_section, write_report
from .missed_plots import draw_false_negatives, draw_missed_pairs
from .overlap_timeline import draw_overlap_timeline
from .panels import stack_lanes
from .timeline import draw_timeline

__all__ = [
    "ClassStyle",
    "class_styles",
    "draw_attention_maps",
    "draw_diversity",
    "draw_false_negatives",
    "draw_false_positives",
    "draw_missed_pairs",
    "draw_overlap_timeline",
    "draw_sensitivity",
    "draw_timeline",
    "stack_lanes",
    "timeline_section",
    "write_report",
]
