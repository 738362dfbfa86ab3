"""Average recall of proposals: files or dicts in, fractions out."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from .average_precision import FloatArray, IntArray, check_tiou_thresholds
from .average_recall import area_under_curve, average_recall, first_hits, proposal_budgets
from .files import Source
from .ground_truth import GroundTruth, load_ground_truth
from .predictions import load_proposals

ACTIVITYNET_TIOU_THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
AVERAGE_NUMBERS = (1, 5, 10, 100)


@dataclass(frozen=True)
class ProposalReport:
    """Recall at every threshold and average number of proposals; values are fractions (0 to 1).

    Args:
        classes: The K classes of the ground truth, for :meth:`per_class`.
        tiou_thresholds: The T thresholds, as they were given.
        recall: ``[T, A]`` recall at AN = 1 to A.
        class_recall: ``[K, T, A]`` the same over the actions of one class.
        num_instances: ``[K]`` annotated actions of each class.
        num_videos: Evaluated videos with annotated actions.
        num_proposals: Proposals in these videos.
    """

    classes: list[str]
    tiou_thresholds: tuple[float, ...]
    recall: FloatArray
    class_recall: FloatArray
    num_instances: IntArray
    num_videos: int
    num_proposals: int

    @property
    def curve(self) -> FloatArray:
        """``[A]`` AR@AN for AN = 1 to A: the mean of the recall over the thresholds."""
        return self.recall.mean(axis=0)

    def summary(self, average_numbers: Sequence[int] = AVERAGE_NUMBERS) -> dict[str, float]:
        """``{"AR@1": .., "AR@5": .., "AR@10": .., "AR@100": .., "AUC": ..}``.

        Args:
            average_numbers: The AN to list; those above A are left out.
        """
        return _row(self.curve, average_numbers)

    def per_class(
        self, average_numbers: Sequence[int] = AVERAGE_NUMBERS
    ) -> dict[str, dict[str, float]]:
        """``{class: {"AR@1": .., .., "AUC": ..}}``: recall of the actions of each class."""
        return {
            label: _row(recall.mean(axis=0), average_numbers)
            for label, recall in zip(self.classes, self.class_recall, strict=True)
        }


def evaluate_proposals(
    ground_truth: Source,
    predictions: Source,
    tiou_thresholds: float | Sequence[float] = ACTIVITYNET_TIOU_THRESHOLDS,
    subset: str | None = None,
    *,
    max_proposals: int = 100,
    average_numbers: Sequence[int] = AVERAGE_NUMBERS,
    ignore_labels: Collection[str] = (),
    blocked_videos: Collection[str] = (),
    drop_duplicates: bool = True,
) -> dict[str, float]:
    """Average recall of proposals at a number of proposals per video, and the area under it.

    The definition is that of the ActivityNet proposal task, with which BSN and BMN are measured.
    An average number AN of proposals per video is spent by taking the same share of the proposals
    of every annotated video, best first, see :func:`.proposal_budgets`. Labels of
    proposals do not matter. Proposals of videos without annotated action, and of videos outside the
    ground truth, are left out; in the public evaluators they shrink the share of the other videos.
    Proposals of equal score are ranked in the order of the file.

    Args:
        ground_truth: Annotation, path (``.json``, ``.json.gz``) or dict; see
            :func:`load_ground_truth`.
        predictions: Results, path or dict; see :func:`load_proposals`.
        tiou_thresholds: Fractions in (0, 1]. Defaults to ActivityNet's 0.5 to 0.95.
        subset: Name of the subset to evaluate; None takes all videos.
        max_proposals: A, up to which the area is taken.
        average_numbers: The AN to list.
        ignore_labels: Labels of annotations to leave out beside ``Ambiguous``.
        blocked_videos: Videos to leave out on both sides.
        drop_duplicates: Count repeated annotations once, see :func:`evaluate_detections`.

    Returns:
        ``{"AR@1": .., "AR@5": .., "AR@10": .., "AR@100": .., "AUC": ..}``, fractions from 0 to 1.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file, the subset, a segment, a threshold or a number is invalid, or there
            is no annotated action.
    """
    return proposal_report(
        ground_truth,
        predictions,
        tiou_thresholds,
        subset,
        max_proposals=max_proposals,
        ignore_labels=ignore_labels,
        blocked_videos=blocked_videos,
        drop_duplicates=drop_duplicates,
    ).summary(average_numbers)


def proposal_report(
    ground_truth: Source,
    predictions: Source,
    tiou_thresholds: float | Sequence[float] = ACTIVITYNET_TIOU_THRESHOLDS,
    subset: str | None = None,
    *,
    max_proposals: int = 100,
    ignore_labels: Collection[str] = (),
    blocked_videos: Collection[str] = (),
    drop_duplicates: bool = True,
) -> ProposalReport:
    """Compute recall per threshold, AN and class; arguments of :func:`evaluate_proposals`."""
    check_tiou_thresholds(tiou_thresholds)
    annotations = load_ground_truth(
        ground_truth, subset, ignore_labels, blocked_videos, drop_duplicates
    )
    return compare_proposals(annotations, predictions, tiou_thresholds, max_proposals)


def compare_proposals(
    ground_truth: GroundTruth,
    predictions: Source,
    tiou_thresholds: float | Sequence[float] = ACTIVITYNET_TIOU_THRESHOLDS,
    max_proposals: int = 100,
) -> ProposalReport:
    """Recall against an already loaded ground truth; see :func:`evaluate_proposals`."""
    thresholds = check_tiou_thresholds(tiou_thresholds)
    if max_proposals < 1:
        raise ValueError(f"max_proposals must be at least 1, got {max_proposals}")
    ground_truth.require_actions("average recall")
    proposals = load_proposals(predictions, ground_truth)
    hits = first_hits(
        ground_truth.videos,
        ground_truth.segments,
        proposals.videos,
        proposals.segments,
        proposals.scores,
        thresholds,
    )
    videos, rows = np.unique(ground_truth.videos, return_inverse=True)
    per_video = np.bincount(
        proposals.videos[proposals.videos >= 0], minlength=len(ground_truth.video_ids)
    )
    counts = per_video[videos]
    budgets = proposal_budgets(counts, max_proposals)
    num_classes = len(ground_truth.classes)
    return ProposalReport(
        classes=ground_truth.classes,
        tiou_thresholds=tuple(thresholds.tolist()),
        recall=average_recall(hits, rows, budgets)[0],
        class_recall=average_recall(hits, rows, budgets, ground_truth.labels, num_classes),
        num_instances=np.bincount(ground_truth.labels, minlength=num_classes),
        num_videos=len(videos),
        num_proposals=int(counts.sum()),
    )


def _row(curve: FloatArray, average_numbers: Sequence[int]) -> dict[str, float]:
    if not all(isinstance(number, int) and number >= 1 for number in average_numbers):
        raise ValueError(f"average_numbers are whole numbers from 1, got {average_numbers}")
    row = {f"AR@{an}": float(curve[an - 1]) for an in average_numbers if an <= len(curve)}
    row["AUC"] = area_under_curve(curve)
    return row
