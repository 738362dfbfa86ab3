"""What a run would trip over that takes two data sets, or one and a head, to see."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .checking import HARM, NOTE, STOP, DatasetReport, Finding, some
from .statistics import class_counts


def compare_datasets(train: DatasetReport, test: DatasetReport) -> list[Finding]:
    """Findings about two data sets together: their classes and videos.

    Args:
        train: What is trained on.
        test: What is evaluated.
    """
    found = DatasetReport(f"{train.loader} and {test.loader}")
    if not (train.records and test.records):
        return []
    if train.classes != test.classes:
        found.add(
            STOP,
            f"they have {len(train.classes)} and {len(test.classes)} classes or another order; "
            "give both the same 'classes'",
        )
        return found.findings
    counts = [class_counts(report.records, report.classes) for report in (train, test)]
    unseen = [label for label in train.classes if not counts[0][label]]
    tested = [label for label in unseen if counts[1][label]]
    if tested:
        found.add(
            HARM,
            f"{len(tested)} classes are evaluated but never trained on: {_listed(tested)}",
        )
    if unseen:
        numbers = [train.classes.index(label) for label in unseen]
        found.add(NOTE, f"classes without a training instance: empty_classes={numbers}")
    idle = [label for label in train.classes if counts[0][label] and not counts[1][label]]
    if idle:
        found.add(NOTE, f"{len(idle)} classes are trained but never evaluated: {_listed(idle)}")
    both = {one.video_id for one in train.records} & {one.video_id for one in test.records}
    if both:
        found.add(HARM, some(sorted(both), test.records, "are in both"))
    return found.findings


def check_regression_ranges(
    report: DatasetReport, ranges: Sequence[Sequence[float]]
) -> list[Finding]:
    """Findings about the regression ranges of an anchor-free head.

    A point inside an action is at least half and at most all of its length away from its farther
    boundary.

    Args:
        report: Report of the training data.
        ranges: Smallest and largest distance per level, in steps.
    """
    found = DatasetReport(report.loader, steps=report.steps)
    if not len(report.steps):
        return []
    longest = max(high for _, high in ranges)
    beyond = int((report.steps / 2 > longest).sum())
    if beyond:
        found.add(
            HARM,
            f"{beyond} of {len(report.steps)} actions are longer than the last regression range "
            f"reaches ({longest:g} steps on either side)",
        )
    idle = [
        level
        for level, (low, high) in enumerate(ranges)
        if not ((report.steps / 2 <= high) & (report.steps >= low)).any()
    ]
    if idle:
        found.add(NOTE, f"no action falls into the regression ranges of the levels {idle}")
    return found.findings


def inner_configs(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The data sets within MMEngine's wrappers (concatenated, repeated, balanced)."""
    inner = config.get("datasets") or ([config["dataset"]] if "dataset" in config else None)
    if inner is None:
        yield config
        return
    for one in inner:
        yield from inner_configs(one)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
