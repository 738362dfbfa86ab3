"""Mean average precision of detections: files or dicts in, fractions out."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from mmengine.logging import print_log

from .average_precision import FloatArray, IntArray, average_precision, check_tiou_thresholds
from .files import Source
from .ground_truth import AMBIGUOUS, GroundTruth, load_ground_truth
from .predictions import Predictions, load_predictions
from .thumos_precision import thumos_average_precision

THUMOS_TIOU_THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
STYLES = ("activitynet", "thumos", "thumos_kit")


@dataclass(frozen=True)
class DetectionReport:
    """AP of every class at every threshold; all values are fractions (0 to 1).

    Args:
        classes: The K classes of the ground truth.
        tiou_thresholds: The T thresholds, as they were given.
        ap: ``[K, T]``.
        num_instances: ``[K]`` annotated actions of each class.
        num_videos: Evaluated videos.
        num_predictions: Detections compared, unknown labels included.
        style: How AP was computed, see :func:`evaluate_detections`.
    """

    classes: list[str]
    tiou_thresholds: tuple[float, ...]
    ap: FloatArray
    num_instances: IntArray
    num_videos: int
    num_predictions: int
    style: str = "activitynet"

    def summary(self) -> dict[str, float]:
        """Mean over classes per threshold, and over those: ``{"mAP@0.50": .., "mAP": ..}``."""
        return _row("mAP", self.tiou_thresholds, self.ap.mean(axis=0))

    def per_class(self) -> dict[str, dict[str, float]]:
        """``{class: {"AP@0.50": .., .., "AP": ..}}``, classes by name."""
        return {
            label: _row("AP", self.tiou_thresholds, row)
            for label, row in zip(self.classes, self.ap, strict=True)
        }


def evaluate_detections(
    ground_truth: Source,
    predictions: Source,
    tiou_thresholds: float | Sequence[float] = THUMOS_TIOU_THRESHOLDS,
    subset: str | None = None,
    *,
    style: str = "activitynet",
    ignore_labels: Collection[str] = (),
    blocked_videos: Collection[str] = (),
    drop_duplicates: bool = True,
) -> dict[str, float]:
    """Mean average precision of a result file; interpolated AP (ActivityNet style) by default.

    The classes are those of the ground truth. Detections of other classes are left out (counted in
    a warning), never mistaken for another class. Detections on videos outside the ground truth
    count as false positives. Detections of equal score are ranked in the order of the file, so
    equal scores give one result on every machine; the public evaluators rank them in the order of
    an unstable sort, mostly backwards.

    Args:
        ground_truth: Annotation, path (``.json``, ``.json.gz``) or dict; see
            :func:`load_ground_truth`.
        predictions: ActivityNet results, path or dict; see :func:`load_predictions`.
        tiou_thresholds: Fractions in (0, 1]. Defaults to THUMOS14's 0.3 to 0.7.
        subset: Name of the subset to evaluate; None takes all videos.
        style: ``"activitynet"``, the evaluation that papers on all benchmarks report today.
            ``"thumos"``: AP without interpolation, false positives that touch a segment labelled
            ``Ambiguous`` (or one of ``ignore_labels``) skipped, and no second choice for a
            detection whose best action is taken. ``"thumos_kit"``: the same AP with the matching
            of the THUMOS14 evaluation kit, annotation by annotation, behind the numbers of papers
            before about 2018. See :mod:`mmtad.evaluation.thumos_precision`.
        ignore_labels: Labels to leave out on both sides beside ``Ambiguous``.
        blocked_videos: Videos to leave out on both sides.
        drop_duplicates: Count repeated annotations once (same video and label, both ends within
            0.001 s), as the public ActionFormer and OpenTAD evaluators do; False keeps all, as the
            official ActivityNet evaluation does.

    Returns:
        ``{"mAP@0.30": .., .., "mAP": ..}``, fractions from 0 to 1; "mAP" is the mean over the
        thresholds.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file, the subset, a segment or a threshold is invalid, or there is no
            annotated action.
    """
    return detection_report(
        ground_truth,
        predictions,
        tiou_thresholds,
        subset,
        style=style,
        ignore_labels=ignore_labels,
        blocked_videos=blocked_videos,
        drop_duplicates=drop_duplicates,
    ).summary()


def detection_report(
    ground_truth: Source,
    predictions: Source,
    tiou_thresholds: float | Sequence[float] = THUMOS_TIOU_THRESHOLDS,
    subset: str | None = None,
    *,
    style: str = "activitynet",
    ignore_labels: Collection[str] = (),
    blocked_videos: Collection[str] = (),
    drop_duplicates: bool = True,
) -> DetectionReport:
    """Compute the AP of every class; arguments and errors of :func:`evaluate_detections`."""
    check_tiou_thresholds(tiou_thresholds)
    check_style(style)
    annotations = load_ground_truth(
        ground_truth, subset, ignore_labels, blocked_videos, drop_duplicates
    )
    return compare(annotations, predictions, tiou_thresholds, style)


def check_style(style: str) -> None:
    """Make sure that a style of :func:`evaluate_detections` is known.

    Raises:
        ValueError: If it is not.
    """
    if style not in STYLES:
        raise ValueError(f"style must be one of {', '.join(STYLES)}, got {style!r}")


def compare(
    ground_truth: GroundTruth,
    predictions: Source,
    tiou_thresholds: float | Sequence[float] = THUMOS_TIOU_THRESHOLDS,
    style: str = "activitynet",
) -> DetectionReport:
    """AP of every class against an already loaded ground truth.

    Args:
        ground_truth: Annotated actions.
        predictions: ActivityNet results, path or dict.
        tiou_thresholds: Fractions in (0, 1].
        style: See :func:`evaluate_detections`.

    Returns:
        The report.

    Raises:
        FileNotFoundError: If the result file does not exist.
        ValueError: If the predictions or a threshold are invalid, or there is no annotated action.
    """
    thresholds = check_tiou_thresholds(tiou_thresholds)
    check_style(style)
    ground_truth.require_actions("mAP")
    if style != "activitynet" and not len(ground_truth.ignored_segments):
        print_log(
            f"{ground_truth.name} has no segment labelled {AMBIGUOUS}, so no false positive is "
            "skipped",
            logger="current",
            level=logging.WARNING,
        )
    detections = load_predictions(predictions, ground_truth)
    found, classes = np.unique(detections.labels), ground_truth.classes
    if len(found) == 1 < len(classes) < len(detections.labels) and found[0] >= 0:
        print_log(
            f"all {len(detections.labels)} detections are of the class '{classes[found[0]]}', one "
            f"of {len(classes)}; a detector without classes needs a classifier of videos "
            "(video_scores), or AR as its measure",
            logger="current",
            level=logging.WARNING,
        )
    ap = _average_precision(ground_truth, detections, thresholds, style)
    return DetectionReport(
        classes=ground_truth.classes,
        tiou_thresholds=tuple(thresholds.tolist()),
        ap=ap,
        num_instances=np.bincount(ground_truth.labels, minlength=len(ground_truth.classes)),
        num_videos=len(ground_truth.video_ids),
        num_predictions=len(detections.scores),
        style=style,
    )


def _average_precision(
    ground_truth: GroundTruth, detections: Predictions, thresholds: FloatArray, style: str
) -> FloatArray:
    arrays = (
        ground_truth.videos,
        ground_truth.labels,
        ground_truth.segments,
        detections.videos,
        detections.labels,
        detections.segments,
        detections.scores,
    )
    num_classes = len(ground_truth.classes)
    if style == "activitynet":
        return average_precision(*arrays, thresholds, num_classes)
    return thumos_average_precision(
        *arrays,
        ground_truth.ignored_videos,
        ground_truth.ignored_segments,
        thresholds,
        num_classes,
        matching="detections" if style == "thumos" else "annotations",
    )


def _row(name: str, tiou_thresholds: Sequence[float], values: FloatArray) -> dict[str, float]:
    row = {
        f"{name}@{format_tiou(tiou)}": float(value)
        for tiou, value in zip(tiou_thresholds, values, strict=True)
    }
    row[name] = float(values.mean())
    return row


def format_tiou(tiou: float) -> str:
    """Two decimals (``0.50``); more only where two would hide a difference (``0.125``)."""
    short = f"{tiou:.2f}"
    return short if abs(float(short) - tiou) < 1e-9 else f"{tiou:.6g}"
