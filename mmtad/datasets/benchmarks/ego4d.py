"""Ego4D: Moment Queries on clips, and the steps of Goal-Step on whole videos."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .conversion import Benchmark
from .counts import Published
from .layouts import has_database, parse_database
from .reading import RawFile, open_raw, to_number
from .source import Layout, Source

_SUBSETS = {"train": ("training",), "val": ("validation", "valid"), "test": ("testing",)}
# Frame rates outside of this range come from wrong frame numbers of a clip.
_SOUND_FPS = (10, 100)
LEVELS = ("steps", "substeps", "all")


def _has_videos(raw: RawFile, *keys: str) -> bool:
    videos = raw.content.get("videos") if isinstance(raw.content, Mapping) else None
    return (
        raw.kind == "json"
        and isinstance(videos, list)
        and bool(videos)
        and isinstance(videos[0], Mapping)
        and any(key in videos[0] for key in keys)
    )


def _need(mapping: Any, key: str, what: str, raw: RawFile) -> Any:
    if not isinstance(mapping, Mapping) or mapping.get(key) is None:
        raise ValueError(f"{what} in {raw.path} has no {key!r}")
    return mapping[key]


def _parse_moments(raw: RawFile, source: Source) -> None:
    """Read ``moments_*.json``: a sample is a clip, and times are counted from its start.

    Only primary labels count, as in the official evaluation. Where clips carry no annotations (the
    test file), they have none.
    """
    for video in raw.content["videos"]:
        for clip in _need(video, "clips", f"video {video.get('video_uid')!r}", raw):
            clip_id = _need(clip, "clip_uid", f"a clip of video {video.get('video_uid')!r}", raw)
            what = f"clip {clip_id!r}"
            start = max(to_number(_need(clip, "video_start_sec", what, raw)), 0.0)
            duration = to_number(_need(clip, "video_end_sec", what, raw)) - start
            source.video(clip_id, subset=video.get("split"), duration=duration)
            _add_frames(clip_id, clip, duration, source)
            for annotator in clip.get("annotations") or []:
                for label in _need(annotator, "labels", what, raw):
                    _add_moment(clip_id, label, start, source, raw)


def _add_frames(clip_id: str, clip: Mapping, duration: float, source: Source) -> None:
    first = max(to_number(clip.get("video_start_frame")), 0.0)
    frames = to_number(clip.get("video_end_frame")) - first
    if _SOUND_FPS[0] <= frames / duration <= _SOUND_FPS[1]:
        source.video(clip_id, fps=frames / duration, frames=frames)
    else:
        source.notes.add(
            "clips whose frame numbers and seconds disagree: without fps and frame",
            clip_id,
            f"{frames:g} frames in {duration:.2f} s",
        )


def _add_moment(clip_id: str, label: Any, start: float, source: Source, raw: RawFile) -> None:
    what = f"a label of clip {clip_id!r}"
    name = _need(label, "label", what, raw)
    if not label.get("primary", True):
        source.notes.add("labels that are not primary: left out", clip_id)
        return
    times = [
        to_number(_need(label, key, what, raw)) - start
        for key in ("video_start_time", "video_end_time")
    ]
    source.add(clip_id, times, name)


EGO4D_MQ = Benchmark(
    name="Ego4D Moment Queries",
    layouts=(
        Layout("official JSON", lambda raw: _has_videos(raw, "clips"), _parse_moments),
        Layout("ActivityNet-style JSON of clips", has_database, parse_database),
    ),
    subsets=_SUBSETS,
    published={},
    needs_annotation=("train", "val"),
)


def read_label_map(path: str | Path) -> list[str]:
    """Names of the Moment Queries classes, from lines ``id<TAB>name``.

    Names keep the quotation marks that those with a comma carry, also in the official annotation.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is another file, or the ids are not 0, 1, 2, ...
    """
    raw = open_raw(path)
    pairs = [line.split("\t") for line in raw.content] if raw.kind == "text" else []
    sound = bool(pairs) and all(len(pair) == 2 for pair in pairs)
    if not sound or [to_number(pair[0]) for pair in pairs] != list(range(len(pairs))):
        raise ValueError(
            f"{raw.path} must have a line per class, its number from 0 on, a tab and its name; it "
            f"is {raw.describe()}"
        )
    return [name for _, name in pairs]


def _walk(segments: Sequence[Mapping], level: int = 0) -> Iterator[tuple[int, Mapping]]:
    for segment in segments:
        yield level, segment
        yield from _walk(segment.get("segments") or [], level + 1)


def goalstep_benchmark(levels: str = "all") -> Benchmark:
    """Ego4D Goal-Step: step annotations on whole videos, steps within steps.

    Args:
        levels: ``"steps"`` (the outer ones), ``"substeps"`` or ``"all"``.

    Raises:
        ValueError: If ``levels`` is none of these.
    """
    if levels not in LEVELS:
        raise ValueError(f"levels must be one of {', '.join(LEVELS)}, got {levels!r}")

    def parse(raw: RawFile, source: Source) -> None:
        for video in raw.content["videos"]:
            video_id = _need(video, "video_uid", "a video", raw)
            # The last annotated moment stands for the duration where nothing better is given.
            source.video(video_id, subset=raw.content.get("split"), duration=video.get("end_time"))
            for level, step in _walk(video.get("segments") or []):
                if levels == "all" or levels == ("substeps" if level else "steps"):
                    what = f"a step of video {video_id!r}"
                    times = [_need(step, key, what, raw) for key in ("start_time", "end_time")]
                    source.add(video_id, times, _need(step, "step_category", what, raw))

    validation = {
        "all": Published(134, 7696, 425, version="steps and sub-steps"),
        "steps": Published(134, 3349, 355, version="steps"),
        "substeps": Published(134, 4347, 358, version="sub-steps"),
    }
    return Benchmark(
        name="Ego4D Goal-Step",
        layouts=(
            Layout(
                "Goal-Step JSON",
                lambda raw: _has_videos(raw, "step_segments", "goal_category"),
                parse,
            ),
        ),
        subsets=_SUBSETS,
        published={"val": (validation[levels],), "test": (Published(134, 0, 0),)},
    )
