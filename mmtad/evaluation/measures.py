"""What a :class:`DetectionMetric` measures: a name or a dict from a config, and its evaluation."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmengine.structures import InstanceData
from rich.table import Table

from ..registry import TASK_UTILS
from .average_precision import check_tiou_thresholds
from .detection import check_style, compare
from .files import Source
from .ground_truth import GroundTruth
from .proposals import AVERAGE_NUMBERS, compare_proposals
from .retrieval import compare_retrieval
from .tables import detection_table, proposal_table, retrieval_table

PostProcessor = Callable[..., InstanceData]
Result = tuple[dict[str, float], Table]


def _mean_average_precision(ground_truth: GroundTruth, predictions: Source, **options) -> Result:
    report = compare(ground_truth, predictions, **options)
    return report.summary(), detection_table(report)


def _average_recall(
    ground_truth: GroundTruth,
    predictions: Source,
    average_numbers: Sequence[int] = AVERAGE_NUMBERS,
    **options,
) -> Result:
    report = compare_proposals(ground_truth, predictions, **options)
    return report.summary(average_numbers), proposal_table(report, average_numbers)


def _recall_at_kx(ground_truth: GroundTruth, predictions: Source, **options) -> Result:
    report = compare_retrieval(ground_truth, predictions, **options)
    return report.summary(), retrieval_table(report)


# Name of a measure: how it is computed, and the function that its options belong to.
MEASURES: dict[str, tuple[Callable[..., Result], Callable[..., Any]]] = {
    "mAP": (_mean_average_precision, compare),
    "AR": (_average_recall, compare_proposals),
    "recall@kx": (_recall_at_kx, compare_retrieval),
}


@dataclass(frozen=True)
class Measure:
    """One measure of a run.

    Args:
        name: ``"mAP"``, ``"AR"`` or ``"recall@kx"``.
        options: What the measure is called with.
        post_processor: What makes its detections from the windows of a video; None joins them.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    post_processor: PostProcessor | None = None

    def evaluate(self, ground_truth: GroundTruth, predictions: Source) -> Result:
        """Compare results with a ground truth: the numbers by name, and a table for people."""
        return MEASURES[self.name][0](ground_truth, predictions, **self.options)


def build_measures(
    configs: Sequence[str | Mapping[str, Any]],
    post_processor: PostProcessor | None,
    defaults: Mapping[str, Mapping[str, Any]],
) -> list[Measure]:
    """Read the measures of a config.

    Args:
        configs: A name each, or ``dict(type=name, post_processor=dict(...), **options)``.
        post_processor: For measures that do not bring their own.
        defaults: Options by name of measure, for those that do not set them.

    Returns:
        The measures in the given order.

    Raises:
        ValueError: If there is none, a name or option is unknown or a name is given twice.
    """
    if isinstance(configs, str | Mapping) or not configs:
        raise ValueError(
            f"measures is a list such as ['mAP', 'recall@kx'] and not empty, got {configs!r}"
        )
    measures = []
    for config in configs:
        options: dict[str, Any] = {"type": config} if isinstance(config, str) else dict(config)
        name = options.pop("type", None)
        if name not in MEASURES:
            raise ValueError(f"a measure is one of {', '.join(MEASURES)}, got {config!r}")
        own = post_processor
        if "post_processor" in options:
            built = options.pop("post_processor")
            own = None if built is None else TASK_UTILS.build(built)
        options = {**defaults.get(name, {}), **options}
        _check_options(name, options)
        measures.append(Measure(name, options, own))
    names = [measure.name for measure in measures]
    if len(set(names)) < len(names):
        raise ValueError(f"a measure is given twice: {', '.join(names)}")
    return measures


def _check_options(name: str, options: Mapping[str, Any]) -> None:
    known = set(inspect.signature(MEASURES[name][1]).parameters) - {"ground_truth", "predictions"}
    if name == "AR":
        known.add("average_numbers")
    if unknown := sorted(set(options) - known):
        raise ValueError(f"the measure {name} takes {sorted(known)}, got {unknown}")
    if "tiou_thresholds" in options:
        check_tiou_thresholds(options["tiou_thresholds"])
    if "style" in options:
        check_style(options["style"])
