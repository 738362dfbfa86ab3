"""The three analyses of DETAD: sensitivity, false positives, false negatives.

Source: `Diagnosing Error in Temporal Action Detectors <https://arxiv.org/abs/1807.10706>`_. All
values are fractions (0 to 1); what is averaged over the tIoU thresholds says so.
"""

from dataclasses import dataclass

import numpy as np

from .average_precision import BoolArray, FloatArray, IntArray
from .diagnosis_matching import (
    FALSE,
    LEFT_OUT,
    TRUE,
    Matches,
    normalized_average_precision,
    normalized_precision,
)

# Kinds of detections; the number is what `error_types` gives.
DETECTION_TYPES = (
    "true positive",
    "double detection",
    "wrong label",
    "localisation",
    "confusion",
    "background",
)


@dataclass(frozen=True)
class FalsePositives:
    """What the best detections are, and what each type of error costs.

    Args:
        counts: ``[G, 6]`` detections of each type per band of ranks, mean over tIoU thresholds: of
            each class with n annotated actions, band g holds the detections of rank g * n to
            (g + 1) * n.
        base: Average mAP_N of these detections.
        impact: ``[5]`` gain in average mAP_N when all errors of one type are taken away.
    """

    counts: FloatArray
    base: float
    impact: FloatArray

    @property
    def shares(self) -> FloatArray:
        """``[G, 6]`` share of each type in its band; NaN where a band is empty."""
        totals = self.counts.sum(axis=1, keepdims=True)
        return np.divide(
            self.counts, totals, out=np.full_like(self.counts, np.nan), where=totals > 0
        )


def mean_over_classes(ap: FloatArray) -> float:
    """Mean over thresholds and over the classes that have annotated actions; NaN without any."""
    present = ~np.isnan(ap[:, 0])
    return float(ap[present].mean()) if present.any() else float("nan")


def sensitivity(
    matches: Matches, gt_labels: IntArray, gt_bins: IntArray, num_bins: int, normalizer: float
) -> FloatArray:
    """Average mAP_N on the actions of each bin.

    The actions of the other bins, and the detections that find them, are left out; false positives
    stay. A class without action in a bin does not count there.

    Args:
        matches: Detections and what they find.
        gt_labels: ``[M]`` class of each annotated action.
        gt_bins: ``[M]`` bin of each annotated action.
        num_bins: B.
        normalizer: N of the normalised precision.

    Returns:
        ``[B]`` fractions; NaN for an empty bin.
    """
    num_classes = len(matches.num_gt)
    # The last entry stands for index -1, a detection that finds no action.
    bin_of = np.append(gt_bins, -1)[matches.actions]
    result = np.empty(num_bins)
    for index in range(num_bins):
        kinds = np.where(bin_of == index, TRUE, np.where(matches.found, LEFT_OUT, FALSE))
        num_gt = np.bincount(gt_labels[gt_bins == index], minlength=num_classes)
        ap = normalized_average_precision(kinds.astype(np.int8), matches.bounds, num_gt, normalizer)
        result[index] = mean_over_classes(ap)
    return result


def error_types(matches: Matches, min_tiou: float = 0.1) -> IntArray:
    """Type of each detection at each threshold, by the action of its video it overlaps most.

    Above the threshold a false positive is a double detection (its own class) or a wrong label;
    from ``min_tiou`` on a localisation error (its own class) or a confusion; else background. Where
    two actions overlap it equally, as the twice labelled CliffDiving and Diving of THUMOS14, its
    own class counts.

    Args:
        matches: Detections and what they find.
        min_tiou: Overlap below which a detection shows nothing but background, at most the lowest
            threshold.

    Returns:
        ``[N, T]`` index into ``DETECTION_TYPES``.

    Raises:
        ValueError: If ``min_tiou`` is not above 0 or exceeds a threshold.
    """
    lowest = float(matches.thresholds.min())
    if not 0 < min_tiou <= lowest:
        raise ValueError(
            f"the tIoU that tells background must be above 0 and at most the lowest threshold "
            f"{lowest:g}, got {min_tiou}"
        )
    best, same = matches.best_tiou[:, None], matches.same_label[:, None]
    types = np.where(
        best >= matches.thresholds,
        np.where(same, 1, 2),
        np.where(best >= min_tiou, np.where(same, 3, 4), 5),
    )
    types[matches.found] = 0
    return types


def false_positives(
    matches: Matches, normalizer: float, num_bands: int = 10, min_tiou: float = 0.1
) -> FalsePositives:
    """Profile the best detections of each class and take each type of error away in turn.

    Args:
        matches: Detections and what they find.
        normalizer: N of the normalised precision.
        num_bands: G; of a class with n annotated actions the best G * n detections are looked at.
        min_tiou: See :func:`error_types`.

    Returns:
        The profile.

    Raises:
        ValueError: If ``num_bands`` or ``min_tiou`` is out of range.
    """
    if num_bands < 1:
        raise ValueError(f"look at one band of ranks or more, got {num_bands}")
    types = error_types(matches, min_tiou)
    bands = matches.ranks // matches.num_gt[matches.labels]
    inside = bands < num_bands
    num_types = len(DETECTION_TYPES)
    cells = (bands[inside, None] * num_types + types[inside]).ravel()
    counts = np.bincount(cells, minlength=num_bands * num_types).astype(np.float64)
    counts = counts.reshape(num_bands, num_types) / len(matches.thresholds)

    kinds = np.where(inside[:, None], np.where(types == 0, TRUE, FALSE), LEFT_OUT).astype(np.int8)
    ap = normalized_average_precision(kinds, matches.bounds, matches.num_gt, normalizer)
    base = mean_over_classes(ap)
    impact = []
    for error in range(1, num_types):
        without = np.where(types == error, np.int8(LEFT_OUT), kinds)
        ap = normalized_average_precision(without, matches.bounds, matches.num_gt, normalizer)
        impact.append(mean_over_classes(ap) - base)
    return FalsePositives(counts, base, np.array(impact))


def found_actions(
    matches: Matches, num_actions: int, normalizer: float, min_precision: float = 0.05
) -> BoolArray:
    """Annotated actions that are found before the precision falls too low to be of use.

    Args:
        matches: Detections and what they find.
        num_actions: M.
        normalizer: N of the normalised precision.
        min_precision: Detections at which the normalised precision of their class is not above
            this do not count.

    Returns:
        ``[M, T]``.

    Raises:
        ValueError: If ``min_precision`` is not in [0, 1).
    """
    if not 0 <= min_precision < 1:
        raise ValueError(f"a precision is at least 0 and below 1, got {min_precision}")
    useful = matches.found & (normalized_precision(matches, normalizer) > min_precision)
    found = np.zeros((num_actions, len(matches.thresholds)), dtype=bool)
    for t in range(len(matches.thresholds)):
        found[matches.actions[useful[:, t], t], t] = True
    return found


def missed_rates(found: BoolArray, cells: IntArray, num_cells: int) -> FloatArray:
    """Share of the annotated actions of each cell that is missed, mean over tIoU thresholds.

    Args:
        found: ``[M, T]``.
        cells: ``[M]`` cell of each action: its bin, or a pair of bins as one number.
        num_cells: C.

    Returns:
        ``[C]`` fractions; NaN for an empty cell.
    """
    sizes = np.bincount(cells, minlength=num_cells)
    missed = np.bincount(cells, weights=1.0 - found.mean(axis=1), minlength=num_cells)
    return np.divide(missed, sizes, out=np.full(num_cells, np.nan), where=sizes > 0)
