"""The annotations of the benchmarks: classes, published counts, and every layout they come in."""

from .activitynet import ACTIVITYNET
from .conversion import Benchmark, Converted, convert, write_annotation
from .counts import Counts, Published
from .ego4d import EGO4D_MQ, goalstep_benchmark
from .epic_kitchens import epic_benchmark
from .multithumos import MULTITHUMOS, MULTITHUMOS_CLASSES
from .source import Source, read_source
from .thumos14 import THUMOS14, THUMOS14_CLASSES
from .video_info import read_video_info

__all__ = [
    "ACTIVITYNET",
    "EGO4D_MQ",
    "MULTITHUMOS",
    "MULTITHUMOS_CLASSES",
    "THUMOS14",
    "THUMOS14_CLASSES",
    "Benchmark",
    "Converted",
    "Counts",
    "Published",
    "Source",
    "convert",
    "epic_benchmark",
    "goalstep_benchmark",
    "read_source",
    "read_video_info",
    "write_annotation",
]
