"""Detection reports as tables for people; all numbers in percent."""

from collections.abc import Mapping
from io import StringIO

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .detection import DetectionReport, format_tiou


def detection_table(report: DetectionReport, per_class: bool = False) -> Table:
    """Show mAP per threshold, below it the AP of each class if asked for.

    Args:
        report: What to show.
        per_class: Add one row per class.

    Returns:
        A rich table, values in percent.
    """
    title = (
        f"mAP (%) of {report.num_predictions:,} detections on {report.num_videos:,} videos, "
        f"{int(report.num_instances.sum()):,} annotated actions of {len(report.classes)} classes"
    )
    table = Table(title=title, box=box.ASCII2, title_justify="left", title_style="")
    table.add_column("tIoU", no_wrap=True)
    if per_class:
        table.add_column("actions", justify="right", no_wrap=True)
    for tiou in report.tiou_thresholds:
        table.add_column(format_tiou(tiou), justify="right", no_wrap=True)
    table.add_column("average", justify="right", no_wrap=True)

    total = [f"{int(report.num_instances.sum())}"] if per_class else []
    table.add_row("mAP", *total, *_percent(report.ap.mean(axis=0)), end_section=per_class)
    if per_class:
        for label, count, row in zip(report.classes, report.num_instances, report.ap, strict=True):
            table.add_row(Text(label), str(count), *_percent(row))
    return table


def comparison_table(reports: Mapping[str, DetectionReport]) -> Table:
    """Show the mAP of several results on one ground truth, a row each.

    Args:
        reports: Name of each result and its report; thresholds and ground truth must be the same.

    Returns:
        A rich table, values in percent.
    """
    first = next(iter(reports.values()))
    title = (
        f"mAP (%) on {first.num_videos:,} videos, {int(first.num_instances.sum()):,} annotated "
        f"actions of {len(first.classes)} classes"
    )
    table = Table(title=title, box=box.ASCII2, title_justify="left", title_style="")
    table.add_column("tIoU", no_wrap=True)
    table.add_column("detections", justify="right", no_wrap=True)
    for tiou in first.tiou_thresholds:
        table.add_column(format_tiou(tiou), justify="right", no_wrap=True)
    table.add_column("average", justify="right", no_wrap=True)
    for name, report in reports.items():
        numbers = _percent(report.ap.mean(axis=0))
        table.add_row(Text(name), f"{report.num_predictions:,}", *numbers)
    return table


def _percent(values: np.ndarray) -> list[str]:
    return [f"{100 * value:.2f}" for value in (*values, values.mean())]


def render(table: Table) -> str:
    """Plain text of a table, as wide as it needs to be, for a log file."""
    console = Console(file=StringIO(), width=400, color_system=None, legacy_windows=False)
    console.width = min(400, max(console.measure(table).maximum, len(str(table.title)) + 2))
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())
