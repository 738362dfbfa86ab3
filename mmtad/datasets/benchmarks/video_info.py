"""Durations and frame rates of videos, from the files that repositories of the field ship."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from .layouts import each_video, first_video, has_columns, has_database, parse_database_facts
from .reading import RawFile, to_number
from .source import Layout, Source, read_source


@dataclass(frozen=True)
class Columns:
    """Which columns of a table tell what; None where it does not say."""

    video: str
    duration: str | None = None
    fps: str | None = None
    frames: str | None = None
    subset: str | None = None


def video_stem(name: Any) -> Any:
    """``"set/video_1.mp4"`` -> ``"video_1"``; ids without a suffix stay as they are."""
    if not isinstance(name, str):
        return name
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in (".mp4", ".mkv", ".avi", ".webm") else path.name


def table_layout(name: str, columns: Columns) -> Layout:
    """A layout with a row per video (or several rows that agree)."""

    def parse(raw: RawFile, source: Source) -> None:
        for row in raw.content:

            def cell(column: str | None, row: Mapping = row) -> Any:
                return None if column is None else row[column]

            source.video(
                video_stem(row[columns.video]),
                subset=cell(columns.subset),
                duration=cell(columns.duration),
                fps=cell(columns.fps),
                frames=cell(columns.frames),
            )

    needed = [value for value in vars(columns).values() if value is not None]
    return Layout(name, has_columns(*needed), parse)


def _parse_video_lengths(raw: RawFile, source: Source) -> None:
    for row in raw.content:
        # Frames of videos that were brought to 30 frames per second; the video's own are others.
        source.video(row["video"], duration=to_number(row["frames"]) / 30)


def _is_pairs(raw: RawFile) -> bool:
    lines = raw.content if raw.kind == "text" else []
    return len(lines) >= 2 and len(lines) % 2 == 0 and to_number(lines[1]) > 0


def _parse_pairs(raw: RawFile, source: Source) -> None:
    for name, seconds in zip(raw.content[::2], raw.content[1::2], strict=True):
        source.video(video_stem(name), duration=seconds)


def _parse_bmn(raw: RawFile, source: Source) -> None:
    for video_id, info in each_video(raw):
        source.video(
            video_id, duration=info.get("duration_second"), frames=info.get("duration_frame")
        )


def _is_frame_counts(raw: RawFile) -> bool:
    return (
        raw.kind == "json"
        and isinstance(raw.content, Mapping)
        and bool(raw.content)
        and all(isinstance(value, int) for value in raw.content.values())
    )


def _parse_frame_counts(raw: RawFile, source: Source) -> None:
    for video_id, frames in raw.content.items():
        source.video(video_id, frames=frames)


VIDEO_INFO_LAYOUTS = (
    Layout("ActivityNet-style JSON", has_database, parse_database_facts),
    Layout(
        "BMN JSON",
        lambda raw: bool(first_video(raw, "duration_second")),
        _parse_bmn,
    ),
    Layout("frame counts", _is_frame_counts, _parse_frame_counts),
    table_layout(
        "BMN video_info", Columns("video", "seconds", "rfps", "numFrame", subset="subset")
    ),
    table_layout("AFSD video_info", Columns("video", None, "fps", "count")),
    table_layout(
        "TSP metadata or ground truth",
        Columns("filename", "video-duration", "fps", "video-frames"),
    ),
    table_layout(
        "G-TAD test ground truth",
        Columns("video-name", "video-duration", "frame-rate", "video-frames"),
    ),
    table_layout("EPIC-Kitchens video_info", Columns("video_id", "duration", "fps")),
    Layout("C2 video_lengths", has_columns("video", "frames"), _parse_video_lengths),
    Layout("pairs of lines, video and seconds (SSN)", _is_pairs, _parse_pairs),
)


def read_video_info(path: str | Path, video_id: Callable[[str], str] = str) -> Source:
    """Read durations, frame rates and frame counts; the layout is recognised.

    Where a file gives only frames and their rate, the duration is their quotient.

    Args:
        path: One of the files that ``VIDEO_INFO_LAYOUTS`` know.
        video_id: Turns the file's ids into those of the benchmark.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If its layout is unknown or a number is malformed.
    """
    source = read_source(path, VIDEO_INFO_LAYOUTS, "video durations")
    source.videos = {video_id(key): video for key, video in source.videos.items()}
    for video in source.videos.values():
        if video.duration is None and video.fps and video.frames:
            video.duration = video.frames / video.fps
    return source
