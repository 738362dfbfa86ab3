"""Reading ActivityNet-style annotations: from a JSON file to checked records per video."""

import gzip
import json
import logging
import math
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

# Beyond this share of unusable segments the annotation is not sloppy but wrong: another unit, other
# videos.
MAX_UNUSABLE = 0.1


@dataclass
class VideoRecord:
    """What the annotation says about one video; times in seconds.

    ``segments`` holds (start, end, label) triples clipped to the video, without duplicates and
    those outside of it; those without length are kept. ``annotated`` holds all of them as they were
    written, which is what official evaluations compare with.
    """

    video_id: str
    subset: str | None
    duration: float
    fps: float | None
    frames: int | None
    video_path: str | None = None
    segments: list[tuple[float, float, str]] = field(default_factory=list)
    annotated: list[tuple[float, float, str]] = field(default_factory=list)


def read_annotation(ann_file: str | Path) -> tuple[dict[str, dict], list[str]]:
    """Read the ``database`` of an annotation file, and its ``classes`` in their order.

    Args:
        ann_file: ``.json`` or ``.json.gz``.

    Returns:
        The database, and the class names; none if the file does not list them.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not JSON or has no ``database``.
    """
    path = Path(ann_file)
    if not path.is_file():
        raise FileNotFoundError(
            f"the annotation file {path} does not exist; check ann_file and data_root"
        )
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            content = json.load(file)
    except (json.JSONDecodeError, UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise ValueError(f"the annotation file {path} is not valid JSON: {error}") from error
    if not isinstance(content, dict) or "database" not in content:
        keys = sorted(content) if isinstance(content, dict) else type(content).__name__
        raise ValueError(
            f"the annotation file {path} has no 'database' but {keys}; "
            "convert it to the ActivityNet layout first"
        )
    classes = content.get("classes")
    names = classes if isinstance(classes, list) else []
    return check_database(content["database"], str(path)), [str(name) for name in names]


def check_database(database: Any, name: str) -> dict[str, dict]:
    """Check that a database maps video ids to dicts; ``name`` tells where it comes from."""
    if not isinstance(database, Mapping):
        raise ValueError(
            f"'database' of {name} must map video ids to videos, got {type(database).__name__}"
        )
    for video_id, info in database.items():
        if not isinstance(info, Mapping):
            raise ValueError(
                f"video {video_id!r} of {name} must be a dict with 'duration' and 'annotations', "
                f"got {type(info).__name__}"
            )
    return dict(database)


def select_subset(
    database: Mapping[str, Mapping], subset: str | Collection[str] | None, name: str
) -> dict[str, Mapping]:
    """Keep the videos of one or several subsets; None keeps all.

    Raises:
        ValueError: If a subset does not occur.
    """
    if subset is None:
        return dict(database)
    wanted = [subset] if isinstance(subset, str) else list(subset)
    present = {str(info["subset"]) for info in database.values() if "subset" in info}
    unknown = [one for one in wanted if one not in present]
    if unknown:
        raise ValueError(
            f"{name} has no subset {', '.join(map(repr, unknown))}; "
            f"it has {sorted(present) or 'no subsets at all'}"
        )
    return {key: info for key, info in database.items() if info.get("subset") in wanted}


def collect_labels(
    database: Mapping[str, Mapping], ignore: Collection[str] = (), order: Sequence[str] = ()
) -> list[str]:
    """All labels of a database but those to ignore, in a given order; others follow, sorted."""
    labels = {
        str(one["label"])
        for info in database.values()
        for one in info.get("annotations") or []
        if isinstance(one, Mapping) and "label" in one
    }
    places = {label: place for place, label in enumerate(order)}
    return sorted(labels - set(ignore), key=lambda label: (places.get(label, len(places)), label))


def parse_videos(
    database: Mapping[str, Mapping],
    classes: Collection[str],
    ignore_labels: Collection[str],
    name: str,
    probe: Callable[[VideoRecord], tuple[float, int] | None] | None = None,
    problems: dict[str, str] | None = None,
) -> list[VideoRecord]:
    """Turn a database into records and log what had to be mended.

    Segments that stick out of their video are clipped, those entirely outside are dropped, exact
    duplicates of (segment, label) are dropped; one line of the log counts them.

    Args:
        database: Videos by id.
        classes: Known labels.
        ignore_labels: Labels that are left out, for example ``Ambiguous`` of THUMOS14.
        name: Where the database comes from, for messages.
        probe: Reads frame rate and number of frames from the file of a video that the annotation
            gives no duration, None if it cannot; the duration then is the end of the last segment.
        problems: Filled with what had to be mended, by kind, instead of logging it.

    Raises:
        ValueError: If a number is missing or malformed, a segment is reversed, a label unknown, or
            if more than a tenth of all segments have no length or lie outside their videos.
    """
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    known, ignored = set(classes), set(ignore_labels)
    records = []
    for video_id, info in database.items():
        record = _parse_video(str(video_id), info, name, probe)
        seen = set()
        for position, annotation in enumerate(info.get("annotations") or []):
            where = f"annotation {position} of video {video_id!r} in {name}"
            label = _label(annotation, known, ignored, where)
            if label is None:
                continue
            start, end = _segment(annotation, where)
            counts["all"] += 1
            record.annotated.append((start, end, label))
            problem, segment = _fit(start, end, record.duration)
            if segment is not None and (*segment, label) in seen:
                problem, segment = "duplicate", None
            if problem:
                counts[problem] += 1
                examples.setdefault(
                    problem, f"{where}: [{start}, {end}] of {record.duration:.2f} s"
                )
            if segment is not None:
                seen.add((*segment, label))
                record.segments.append((*segment, label))
        records.append(record)
    found = _report(counts, examples, name)
    if problems is not None:
        problems.update(found)
    elif found:
        text = "; ".join(found.values())
        print_log(f"{name}: of {counts['all']} segments {text}", "current", logging.WARNING)
    return records


def _parse_video(video_id: str, info: Mapping, name: str, probe: Callable | None) -> VideoRecord:
    where = f"of video {video_id!r} in {name}"

    def positive(*keys: str) -> float | None:
        for key in keys:
            if info.get(key) is not None:
                value = _number(info[key])
                if not value > 0:
                    raise ValueError(
                        f"{key!r} {where} must be a positive number, got {info[key]!r}"
                    )
                return value
        return None

    subset, path = info.get("subset"), info.get("video_path")
    duration, fps, frames = positive("duration"), positive("fps"), positive("frame")
    record = VideoRecord(
        video_id=video_id,
        subset=None if subset is None else str(subset),
        duration=duration or 0.0,
        fps=fps,
        frames=None if frames is None else int(frames),
        video_path=None if path is None else str(path),
    )
    if not duration and not (fps and frames) and probe is not None:
        record.fps, record.frames = probe(record) or (None, None)
        record.duration = _last_end(info)
    if not duration and record.fps and record.frames:
        record.duration = record.frames / record.fps
    if not record.duration > 0:
        raise ValueError(f"'duration' {where} is missing; give it in seconds")
    return record


def _last_end(info: Mapping) -> float:
    """End of the last segment, at least 1 second; malformed segments are reported elsewhere."""
    ends = [1.0]
    for annotation in info.get("annotations") or []:
        segment = annotation.get("segment") if isinstance(annotation, Mapping) else None
        if isinstance(segment, Sequence) and len(segment) == 2:
            end = _number(segment[1])
            ends.append(end if math.isfinite(end) else 0.0)
    return max(ends)


def _label(annotation: Any, known: set[str], ignored: set[str], where: str) -> str | None:
    if not isinstance(annotation, Mapping) or "label" not in annotation:
        raise ValueError(f"{where} needs 'segment' and 'label', got {annotation!r}")
    label = str(annotation["label"])
    if label in ignored:
        return None
    if label not in known:
        raise ValueError(
            f"{where} has the label {label!r}, which is not one of the {len(known)} classes; "
            "mend it, or list it in classes or ignore_labels"
        )
    return label


def _segment(annotation: Mapping, where: str) -> tuple[float, float]:
    segment = annotation.get("segment")
    pair = list(segment) if isinstance(segment, Iterable) and not isinstance(segment, str) else []
    values = [_number(value) for value in pair]
    if len(values) != 2 or not all(map(math.isfinite, values)):
        raise ValueError(f"{where} needs a segment of two numbers in seconds, got {segment!r}")
    if values[0] > values[1]:
        raise ValueError(
            f"{where} is reversed: it starts at {values[0]} s and ends at {values[1]} s"
        )
    return values[0], values[1]


def _fit(
    start: float, end: float, duration: float
) -> tuple[str | None, tuple[float, float] | None]:
    """Clip a segment to its video; returns what was wrong with it and what is left of it."""
    if start == end and 0 <= start <= duration:
        return "empty", (start, end)
    low, high = max(start, 0.0), min(end, duration)
    if low >= high:
        return "outside", None
    return ("clipped" if (low, high) != (start, end) else None), (low, high)


def _number(value: Any) -> float:
    """A float from a number or the text of one; NaN from anything else."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _report(counts: Counter[str], examples: Mapping[str, str], name: str) -> dict[str, str]:
    """What had to be mended, by kind."""
    texts = {
        "outside": "outside their video (dropped)",
        "clipped": "past the border of their video (clipped)",
        "empty": "without length (left out of training)",
        "duplicate": "repeated (dropped)",
    }
    bad = counts["outside"] + counts["empty"]
    if bad > MAX_UNUSABLE * counts["all"]:
        example = examples.get("outside") or examples["empty"]
        raise ValueError(
            f"{bad} of {counts['all']} segments lie outside their video or are empty, "
            f"first {example}; "
            "segments and duration must be in seconds"
        )
    return {
        key: f"{counts[key]} {text}, first {examples[key]}"
        for key, text in texts.items()
        if counts[key]
    }
