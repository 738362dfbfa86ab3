"""Reports as tables for people; all numbers in percent."""

from collections.abc import Mapping, Sequence
from io import StringIO

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .average_recall import area_under_curve
from .detection import DetectionReport, format_tiou
from .proposals import AVERAGE_NUMBERS, ProposalReport
from .retrieval import RetrievalReport

_STYLES = {"activitynet": "", "thumos": ", THUMOS style", "thumos_kit": ", THUMOS14 kit"}


def detection_table(report: DetectionReport, per_class: bool = False) -> Table:
    """Show mAP per threshold, below it the AP of each class if asked for.

    Args:
        report: What to show.
        per_class: Add one row per class.

    Returns:
        A rich table, values in percent.
    """
    title = (
        f"mAP (%{_STYLES[report.style]}) of {report.num_predictions:,} detections on "
        f"{report.num_videos:,} videos, {_actions(report)}"
    )
    table = _table(title)
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
    title = f"mAP (%{_STYLES[first.style]}) on {first.num_videos:,} videos, {_actions(first)}"
    table = _table(title)
    table.add_column("tIoU", no_wrap=True)
    table.add_column("detections", justify="right", no_wrap=True)
    for tiou in first.tiou_thresholds:
        table.add_column(format_tiou(tiou), justify="right", no_wrap=True)
    table.add_column("average", justify="right", no_wrap=True)
    for name, report in reports.items():
        numbers = _percent(report.ap.mean(axis=0))
        table.add_row(Text(name), f"{report.num_predictions:,}", *numbers)
    return table


def epic_table(reports: Mapping[str, DetectionReport]) -> Table:
    """Show the mAP of verbs, nouns and actions, a row each.

    Args:
        reports: Reports by task, with the same thresholds.

    Returns:
        A rich table, values in percent.
    """
    first = next(iter(reports.values()))
    table = _table(f"mAP (%) on {first.num_videos:,} videos of EPIC-Kitchens-100")
    table.add_column("tIoU", no_wrap=True)
    for name in ("classes", "actions", "detections"):
        table.add_column(name, justify="right", no_wrap=True)
    for tiou in first.tiou_thresholds:
        table.add_column(format_tiou(tiou), justify="right", no_wrap=True)
    table.add_column("average", justify="right", no_wrap=True)
    for task, report in reports.items():
        numbers = (len(report.classes), int(report.num_instances.sum()), report.num_predictions)
        table.add_row(task, *(f"{n:,}" for n in numbers), *_percent(report.ap.mean(axis=0)))
    return table


def proposal_table(
    report: ProposalReport,
    average_numbers: Sequence[int] = AVERAGE_NUMBERS,
    per_class: bool = False,
) -> Table:
    """Show recall per threshold at some AN and the area under it, below it AR of each class.

    Args:
        report: What to show.
        average_numbers: AN of the columns; those above the largest of the report are left out.
        per_class: Add one row per class: AR@AN of its actions.

    Returns:
        A rich table, values in percent.
    """
    shown = [an for an in average_numbers if an <= report.recall.shape[1]]
    table = _table(
        f"recall (%) of {report.num_proposals:,} proposals at AN proposals per video, "
        f"{report.num_videos:,} annotated videos, {_actions(report)}"
    )
    table.add_column("tIoU", no_wrap=True)
    if per_class:
        table.add_column("actions", justify="right", no_wrap=True)
    for an in shown:
        table.add_column(f"AN={an}", justify="right", no_wrap=True)
    table.add_column("AUC", justify="right", no_wrap=True)

    columns = [an - 1 for an in shown]
    total = [f"{int(report.num_instances.sum())}"] if per_class else []
    for tiou, recall in zip(report.tiou_thresholds, report.recall, strict=True):
        table.add_row(format_tiou(tiou), *total, *_curve(recall, columns))
    table.add_section()
    table.add_row("AR", *total, *_curve(report.curve, columns), end_section=per_class)
    if per_class:
        rows = zip(report.classes, report.num_instances, report.class_recall, strict=True)
        for label, count, recall in rows:
            table.add_row(Text(label), str(count), *_curve(recall.mean(axis=0), columns))
    return table


def retrieval_table(report: RetrievalReport, per_class: bool = False) -> Table:
    """Show recall@kx per threshold, below it that of each class if asked for.

    Args:
        report: What to show.
        per_class: Add one row per class and k.

    Returns:
        A rich table, values in percent.
    """
    over = "classes" if report.average == "class" else "actions"
    table = _table(
        f"recall@kx (%, mean over {over}) of {report.num_predictions:,} detections on "
        f"{report.num_videos:,} videos, {_actions(report)}"
    )
    table.add_column("tIoU", no_wrap=True)
    if per_class:
        table.add_column("actions", justify="right", no_wrap=True)
    for tiou in report.tiou_thresholds:
        table.add_column(format_tiou(tiou), justify="right", no_wrap=True)
    table.add_column("average", justify="right", no_wrap=True)

    total = [f"{int(report.num_instances.sum())}"] if per_class else []
    for k, recall in zip(report.top_k, report.mean_recall.T, strict=True):
        table.add_row(f"recall@{k}x", *total, *_percent(recall))
    if per_class:
        table.add_section()
        rows = zip(report.classes, report.num_instances, report.recall, strict=True)
        for label, count, class_recall in rows:
            for k, recall in zip(report.top_k, class_recall.T, strict=True):
                table.add_row(Text(f"{label} @{k}x"), str(count), *_percent(recall))
    return table


def _table(title: str) -> Table:
    # On one line: the default wraps a title at the width of its table.
    line = Text(title, no_wrap=True, overflow="ignore")
    return Table(title=line, box=box.ASCII2, title_justify="left", title_style="")


def _actions(report: DetectionReport | ProposalReport | RetrievalReport) -> str:
    total = int(report.num_instances.sum())
    return f"{total:,} annotated actions of {len(report.classes)} classes"


def _curve(recall: np.ndarray, columns: list[int]) -> list[str]:
    return [f"{100 * value:.2f}" for value in (*recall[columns], area_under_curve(recall))]


def _percent(values: np.ndarray) -> list[str]:
    return [f"{100 * value:.2f}" for value in (*values, values.mean())]


def render(table: Table) -> str:
    """Plain text of a table, as wide as it needs to be, for a log file."""
    console = Console(file=StringIO(), width=400, color_system=None, legacy_windows=False)
    console.width = min(400, max(console.measure(table).maximum, len(str(table.title)) + 2))
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())
