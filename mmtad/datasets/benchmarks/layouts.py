"""Layouts that several benchmarks are found in, and what it takes to recognise one."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from .reading import RawFile
from .source import Layout, Source


def has_columns(*names: str) -> Callable[[RawFile], bool]:
    """A test for tables with these columns."""
    return lambda raw: raw.kind == "table" and set(names) <= set(raw.columns)


def has_database(raw: RawFile) -> bool:
    """Whether a file is JSON with a dict ``database``."""
    return is_json_dict(raw) and isinstance(raw.content.get("database"), Mapping)


def is_json_dict(raw: RawFile) -> bool:
    """Whether a file is JSON that holds a dict."""
    return raw.kind == "json" and isinstance(raw.content, Mapping)


def first_video(raw: RawFile, *keys: str) -> Mapping:
    """The first video of JSON keyed by video in which all ``keys`` say something; else empty."""
    videos = raw.content.get("database", raw.content) if is_json_dict(raw) else {}
    if isinstance(videos, Mapping):
        for info in videos.values():
            if isinstance(info, Mapping) and all(info.get(key) for key in keys):
                return info
    return {}


def first_annotation(raw: RawFile, key: str = "annotations") -> Mapping:
    """The first annotation of the first video that has any; empty if there is none."""
    annotations = first_video(raw, key).get(key)
    first = annotations[0] if isinstance(annotations, list) else None
    return first if isinstance(first, Mapping) else {}


def annotations_have(keys: Collection[str]) -> Callable[[RawFile], bool]:
    """A test for ActivityNet-style files whose annotations have these keys."""
    return lambda raw: has_database(raw) and set(keys) <= set(first_annotation(raw))


def each_video(raw: RawFile) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Videos of JSON keyed by video, with or without ``database`` around.

    Raises:
        ValueError: If one of them is not a dict.
    """
    for video_id, info in raw.content.get("database", raw.content).items():
        if not isinstance(info, Mapping):
            raise ValueError(
                f"video {video_id!r} in {raw.path} must be a dict, got {type(info).__name__}"
            )
        yield video_id, info


def parse_database(raw: RawFile, source: Source) -> None:
    """Read an ActivityNet-style ``database``; numbers may be written as text.

    Raises:
        ValueError: If a video or an annotation is malformed.
    """
    parse_database_facts(raw, source)
    for video_id, info in each_video(raw):
        source.add_dicts(video_id, info.get("annotations"))


def parse_database_facts(raw: RawFile, source: Source) -> None:
    """Read subset, duration, frame rate and frames of an ActivityNet-style ``database``.

    Raises:
        ValueError: If a video is malformed.
    """
    for video_id, info in each_video(raw):
        source.video(
            video_id,
            subset=info.get("subset"),
            duration=info.get("duration"),
            fps=info.get("fps"),
            frames=info.get("frame"),
        )


def _parse_tsp(raw: RawFile, source: Source) -> None:
    for number, row in enumerate(raw.content, start=2):
        video_id = row["video-name"]
        source.video(
            video_id,
            duration=row["video-duration"],
            fps=row["fps"],
            frames=row["video-frames"],
        )
        region = row["temporal-region-label"]
        if region == "No action":
            source.notes.add("background rows of TSP: left out", video_id)
        elif region == "Action":
            source.add(video_id, [row["t-start"], row["t-end"]], row["action-label"])
        else:
            raise ValueError(
                f"row {number} of {raw.path} has the temporal-region-label {region!r}; it must be "
                "'Action' or 'No action'"
            )


# A row per action, and one per gap between actions.
TSP_GROUND_TRUTH = Layout(
    "TSP ground truth",
    has_columns(
        *("video-name", "t-start", "t-end", "action-label", "video-duration"),
        *("fps", "video-frames", "temporal-region-label"),
    ),
    _parse_tsp,
)
ACTIVITYNET_STYLE = Layout("ActivityNet-style JSON", has_database, parse_database)
