"""From a benchmark's own files to our annotation: merge, complete, check, write."""

import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .counts import Counts, Published, count_subsets
from .merging import Probe, complete_facts, merge_sources
from .source import Layout, Notes, Source, SourceVideo

# Durations are rounded somewhere in most files: nobody means a hundredth of a second.
PAST_END_TOLERANCE = 0.01
PAST_END = "segments past the end of their video: kept"
OUTSIDE = "segments entirely past the end (counted above too): kept"
NO_LENGTH = "segments without length: kept"
REPEATED = "segments repeated with the same label: kept"


def _same(text: str) -> str:
    return text


@dataclass(frozen=True)
class Benchmark:
    """What is known of a benchmark.

    Attributes:
        name: As people write it; the ``version`` of the annotation too.
        layouts: Ways its annotation is found in.
        subsets: Our names of its subsets, and the other names that files use for each.
        published: Known counts of every subset.
        classes: All class names in official order; empty where only the files tell.
        ignored: Labels that are no class.
        video_id: Turns a file's id into ours.
        subset_of_id: Subset that an id tells, None if it does not.
        needs_annotation: Whether videos without any annotation are left out, outside of ``test``.
    """

    name: str
    layouts: tuple[Layout, ...]
    subsets: Mapping[str, Collection[str]]
    published: Mapping[str, tuple[Published, ...]]
    classes: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    video_id: Callable[[str], str] = _same
    subset_of_id: Callable[[str], str | None] = field(default=lambda video_id: None)
    needs_annotation: tuple[str, ...] = ()

    def subset_name(self, video_id: str, said: str | None, file: str | Path) -> str:
        """Our name of a video's subset.

        Raises:
            ValueError: If it is not told, or unknown.
        """
        told = self.subset_of_id(video_id)
        if told is not None:
            return told
        for name, others in self.subsets.items():
            if said is not None and (said == name or said in others):
                return name
        if said is None:
            raise ValueError(
                f"{file} does not say which subset video {video_id!r} belongs to; write it before "
                f"the path as in {list(self.subsets)[0]}=PATH, or give a --video-info file with a "
                "column 'subset'"
            )
        raise ValueError(
            f"video {video_id!r} in {file} has the subset {said!r}, which {self.name} does not "
            f"have; it has {', '.join(self.subsets)}"
        )


@dataclass
class Converted:
    """The outcome of a conversion.

    Attributes:
        benchmark: What was converted.
        classes: Class names in official order.
        database: Videos by id, as :mod:`mmtad.datasets.annotations` reads them.
        counts: Of every subset that occurs.
        notes: What was left out or looks odd.
        sources: File and layout of every source.
    """

    benchmark: Benchmark
    classes: list[str]
    database: dict[str, dict]
    counts: dict[str, Counts]
    notes: Notes
    sources: list[str]


def convert(
    benchmark: Benchmark,
    sources: Sequence[Source],
    video_info: Sequence[Source] = (),
    probe: Probe | None = None,
    drop_ignored: bool = False,
    drop_reversed: bool = False,
) -> Converted:
    """Bring sources into our annotation layout.

    Segments keep all their digits, and none is changed: those past the end of their video, without
    length or repeated stay as they are, and are counted. Durations, frame rates and frames of
    ``video_info`` win over those of the annotation, and an earlier file over a later one; a subset
    is taken from there only if the annotation names none.

    Args:
        benchmark: Which one it is.
        sources: Annotation files, already read.
        video_info: Files with durations, frame rates and subsets, already read.
        probe: Reads frame rate and number of frames from the video of an id, asked where no file
            gives a duration; None if it cannot.
        drop_ignored: Leave annotations of ignored labels out.
        drop_reversed: Leave segments that end before they start out, instead of refusing them.

    Raises:
        ValueError: If a video has no duration or no known subset, is annotated in two files, or has
            a reversed segment or an unknown label.
    """
    notes = Notes()
    for source in sources:
        notes.merge(source.notes)
    database: dict[str, dict] = {}
    labels: set[str] = set()
    known = frozenset(benchmark.classes)
    for video_id, (video, file) in merge_sources(sources, benchmark.video_id).items():
        complete_facts(video_id, video, file, video_info, probe, notes)
        subset = benchmark.subset_name(video_id, video.subset, file)
        kept = []
        for annotation in video.annotations:
            ignored = _is_ignored(benchmark, known, annotation["label"], video_id, file)
            if ignored and drop_ignored:
                notes.add(f"{annotation['label']}: left out", video_id)
            elif not _is_reversed(annotation["segment"], video_id, file, drop_reversed, notes):
                kept.append(annotation)
                labels |= set() if ignored else {annotation["label"]}
        _note_oddities(video_id, video, kept, notes)
        if not kept and subset in benchmark.needs_annotation:
            notes.add("videos without an action: left out", video_id)
            continue
        database[video_id] = _entry(subset, video, kept)
    return Converted(
        benchmark=benchmark,
        classes=list(benchmark.classes or sorted(labels)),
        database=database,
        counts=count_subsets(database, list(benchmark.subsets), benchmark.ignored),
        notes=notes,
        sources=[f"{source.path.name} ({source.layout})" for source in sources],
    )


def write_annotation(converted: Converted, path: str | Path) -> None:
    """Write the annotation file: a video per line, and never half a file.

    Args:
        converted: What to write.
        path: ``.json`` file; its folder is made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    head = {
        "version": converted.benchmark.name,
        "sources": converted.sources,
        "classes": converted.classes,
    }
    lines = [f"{json.dumps(key)}: {json.dumps(info)}" for key, info in converted.database.items()]
    head_text = json.dumps(head)[1:-1]
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(
        "{" + head_text + ', "database": {\n' + ",\n".join(lines) + "\n}}\n", encoding="utf-8"
    )
    os.replace(temporary, path)


def _is_ignored(
    benchmark: Benchmark, known: Collection[str], label: str, video_id: str, file: Path
) -> bool:
    """Whether a label is no class; raises where it is neither."""
    if label in benchmark.ignored:
        return True
    if known and label not in known:
        raise ValueError(
            f"video {video_id!r} in {file} has the label {label!r}, which is none of the "
            f"{len(known)} classes of {benchmark.name}; mend the file"
        )
    return False


def _is_reversed(
    segment: Sequence[float], video_id: str, file: Path, drop: bool, notes: Notes
) -> bool:
    if segment[0] <= segment[1]:
        return False
    if not drop:
        raise ValueError(
            f"a segment of video {video_id!r} in {file} is reversed: it starts at {segment[0]} s "
            f"and ends at {segment[1]} s; mend the file, or leave such segments out by "
            "--drop-reversed"
        )
    notes.add("segments that end before they start: left out", video_id, f"{list(segment)}")
    return True


def _note_oddities(
    video_id: str, video: SourceVideo, annotations: Sequence[Mapping], notes: Notes
) -> None:
    """Count what readers of the annotation will clip or ignore; nothing is changed."""
    duration = video.duration or 0.0
    seen = set()
    for annotation in annotations:
        start, end = annotation["segment"]
        example = f"[{start}, {end}] of {duration:.2f} s"
        if end > duration + PAST_END_TOLERANCE:
            notes.add(PAST_END, video_id, example)
            if start >= duration:
                notes.add(OUTSIDE, video_id, example)
        if start < 0:
            notes.add("segments that start before their video: kept", video_id, example)
        if start == end:
            notes.add(NO_LENGTH, video_id, f"[{start}, {end}]")
        key = (start, end, annotation["label"])
        if key in seen:
            notes.add(REPEATED, video_id, f"[{start}, {end}]")
        seen.add(key)


def _entry(subset: str, video: SourceVideo, annotations: list[dict]) -> dict:
    entry: dict = {"subset": subset, "duration": video.duration}
    if video.fps is not None:
        entry["fps"] = video.fps
    if video.frames is not None:
        entry["frame"] = video.frames
    entry["annotations"] = annotations
    return entry
