"""What a diagnosis holds; fractions from 0 to 1."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .average_precision import FloatArray, IntArray
from .diagnosis_bins import Bins
from .diagnosis_profiles import DETECTION_TYPES, FalsePositives


@dataclass(frozen=True)
class BinResult:
    """One characteristic: ``[B]`` values, a number per bin; NaN where a bin is empty.

    Args:
        bins: The bins.
        counts: Annotated actions in each bin.
        map_n: Average mAP_N on the actions of each bin.
        missed: Share of the actions of each bin that is missed.
    """

    bins: Bins
    counts: IntArray
    map_n: FloatArray
    missed: FloatArray

    @property
    def shares(self) -> FloatArray:
        """Share of all annotated actions that lies in each bin."""
        return self.counts / self.counts.sum()


@dataclass(frozen=True)
class PairResult:
    """Two characteristics: ``[B1, B2]`` values, a number per pair of bins; NaN where it is empty.

    Args:
        bins: Bins of the rows and of the columns.
        counts: Annotated actions.
        missed: Share of them that is missed.
    """

    bins: tuple[Bins, Bins]
    counts: IntArray
    missed: FloatArray


@dataclass(frozen=True)
class Diagnosis:
    """All numbers of one result file; fractions from 0 to 1.

    Args:
        tiou_thresholds: The T thresholds; all results are means over them.
        num_videos: Evaluated videos.
        num_actions: Annotated actions.
        num_classes: Classes of the ground truth.
        num_predictions: Detections of these classes.
        normalizer: N of the normalised precision.
        min_precision: Normalised precision that a detection must exceed to find an action.
        min_tiou: Overlap below which a false positive is background.
        mean_ap: Average mAP, not normalised.
        map_n: Average mAP_N.
        missed: Share of all annotated actions that is missed.
        characteristics: Sensitivity and false negatives per characteristic.
        pairs: False negatives per pair of characteristics.
        false_positives: Types of error and their cost.
    """

    tiou_thresholds: tuple[float, ...]
    num_videos: int
    num_actions: int
    num_classes: int
    num_predictions: int
    normalizer: float
    min_precision: float
    min_tiou: float
    mean_ap: float
    map_n: float
    missed: float
    characteristics: tuple[BinResult, ...]
    pairs: tuple[PairResult, ...]
    false_positives: FalsePositives

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and dicts; None where a bin is empty."""
        profile = self.false_positives
        result: dict[str, Any] = {
            name: getattr(self, name)
            for name in self.__dataclass_fields__
            if name not in ("characteristics", "pairs", "false_positives")
        }
        result["tiou_thresholds"] = list(self.tiou_thresholds)
        result["characteristics"] = {
            one.bins.characteristic: {
                "bins": list(one.bins.names),
                "intervals": one.bins.intervals(),
                "actions": one.counts.tolist(),
                "share": _numbers(one.shares),
                "mAP_N": _numbers(one.map_n),
                "relative_change": _numbers(self.relative_change(one)),
                "missed": _numbers(one.missed),
            }
            for one in self.characteristics
        }
        result["pairs"] = {
            " x ".join(bins.characteristic for bins in pair.bins): {
                "rows": list(pair.bins[0].names),
                "columns": list(pair.bins[1].names),
                "actions": pair.counts.tolist(),
                "missed": [_numbers(row) for row in pair.missed],
            }
            for pair in self.pairs
        }
        result["false_positives"] = {
            "types": list(DETECTION_TYPES),
            "counts_per_band": profile.counts.tolist(),
            "shares_per_band": [_numbers(row) for row in profile.shares],
            "mAP_N_of_the_bands": profile.base,
            "mAP_N_gain_without": dict(
                zip(DETECTION_TYPES[1:], profile.impact.tolist(), strict=True)
            ),
        }
        return result

    def relative_change(self, one: BinResult) -> FloatArray:
        """``[B]`` mAP_N of the bins over that of all actions; NaN where it is 0."""
        return one.map_n / self.map_n if self.map_n > 0 else np.full_like(one.map_n, np.nan)


def _numbers(values: FloatArray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
