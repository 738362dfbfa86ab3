from .average_precision import average_precision, interpolated_average_precision
from .detection import (
    THUMOS_TIOU_THRESHOLDS,
    DetectionReport,
    detection_report,
    evaluate_detections,
)
from .detection_metric import DetectionMetric
from .diagnosis import diagnose
from .diagnosis_bins import BIN_PRESETS, Bins, resolve_bins
from .diagnosis_result import Diagnosis
from .files import read_json, write_results
from .ground_truth import GroundTruth, load_ground_truth
from .predictions import Predictions, load_predictions
from .tables import comparison_table, detection_table
from .text_results import read_text_results
from .thumos_precision import thumos_average_precision

__all__ = [
    "BIN_PRESETS",
    "THUMOS_TIOU_THRESHOLDS",
    "Bins",
    "DetectionMetric",
    "DetectionReport",
    "Diagnosis",
    "GroundTruth",
    "Predictions",
    "average_precision",
    "comparison_table",
    "detection_report",
    "detection_table",
    "diagnose",
    "evaluate_detections",
    "interpolated_average_precision",
    "load_ground_truth",
    "load_predictions",
    "read_json",
    "read_text_results",
    "thumos_average_precision",
    "resolve_bins",
    "write_results",
]
