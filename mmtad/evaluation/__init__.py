from .action_pairs import pair_verbs_and_nouns
from .average_precision import average_precision
from .detection import (
    STYLES,
    THUMOS_TIOU_THRESHOLDS,
    DetectionReport,
    detection_report,
    evaluate_detections,
)
from .detection_metric import DetectionMetric
from .diagnosis import diagnose
from .diagnosis_bins import BIN_PRESETS, Bins, resolve_bins
from .diagnosis_result import Diagnosis
from .epic import EPIC_TIOU_THRESHOLDS, epic_reports, evaluate_epic
from .files import read_json, write_results
from .ground_truth import GroundTruth, load_ground_truth
from .measures import MEASURES
from .predictions import Predictions, load_predictions, load_proposals
from .proposals import (
    ACTIVITYNET_TIOU_THRESHOLDS,
    ProposalReport,
    evaluate_proposals,
    proposal_report,
)
from .retrieval import (
    EGO4D_TIOU_THRESHOLDS,
    RetrievalReport,
    evaluate_retrieval,
    retrieval_report,
)
from .submissions import (
    check_activitynet_submission,
    check_ego4d_submission,
    check_epic_submission,
    make_activitynet_submission,
    make_ego4d_submission,
    make_epic_submission,
)
from .tables import (
    comparison_table,
    detection_table,
    epic_table,
    proposal_table,
    retrieval_table,
)
from .text_results import read_text_results

__all__ = [
    "ACTIVITYNET_TIOU_THRESHOLDS",
    "BIN_PRESETS",
    "EGO4D_TIOU_THRESHOLDS",
    "EPIC_TIOU_THRESHOLDS",
    "MEASURES",
    "STYLES",
    "THUMOS_TIOU_THRESHOLDS",
    "Bins",
    "DetectionMetric",
    "DetectionReport",
    "Diagnosis",
    "GroundTruth",
    "Predictions",
    "ProposalReport",
    "RetrievalReport",
    "average_precision",
    "check_activitynet_submission",
    "check_ego4d_submission",
    "check_epic_submission",
    "comparison_table",
    "detection_report",
    "detection_table",
    "diagnose",
    "epic_reports",
    "epic_table",
    "evaluate_detections",
    "evaluate_epic",
    "evaluate_proposals",
    "evaluate_retrieval",
    "load_ground_truth",
    "load_predictions",
    "load_proposals",
    "make_activitynet_submission",
    "make_ego4d_submission",
    "make_epic_submission",
    "pair_verbs_and_nouns",
    "proposal_report",
    "proposal_table",
    "read_json",
    "read_text_results",
    "resolve_bins",
    "retrieval_report",
    "retrieval_table",
    "write_results",
]
