from .average_precision import average_precision, interpolated_average_precision
from .detection import (
    THUMOS_TIOU_THRESHOLDS,
    DetectionReport,
    detection_report,
    evaluate_detections,
)
from .detection_metric import DetectionMetric
from .files import read_json, write_results
from .ground_truth import GroundTruth, load_ground_truth
from .predictions import Predictions, load_predictions
from .tables import comparison_table, detection_table

__all__ = [
    "THUMOS_TIOU_THRESHOLDS",
    "DetectionMetric",
    "DetectionReport",
    "GroundTruth",
    "Predictions",
    "average_precision",
    "comparison_table",
    "detection_report",
    "detection_table",
    "evaluate_detections",
    "interpolated_average_precision",
    "load_ground_truth",
    "load_predictions",
    "read_json",
    "write_results",
]
