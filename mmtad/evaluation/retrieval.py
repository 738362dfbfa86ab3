"""Recall@kx of Ego4D Moment Queries: files or dicts in, fractions out."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from .average_precision import FloatArray, IntArray, check_tiou_thresholds
from .average_recall import first_hits, recall_at_kx
from .detection import format_tiou
from .files import Source
from .ground_truth import GroundTruth, load_ground_truth
from .predictions import load_predictions

EGO4D_TIOU_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
TOP_K = (1, 5)
AVERAGES = ("class", "instance")


@dataclass(frozen=True)
class RetrievalReport:
    """Recall@kx of every class at every threshold; all values are fractions (0 to 1).

    Args:
        classes: The C classes of the ground truth.
        tiou_thresholds: The T thresholds, as they were given.
        top_k: Numbers of detections per annotated action.
        recall: ``[C, T, k]``.
        num_instances: ``[C]`` annotated actions of each class.
        num_videos: Evaluated videos.
        num_predictions: Detections compared, unknown labels included.
        average: ``"class"`` or ``"instance"``, see :func:`evaluate_retrieval`.
    """

    classes: list[str]
    tiou_thresholds: tuple[float, ...]
    top_k: tuple[int, ...]
    recall: FloatArray
    num_instances: IntArray
    num_videos: int
    num_predictions: int
    average: str = "class"

    @property
    def mean_recall(self) -> FloatArray:
        """``[T, k]`` mean over classes, or over annotated actions."""
        weights = None if self.average == "class" else self.num_instances
        return np.average(self.recall, axis=0, weights=weights)

    def summary(self) -> dict[str, float]:
        """``{"recall@1x@0.10": .., .., "recall@1x": .., "recall@5x@0.10": .., ..}``."""
        return self._row(self.mean_recall)

    def per_class(self) -> dict[str, dict[str, float]]:
        """``{class: {"recall@1x@0.10": .., ..}}``, classes by name."""
        return {
            label: self._row(recall)
            for label, recall in zip(self.classes, self.recall, strict=True)
        }

    def _row(self, recall: FloatArray) -> dict[str, float]:
        row = {}
        for k, column in zip(self.top_k, recall.T, strict=True):
            for tiou, value in zip(self.tiou_thresholds, column, strict=True):
                row[f"recall@{k}x@{format_tiou(tiou)}"] = float(value)
            row[f"recall@{k}x"] = float(column.mean())
        return row


def evaluate_retrieval(
    ground_truth: Source,
    predictions: Source,
    tiou_thresholds: float | Sequence[float] = EGO4D_TIOU_THRESHOLDS,
    subset: str | None = None,
    *,
    top_k: Sequence[int] = TOP_K,
    average: str = "class",
    ignore_labels: Collection[str] = (),
    blocked_videos: Collection[str] = (),
    drop_duplicates: bool = True,
) -> dict[str, float]:
    """Recall@kx of a result file, the second measure of Ego4D Moment Queries.

    In a video with n annotated actions of a class, the best ``k * n`` detections of this class may
    find them; one detection may find several. Detections of other classes and of videos outside the
    ground truth do not matter. Detections of equal score are ranked in the order of the file.

    Args:
        ground_truth: Annotation, path (``.json``, ``.json.gz``) or dict; see
            :func:`load_ground_truth`.
        predictions: ActivityNet results, path or dict; see :func:`load_predictions`.
        tiou_thresholds: Fractions in (0, 1]. Defaults to Ego4D's 0.1 to 0.5.
        subset: Name of the subset to evaluate; None takes all videos.
        top_k: The k.
        average: ``"class"``: mean over classes, as ActionFormer and OpenTAD report. ``"instance"``:
            share of all annotated actions, as the official Ego4D code does.
        ignore_labels: Labels to leave out on both sides beside ``Ambiguous``.
        blocked_videos: Videos to leave out on both sides.
        drop_duplicates: Count repeated annotations once, see :func:`evaluate_detections`.

    Returns:
        ``{"recall@1x@0.10": .., .., "recall@1x": .., "recall@5x@0.10": .., .., "recall@5x": ..}``,
        fractions from 0 to 1; those without a threshold are means over the thresholds.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file, the subset, a segment or an option is invalid, or there is no
            annotated action.
    """
    return retrieval_report(
        ground_truth,
        predictions,
        tiou_thresholds,
        subset,
        top_k=top_k,
        average=average,
        ignore_labels=ignore_labels,
        blocked_videos=blocked_videos,
        drop_duplicates=drop_duplicates,
    ).summary()


def retrieval_report(
    ground_truth: Source,
    predictions: Source,
    tiou_thresholds: float | Sequence[float] = EGO4D_TIOU_THRESHOLDS,
    subset: str | None = None,
    *,
    top_k: Sequence[int] = TOP_K,
    average: str = "class",
    ignore_labels: Collection[str] = (),
    blocked_videos: Collection[str] = (),
    drop_duplicates: bool = True,
) -> RetrievalReport:
    """Compute recall@kx of every class; arguments and errors of :func:`evaluate_retrieval`."""
    check_tiou_thresholds(tiou_thresholds)
    annotations = load_ground_truth(
        ground_truth, subset, ignore_labels, blocked_videos, drop_duplicates
    )
    return compare_retrieval(annotations, predictions, tiou_thresholds, top_k, average)


def compare_retrieval(
    ground_truth: GroundTruth,
    predictions: Source,
    tiou_thresholds: float | Sequence[float] = EGO4D_TIOU_THRESHOLDS,
    top_k: Sequence[int] = TOP_K,
    average: str = "class",
) -> RetrievalReport:
    """Recall@kx against an already loaded ground truth; see :func:`evaluate_retrieval`."""
    thresholds = check_tiou_thresholds(tiou_thresholds)
    if not top_k or not all(isinstance(k, int) and k >= 1 for k in top_k):
        raise ValueError(f"top_k are whole numbers from 1, got {top_k}")
    if average not in AVERAGES:
        raise ValueError(f"average must be one of {', '.join(AVERAGES)}, got {average!r}")
    ground_truth.require_actions("recall")
    detections = load_predictions(predictions, ground_truth, outside="are left out")
    num_videos = len(ground_truth.video_ids)
    known = (detections.labels >= 0) & (detections.videos >= 0)
    gt_keys = ground_truth.labels * num_videos + ground_truth.videos
    hits = first_hits(
        gt_keys,
        ground_truth.segments,
        np.where(known, detections.labels * num_videos + detections.videos, -1),
        detections.segments,
        detections.scores,
        thresholds,
    )
    num_classes = len(ground_truth.classes)
    return RetrievalReport(
        classes=ground_truth.classes,
        tiou_thresholds=tuple(thresholds.tolist()),
        top_k=tuple(top_k),
        recall=recall_at_kx(hits, gt_keys, ground_truth.labels, top_k, num_classes),
        num_instances=np.bincount(ground_truth.labels, minlength=num_classes),
        num_videos=num_videos,
        num_predictions=len(detections.scores),
        average=average,
    )
