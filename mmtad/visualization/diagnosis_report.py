"""Write a diagnosis for readers: pictures, one page with all of them, and the numbers as JSON."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from jinja2 import Environment
from matplotlib.figure import Figure

from ..evaluation.diagnosis_result import Diagnosis
from ..version import __version__
from .bin_bars import describe_tiou
from .diagnosis_plots import draw_false_positives, draw_sensitivity
from .missed_plots import draw_false_negatives, draw_missed_pairs
from .overlap_timeline import draw_overlap_timeline, file_name
from .report_tables import (
    ReportTable,
    false_positive_tables,
    missed_tables,
    overview_tables,
    pair_tables,
    sensitivity_tables,
    timeline_tables,
)
from .report_template import PAGE

FORMATS = ("png", "pdf", "svg")


@dataclass(frozen=True)
class Section:
    """A part of the page: a picture, what it shows, and its numbers."""

    title: str
    text: str
    name: str = ""
    figure: Figure | None = None
    tables: Sequence[ReportTable] = ()

    def png(self) -> bytes:
        """The picture; empty without one."""
        buffer = BytesIO()
        if self.figure is not None:
            self.figure.savefig(buffer, format="png")
        return buffer.getvalue()


def diagnosis_sections(diagnoses: Mapping[str, Diagnosis]) -> list[Section]:
    """Draw the pictures of a diagnosis.

    Args:
        diagnoses: Results by name, all of one ground truth with the same bins.

    Returns:
        A section per picture.

    Raises:
        ValueError: If the results cannot be compared.
    """
    first = next(iter(diagnoses.values()))
    sections = [
        Section(
            "Overview",
            "mAP is the usual interpolated one. mAP_N normalises precision by one number of "
            f"actions for all classes and bins (N = {first.normalizer:.4g}), so that bins of "
            "different size can be compared. Missed actions are those that no detection finds "
            f"before the normalised precision of its class falls to {first.min_precision:g}.",
            tables=overview_tables(diagnoses),
        ),
        Section(
            "Sensitivity",
            "mAP_N on the actions of each bin alone; the dashed line is that of all actions. The "
            "grey bars tell how many actions a bin holds: where they are few, a difference means "
            "little.",
            "sensitivity",
            draw_sensitivity(diagnoses),
            sensitivity_tables(diagnoses),
        ),
        Section(
            "False positives",
            "Of each class with G annotated actions, the best G detections form the first band, "
            "the next G the second. A false positive is judged by the action of its video that it "
            "overlaps most. From the tIoU threshold on: double detection (the action is found "
            "already) or wrong label. From "
            f"{first.min_tiou:g} on: localisation (its own class) or confusion (another). Below: "
            "background. The gain is what mAP_N wins if all errors of a type disappear.",
            "false_positives",
            draw_false_positives(diagnoses),
            false_positive_tables(diagnoses),
        ),
        Section(
            "False negatives",
            "Share of the annotated actions of each bin that is missed; the dashed line is that of "
            "all actions.",
            "false_negatives",
            draw_false_negatives(diagnoses),
            missed_tables(diagnoses),
        ),
    ]
    if first.pairs:
        sections.append(
            Section(
                "False negatives by pairs",
                "Percent missed of the annotated actions with both characteristics; the lower "
                "number is how many these are.",
                "missed_pairs",
                draw_missed_pairs(diagnoses),
                pair_tables(diagnoses),
            )
        )
    return sections


def timeline_section(
    annotation: Mapping, results: Mapping[str, Sequence[Mapping]], video_id: str
) -> Section:
    """Draw one video with the best detections of each result.

    Args:
        annotation: ``{"duration", "annotations"}`` of the video.
        results: Its detections by name of the result.
        video_id: Its id.

    Raises:
        ValueError: If an entry is malformed.
    """
    return Section(
        f"Timeline of {video_id}",
        "The best detections by score, coloured by their highest tIoU with an annotated action of "
        "their own class.",
        f"timeline_{file_name(video_id)}",
        draw_overlap_timeline(annotation, results, video_id),
        timeline_tables(annotation, results),
    )


def render_report(
    title: str, summary: str, sections: Sequence[Section], pictures: Sequence[bytes]
) -> str:
    """Put sections on one page that needs no other file.

    Args:
        title: Heading.
        summary: What was compared with what.
        sections: Texts and tables.
        pictures: The PNG picture of each section, empty without one.

    Returns:
        HTML.
    """
    shown = [
        {
            "title": section.title,
            "text": section.text,
            "tables": section.tables,
            "image": base64.b64encode(picture).decode(),
        }
        for section, picture in zip(sections, pictures, strict=True)
    ]
    footer = (
        f"mmtad {__version__}. The analyses follow DETAD (Alwassel et al., Diagnosing Error in "
        "Temporal Action Detectors, ECCV 2018)."
    )
    page = Environment(autoescape=True, trim_blocks=True).from_string(PAGE)
    return page.render(title=title, summary=summary, sections=shown, footer=footer)


def write_report(
    folder: str | Path,
    diagnoses: Mapping[str, Diagnosis],
    *,
    ground_truth: str = "the ground truth",
    timelines: Sequence[Section] = (),
    formats: Sequence[str] = ("png",),
) -> list[Path]:
    """Write ``report.html``, ``diagnosis.json`` and a picture per figure.

    Args:
        folder: Made if it is missing; files of the same names are replaced.
        diagnoses: Results by name, all of one ground truth with the same bins.
        ground_truth: Its name.
        timelines: Sections of :func:`timeline_section`.
        formats: Of the pictures beside the page: png, pdf, svg.

    Returns:
        The files.

    Raises:
        ValueError: If the results cannot be compared or a format is unknown.
    """
    unknown = [one for one in formats if one not in FORMATS]
    if unknown:
        raise ValueError(f"pictures are {', '.join(FORMATS)}, got {unknown[0]!r}")
    sections = [*diagnosis_sections(diagnoses), *timelines]
    first = next(iter(diagnoses.values()))
    summary = (
        f"{', '.join(diagnoses)} against {ground_truth}: {first.num_actions:,} annotated actions "
        f"of {first.num_classes:,} classes in {first.num_videos:,} videos; "
        f"{describe_tiou(first.tiou_thresholds)}."
    )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "report.html", folder / "diagnosis.json"]
    title = f"Diagnosis of {next(iter(diagnoses))}"
    if len(diagnoses) > 1:
        title = f"Diagnosis of {len(diagnoses)} results"
    pictures = [section.png() for section in sections]
    written[0].write_text(render_report(title, summary, sections, pictures), encoding="utf-8")
    numbers: dict[str, Any] = {
        "version": f"mmtad {__version__}",
        "ground_truth": ground_truth,
        "results": {name: one.as_dict() for name, one in diagnoses.items()},
    }
    text = json.dumps(numbers, indent=1, allow_nan=False, ensure_ascii=False)
    written[1].write_text(text + "\n", encoding="utf-8")
    for section, picture in zip(sections, pictures, strict=True):
        if section.figure is None:
            continue
        for extension in formats:
            path = folder / f"{section.name}.{extension}"
            if extension == "png":
                path.write_bytes(picture)
            else:
                section.figure.savefig(path)
            written.append(path)
    return written
