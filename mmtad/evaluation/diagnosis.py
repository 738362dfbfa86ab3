"""Diagnosis of a detector: which actions it misses, which errors cost it most.

The analyses are those of DETAD (`Diagnosing Error in Temporal Action Detectors
<https://arxiv.org/abs/1807.10706>`_).
"""

from collections.abc import Collection, Sequence
from itertools import combinations

import numpy as np

from .average_precision import FloatArray, IntArray, check_tiou_thresholds
from .diagnosis_bins import Bins, resolve_bins
from .diagnosis_characteristics import action_characteristics, load_durations, require_durations
from .diagnosis_matching import FALSE, TRUE, match, normalized_average_precision
from .diagnosis_profiles import (
    false_positives,
    found_actions,
    mean_over_classes,
    missed_rates,
    sensitivity,
)
from .diagnosis_result import BinResult, Diagnosis, PairResult
from .files import Source
from .ground_truth import GroundTruth, load_ground_truth
from .predictions import load_predictions


def diagnose(
    ground_truth: Source,
    predictions: Source,
    tiou_thresholds: float | Sequence[float] = 0.5,
    subset: str | None = None,
    *,
    bins: str | Bins | Sequence[str | Bins] = "thumos14",
    normalizer: float | None = None,
    num_bands: int = 10,
    min_tiou: float = 0.1,
    min_precision: float = 0.05,
    ignore_labels: Collection[str] = (),
    blocked_videos: Collection[str] = (),
    drop_duplicates: bool = True,
) -> Diagnosis:
    """Run the three analyses of DETAD on a result file.

    Args:
        ground_truth: Annotation with the ``duration`` of each video, path or dict.
        predictions: ActivityNet results, path or dict.
        tiou_thresholds: Fractions in (0, 1]; the numbers are means over them. DETAD takes 0.5 on
            THUMOS14 and 0.5 to 0.95 in steps of 0.05 on ActivityNet.
        subset: Name of the subset; None takes all videos.
        bins: See :func:`resolve_bins`.
        normalizer: N of the normalised precision. Defaults to the mean number of annotated actions
            per class.
        num_bands: Bands of ranks in the profile of false positives.
        min_tiou: Overlap below which a false positive is background.
        min_precision: Normalised precision that a detection must exceed to find an action.
        ignore_labels: Labels to leave out on both sides.
        blocked_videos: Videos to leave out on both sides.
        drop_duplicates: See :func:`evaluate_detections`.

    Returns:
        The diagnosis.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file, the bins or a number is invalid, a duration that coverage needs is
            missing, or there is no annotated action.
    """
    annotations = load_ground_truth(
        ground_truth, subset, ignore_labels, blocked_videos, drop_duplicates
    )
    return diagnose_loaded(
        annotations,
        load_durations(ground_truth, annotations),
        predictions,
        tiou_thresholds,
        bins=bins,
        normalizer=normalizer,
        num_bands=num_bands,
        min_tiou=min_tiou,
        min_precision=min_precision,
    )


def diagnose_loaded(
    ground_truth: GroundTruth,
    durations: FloatArray,
    predictions: Source,
    tiou_thresholds: float | Sequence[float] = 0.5,
    *,
    bins: str | Bins | Sequence[str | Bins] = "thumos14",
    normalizer: float | None = None,
    num_bands: int = 10,
    min_tiou: float = 0.1,
    min_precision: float = 0.05,
) -> Diagnosis:
    """Run :func:`diagnose` on an already loaded ground truth.

    Args:
        ground_truth: Annotated actions.
        durations: ``[V]`` seconds of each video, NaN where unknown.
        predictions: ActivityNet results, path or dict.
        tiou_thresholds: Fractions in (0, 1].
        bins: See :func:`resolve_bins`.
        normalizer: N; None for the mean number of annotated actions per class.
        num_bands: Bands of ranks.
        min_tiou: Overlap below which a false positive is background.
        min_precision: Normalised precision that a detection must exceed.

    Returns:
        The diagnosis.

    Raises:
        FileNotFoundError: If the result file does not exist.
        ValueError: As :func:`diagnose`.
    """
    thresholds = check_tiou_thresholds(tiou_thresholds)
    assigned = _assign(ground_truth, durations, resolve_bins(bins))
    num_actions, labels = len(ground_truth.labels), ground_truth.labels
    if normalizer is None:
        normalizer = num_actions / len(ground_truth.classes)
    if not 0 < normalizer < np.inf:
        raise ValueError(f"the normaliser of the precision must be above 0, got {normalizer}")
    matches = match(ground_truth, load_predictions(predictions, ground_truth), thresholds)
    num_gt = matches.num_gt
    kinds = np.where(matches.found, TRUE, FALSE).astype(np.int8)
    ap = normalized_average_precision(kinds, matches.bounds, matches.num_gt, normalizer)
    plain = normalized_average_precision(kinds, matches.bounds, num_gt, num_gt)
    found = found_actions(matches, num_actions, normalizer, min_precision)
    results = [
        BinResult(
            bins=one,
            counts=np.bincount(index, minlength=len(one.names)),
            map_n=sensitivity(matches, labels, index, len(one.names), normalizer),
            missed=missed_rates(found, index, len(one.names)),
        )
        for one, index in assigned
    ]
    return Diagnosis(
        tiou_thresholds=tuple(thresholds.tolist()),
        num_videos=len(ground_truth.video_ids),
        num_actions=num_actions,
        num_classes=len(ground_truth.classes),
        num_predictions=len(matches.rows),
        normalizer=float(normalizer),
        min_precision=min_precision,
        min_tiou=min_tiou,
        mean_ap=mean_over_classes(plain),
        map_n=mean_over_classes(ap),
        missed=float(1.0 - found.mean()),
        characteristics=tuple(results),
        pairs=tuple(_pair(first, second, found) for first, second in combinations(assigned, 2)),
        false_positives=false_positives(matches, normalizer, num_bands, min_tiou),
    )


def _assign(
    ground_truth: GroundTruth, durations: FloatArray, bins: Sequence[Bins]
) -> list[tuple[Bins, IntArray]]:
    """The bin of every annotated action, per characteristic."""
    ground_truth.require_actions("mAP_N")
    if any(one.characteristic == "coverage" for one in bins):
        require_durations(ground_truth, durations)
    values = action_characteristics(ground_truth, durations)
    return [(one, one.assign(values[one.characteristic])) for one in bins]


def _pair(
    first: tuple[Bins, IntArray], second: tuple[Bins, IntArray], found: np.ndarray
) -> PairResult:
    rows, columns = len(first[0].names), len(second[0].names)
    cells = first[1] * columns + second[1]
    return PairResult(
        bins=(first[0], second[0]),
        counts=np.bincount(cells, minlength=rows * columns).reshape(rows, columns),
        missed=missed_rates(found, cells, rows * columns).reshape(rows, columns),
    )
