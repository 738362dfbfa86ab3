"""Bringing together what several files say about the same videos."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from .source import Notes, Source, SourceVideo

# Share by which frames / (frame rate) may miss the duration; a loader of videos warns beyond it.
RATE_TOLERANCE = 0.01
# Two files that disagree more about the same video (seconds) are worth a note.
DURATION_TOLERANCE = 1.0

# Reads frame rate and number of frames from the video of an id; None if it cannot.
Probe = Callable[[str], tuple[float, int] | None]


def merge_sources(
    sources: Sequence[Source], rename: Callable[[str], str]
) -> dict[str, tuple[SourceVideo, Path]]:
    """All videos of all files, by our id, each with the file that annotates it.

    Args:
        sources: Annotation files, already read; they stay as they are.
        rename: Turns a file's id into ours.

    Raises:
        ValueError: If a video is annotated in two files.
    """
    merged: dict[str, tuple[SourceVideo, Path]] = {}
    for source in sources:
        for foreign_id, video in source.videos.items():
            video_id = rename(foreign_id)
            if video_id not in merged:
                merged[video_id] = (replace(video), source.path)
                continue
            known, file = merged[video_id]
            if known.annotations and video.annotations:
                raise ValueError(
                    f"video {video_id!r} is annotated in {file} and in {source.path}; give each "
                    "video once"
                )
            if video.annotations:
                known, video, file = replace(video), known, source.path
            _fill(known, video)
            merged[video_id] = (known, file)
    return merged


def _fill(video: SourceVideo, other: SourceVideo) -> None:
    """Take from ``other`` what ``video`` does not know."""
    for name in ("subset", "duration", "fps", "frames"):
        if getattr(video, name) is None:
            setattr(video, name, getattr(other, name))


def complete_facts(
    video_id: str,
    video: SourceVideo,
    file: Path,
    video_info: Sequence[Source],
    probe: Probe | None,
    notes: Notes,
) -> None:
    """Fill in duration, frame rate, frames and subset from the best place that has them.

    Args:
        video_id: Our id.
        video: To be completed in place.
        file: Where it is annotated.
        video_info: Files with facts; they win over the video's own, but for the subset.
        probe: Asked where no file gives a duration.
        notes: Takes note of what disagrees.

    Raises:
        ValueError: If no duration is to be had.
    """
    own = SourceVideo(video.subset, video.duration, video.fps, video.frames)
    facts = [info.videos[video_id] for info in video_info if video_id in info.videos]
    video.duration = video.fps = video.frames = None
    for one in (*facts, own):
        _fill(video, one)
    if own.duration and video.duration:
        if abs(own.duration - video.duration) > DURATION_TOLERANCE:
            notes.add(
                f"durations that differ by more than {DURATION_TOLERANCE:g} s between the files",
                video_id,
                f"{own.duration:.2f} s, taken {video.duration:.2f} s",
            )
    if not video.duration and not (video.fps and video.frames) and probe is not None:
        video.fps, video.frames = probe(video_id) or (None, None)
    if not video.duration and video.fps and video.frames:
        video.duration = video.frames / video.fps
    if not video.duration:
        raise ValueError(
            f"no duration is known of video {video_id!r} in {file}; give a file that has it by "
            "--video-info, or the folder of the videos by --videos"
        )
    if video.fps and video.frames:
        told = video.frames / video.fps
        if abs(told / video.duration - 1) > RATE_TOLERANCE:
            notes.add(
                f"frames and frame rate that miss the duration by more than {RATE_TOLERANCE:.0%}",
                video_id,
                f"{video.frames} at {video.fps:.2f} are {told:.2f} s, not {video.duration:.2f} s",
            )
