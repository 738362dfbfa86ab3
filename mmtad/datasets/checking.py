"""What a run on a data set would trip over, found without running it."""

import math
import os.path as osp
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.progress import track

from ..registry import DATASETS
from .annotated import AnnotatedDataset
from .annotations import VideoRecord
from .base import TADDataset
from .features import FeatureDataset
from .flow_files import NoFlowError
from .items import trainable
from .statistics import lengths_in_steps, shown_per_epoch, visible_shares
from .transforms.flow import LoadFlow
from .transforms.loading import VideoReadError, probe_video

# STOP ends a run, HARM lets it go on with worse numbers, NOTE is worth knowing.
STOP, HARM, NOTE = "stop", "harm", "note"
_TOLERANCE = 0.02  # of a duration, and a second
_MANY_STEPS = 0.01  # share of the actions below a step from where it is worth a word
_MANY_OUTSIDE = 0.01  # share of the segments; benchmarks themselves have a few outside their video


@dataclass(frozen=True)
class Finding:
    """One thing that was found: how bad it is, for which loader, and what."""

    level: str
    loader: str
    text: str


@dataclass
class DatasetReport:
    """What was found out about one data set.

    Attributes:
        loader: Name of its loader in the config.
        findings: What is wrong or worth knowing.
        facts: Numbers for a table, by heading.
        records: Annotated videos that are used.
        classes: Class names.
        steps: ``[N]`` lengths of all actions in steps of the grid.
    """

    loader: str
    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    records: list[VideoRecord] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    steps: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def add(self, level: str, text: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(level, self.loader, text))


def check_dataset(
    config: Mapping[str, Any], loader: str, batch_size: int = 1, probe: bool = False
) -> DatasetReport:
    """Check one data set.

    Args:
        config: Its config, of a :class:`TADDataset` or a :class:`FeatureDataset`.
        loader: Name for the report, such as ``train_dataloader``.
        batch_size: Items per batch, to count the batches of an epoch.
        probe: Open every file and compare it with the annotation; features are read whole.
    """
    report = DatasetReport(loader)
    try:
        dataset = DATASETS.build(dict(config, lazy_init=True, serialize_data=False))
    except (TypeError, ValueError, KeyError, OSError) as error:
        report.add(STOP, str(error))
        return report
    if not isinstance(dataset, AnnotatedDataset):
        report.add(NOTE, f"a {type(dataset).__name__} is not checked, only its parts can be")
        return report
    problems: dict[str, str] = {}
    try:
        report.records, report.classes = dataset.read_records(problems)
    except (ValueError, OSError) as error:
        report.add(STOP, str(error))
        return report
    _check_annotation(report, dataset, problems)
    _check_files(report, dataset, probe)
    _check_flow(report, dataset, probe)
    if dataset.drop_empty:
        report.records = [record for record in report.records if trainable(record)]
    _check_windows(report, dataset, batch_size)
    return report


def _check_annotation(
    report: DatasetReport, dataset: AnnotatedDataset, problems: Mapping[str, str]
) -> None:
    kept = sum(len(record.segments) for record in report.records)
    for kind, text in problems.items():
        many = kind == "outside" and int(text.split()[0]) > _MANY_OUTSIDE * kept
        counted = dataset.test_mode and kind in ("outside", "clipped")
        end = "; the evaluation compares with them as they are written" if counted else ""
        report.add(HARM if many else NOTE, f"annotation: {text}{end}")
    bare = [record.video_id for record in report.records if not trainable(record)]
    if bare:
        end = "left out" if dataset.drop_empty else "kept"
        report.add(NOTE, some(bare, report.records, f"show no action ({end})"))
    odd = [
        f"{record.video_id!r}: {record.frames} frames at {record.fps:g} frames per second do not "
        f"last {record.duration:.2f} s"
        for record in report.records
        if record.fps and record.frames and _differ(record.frames / record.fps, record.duration)
    ]
    if odd:
        report.add(HARM, some(odd, report.records, "have an annotation that contradicts itself"))


def _check_files(report: DatasetReport, dataset: AnnotatedDataset, probe: bool) -> None:
    records = report.records
    if isinstance(dataset, FeatureDataset):
        what, files = "features", {record.video_id: "" for record in records}
        try:
            missing = dataset.missing_features(records)
        except VideoReadError as error:
            report.add(STOP, str(error))
            return
    else:
        what, files = "a video", {one.video_id: dataset.find_video(one) for one in records}
        missing = {one: path for one, path in files.items() if not osp.isfile(path)}
    report.facts["without files"] = len(missing)
    if missing:
        every = len(missing) == len(records)
        remedy = "check the paths" if every else "list them in block_list"
        text = some(list(missing.values()), records, f"lack {what} ({remedy})")
        report.add(STOP if every else HARM, text)
    if not probe:
        return
    present = [record for record in records if record.video_id not in missing]
    read = _read_features(dataset) if isinstance(dataset, FeatureDataset) else _read_video(files)
    damaged, other = _probe(read, present)
    report.facts["unreadable"] = len(damaged)
    if damaged:
        report.add(HARM, some(damaged, present, "cannot be used"))
    if other:
        report.add(HARM, some(other, present, "have an annotation that disagrees with the file"))


def _check_flow(report: DatasetReport, dataset: AnnotatedDataset, probe: bool) -> None:
    """Whether every video has its flow, made as the pipeline says; with probe, whole."""
    load = next((one for one in dataset.pipeline.transforms if isinstance(one, LoadFlow)), None)
    if load is None or not isinstance(dataset, TADDataset):
        return
    folder = dataset.data_prefix.get("flow")
    if folder is None:
        report.add(NOTE, "data_prefix has no flow: it is made while loading, which takes time")
        return
    missing, damaged = [], []
    for record in track(report.records, description="opening flow", transient=True):
        path = dataset.find_video(record)
        try:
            total = probe_video(path)[1] if probe and osp.isfile(path) else None
            flow = load.open_file(folder, record.video_id, path, total)
            if probe:
                flow.read(np.arange(len(flow.frames)))
        except NoFlowError as error:
            missing.append(str(error))
        except VideoReadError as error:
            damaged.append(str(error))
        except ValueError as error:  # the same for all
            report.add(STOP, str(error))
            return
    report.facts["without flow"] = len(missing)
    for found, what in ((missing, "lack their flow"), (damaged, "have flow that cannot be used")):
        if found:
            level = STOP if len(found) == len(report.records) else HARM
            report.add(level, some(found, report.records, what))


def _probe(
    read: Callable[[VideoRecord], str | None], records: Sequence[VideoRecord]
) -> tuple[list[str], list[str]]:
    """Errors of files that cannot be read, and disagreements of those that can."""
    damaged, other = [], []
    for record in track(records, description="opening files", transient=True):
        try:
            text = read(record)
        except VideoReadError as error:
            damaged.append(str(error))
        else:
            other += [text] if text else []
    return damaged, other


def _read_features(dataset: FeatureDataset) -> Callable[[VideoRecord], None]:
    def read(record: VideoRecord) -> None:
        dataset.open_features(record).read()

    return read


def _read_video(files: Mapping[str, str]) -> Callable[[VideoRecord], str | None]:
    def read(record: VideoRecord) -> str | None:
        fps, frames = probe_video(files[record.video_id])
        parts = []
        if record.fps and abs(record.fps - fps) > 0.01 * fps:
            parts.append(f"{record.fps:g} frames per second instead of {fps:g}")
        if record.frames and abs(record.frames - frames) > 0.01 * frames:
            parts.append(f"{record.frames} frames instead of {frames}")
        if _differ(record.duration, frames / fps):
            parts.append(f"{record.duration:.2f} s instead of {frames / fps:.2f}")
        return f"{record.video_id!r}: {', '.join(parts)}" if parts else None

    return read


def _check_windows(report: DatasetReport, dataset: AnnotatedDataset, batch_size: int) -> None:
    records, facts = report.records, report.facts
    facts["videos"] = len(records)
    facts["hours"] = sum(record.duration for record in records) / 3600
    facts["instances"] = sum(len(record.segments) for record in records)
    report.steps = lengths_in_steps(dataset, records)
    if len(report.steps):
        facts["longest (steps)"] = float(report.steps.max())
    try:
        dataset.full_init()
    except (ValueError, OSError) as error:
        if not any(one.level == STOP for one in report.findings):
            report.add(STOP, str(error))
        return
    facts["items per epoch"] = len(dataset)
    facts["batches"] = math.ceil(len(dataset) / batch_size)
    short = float((report.steps < 1).mean()) if len(report.steps) else 0.0
    if short > _MANY_STEPS:
        report.add(NOTE, f"{short:.1%} of the actions are shorter than a step of the grid")
    _check_visibility(report, dataset)


def _check_visibility(report: DatasetReport, dataset: AnnotatedDataset) -> None:
    """Which actions no window shows well enough, and how many an epoch shows."""
    shares = visible_shares(dataset, report.records)
    if not len(shares):
        return
    if dataset.test_mode:
        cut = float((shares < 0.999).mean())
        if cut:
            report.add(NOTE, f"{cut:.1%} of the actions fit into no window and are seen in parts")
        return
    lost = int((shares < dataset.lengths["min_visible"] - 1e-6).sum())
    report.facts["never shown"] = lost
    if lost:
        report.add(
            HARM,
            f"{lost} of {len(shares)} actions are never trained on: no window shows "
            f"{dataset.lengths['min_visible']:.0%} of them; enlarge window_size or lower "
            "min_visible",
        )
    if dataset.lengths["sampling"] == "random":
        report.facts["shown per epoch"] = shown_per_epoch(dataset, report.records)


def _differ(first: float, second: float) -> bool:
    return abs(first - second) > max(1.0, _TOLERANCE * second)


def some(found: Sequence[str], records: Sequence[Any], what: str) -> str:
    """How many of some videos do what, and the first of them."""
    return f"{len(found)} of {len(records)} videos {what}; first: {found[0]}"
