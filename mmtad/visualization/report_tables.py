"""The numbers under the pictures of a diagnosis, as rows of text in percent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from ..evaluation.diagnosis_profiles import DETECTION_TYPES
from ..evaluation.diagnosis_result import BinResult, Diagnosis
from .bin_bars import axis_label, bin_ticks
from .overlap_timeline import best_overlap

Diagnoses = Mapping[str, Diagnosis]


@dataclass(frozen=True)
class ReportTable:
    """A table of texts.

    Args:
        caption: Stands above.
        header: Heads of the columns.
        rows: Cells.
        groups: Heads above the heads, each with the number of columns it spans.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    groups: Sequence[tuple[str, int]] = ()


def percent(value: float, digits: int = 1) -> str:
    """A fraction in percent; a dash for what does not exist."""
    return "–" if isnan(value) else f"{100 * value:.{digits}f}"


def overview_tables(diagnoses: Diagnoses) -> list[ReportTable]:
    """One row per result."""
    header = ["result", "detections", "mAP (%)", "mAP_N (%)", "missed (%)", "true in 1G (%)"]
    rows = [
        [
            name,
            f"{one.num_predictions:,}",
            percent(one.mean_ap, 2),
            percent(one.map_n, 2),
            percent(one.missed),
            percent(float(one.false_positives.shares[0, 0])),
        ]
        for name, one in diagnoses.items()
    ]
    return [ReportTable("Results", header, rows)]


def sensitivity_tables(diagnoses: Diagnoses) -> list[ReportTable]:
    """One table per characteristic: mAP_N of each bin, and relative to all actions."""
    tables = []
    for index, one in enumerate(_first(diagnoses).characteristics):
        columns = []
        for diagnosis in diagnoses.values():
            own = diagnosis.characteristics[index]
            relative = diagnosis.relative_change(own)
            columns.append([percent(value) for value in own.map_n])
            columns.append(["–" if isnan(value) else f"{value:.2f}" for value in relative])
        tables.append(_bin_table(one, diagnoses, ["mAP_N (%)", "relative"], columns))
    return tables


def missed_tables(diagnoses: Diagnoses) -> list[ReportTable]:
    """One table per characteristic: the share of each bin that is missed."""
    tables = []
    for index, one in enumerate(_first(diagnoses).characteristics):
        columns = [
            [percent(value) for value in diagnosis.characteristics[index].missed]
            for diagnosis in diagnoses.values()
        ]
        tables.append(_bin_table(one, diagnoses, ["missed (%)"], columns))
    return tables


def pair_tables(diagnoses: Diagnoses) -> list[ReportTable]:
    """One table per result and pair: percent missed, in brackets the annotated actions."""
    tables = []
    for name, diagnosis in diagnoses.items():
        for pair in diagnosis.pairs:
            rows, columns = pair.bins
            caption = f"{rows.title} (rows) by {columns.title.lower()}: missed (%) of actions"
            if len(diagnoses) > 1:
                caption = f"{name} · {caption}"
            cells = [
                [name, *(f"{percent(m, 0)} ({c})" if c else "–" for m, c in zip(*row, strict=True))]
                for name, *row in zip(rows.names, pair.missed, pair.counts, strict=True)
            ]
            tables.append(ReportTable(caption, ["", *columns.names], cells))
    return tables


def false_positive_tables(diagnoses: Diagnoses) -> list[ReportTable]:
    """Two tables per result: the bands of ranks, and the gain without each error."""
    tables = []
    for name, diagnosis in diagnoses.items():
        profile = diagnosis.false_positives
        prefix = f"{name} · " if len(diagnoses) > 1 else ""
        rows = [
            [f"{band + 1}G", f"{counts.sum():,.0f}", *(percent(value) for value in shares)]
            for band, (counts, shares) in enumerate(
                zip(profile.counts, profile.shares, strict=True)
            )
        ]
        tables.append(
            ReportTable(
                f"{prefix}types of the detections (%)",
                ["rank", "detections", *DETECTION_TYPES],
                rows,
            )
        )
        gains = [
            [error, f"{100 * gain:+.2f}"]
            for error, gain in zip(DETECTION_TYPES[1:], profile.impact, strict=True)
        ]
        caption = f"{prefix}gain in mAP_N ({percent(profile.base, 2)} % with all errors)"
        tables.append(ReportTable(caption, ["without", "points"], gains))
    return tables


def timeline_tables(
    annotation: Mapping, results: Mapping[str, Sequence[Mapping]]
) -> list[ReportTable]:
    """The annotated actions of a video, and how well a detection of their class fits each.

    Args:
        annotation: ``{"annotations": [{"segment", "label"}]}``, seconds.
        results: Detections of the video by name of the result.
    """
    header = ["class", "start (s)", "end (s)", *(["best tIoU (score)"] * len(results))]
    rows = []
    actions = annotation.get("annotations") or []
    for action in sorted(actions, key=lambda one: float(one["segment"][0])):
        start, end = (float(value) for value in action["segment"])
        label = str(action["label"])
        row = [label, f"{start:.1f}", f"{end:.1f}"]
        for detections in results.values():
            own = [one for one in detections if str(one["label"]) == label]
            fits = [(best_overlap(one["segment"], [action]), one["score"]) for one in own]
            tiou, score = max(fits, default=(0.0, 0.0))
            row.append(f"{tiou:.2f} ({score:.2f})" if tiou > 0 else "–")
        rows.append(row)
    return [ReportTable("Annotated actions", header, rows, _groups(3, results, 1))]


def _first(diagnoses: Diagnoses) -> Diagnosis:
    return next(iter(diagnoses.values()))


def _bin_table(
    one: BinResult, diagnoses: Diagnoses, heads: list[str], columns: Sequence[Sequence[str]]
) -> ReportTable:
    """A row per bin: what it holds, then some columns per result."""
    rows = zip(
        one.bins.names,
        [tick.partition("\n")[2] for tick in bin_ticks(one.bins)],
        [f"{count:,}" for count in one.counts],
        [percent(share) for share in one.shares],
        *columns,
        strict=True,
    )
    header = ["bin", "range", "actions", "share (%)", *(heads * len(diagnoses))]
    groups = _groups(4, diagnoses, len(heads)) if len(diagnoses) > 1 else ()
    return ReportTable(axis_label(one.bins), header, [list(row) for row in rows], groups)


def _groups(first: int, names: Iterable[str], span: int) -> list[tuple[str, int]]:
    return [("", first), *((name, span) for name in names)]
