"""What a benchmark's files say, before it becomes our annotation: videos, layouts, notes."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .reading import RawFile, open_raw, to_number


@dataclass
class Notes:
    """Things worth telling the user: how often, in which videos, and the first example.

    Attributes:
        counts: How often, by sentence.
        videos: Ids of the videos concerned, by sentence.
        examples: First example, by sentence.
    """

    counts: dict[str, int] = field(default_factory=dict)
    videos: dict[str, set[str]] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, video_id: str, example: str = "", times: int = 1) -> None:
        """Count one thing."""
        self.counts[what] = self.counts.get(what, 0) + times
        self.videos.setdefault(what, set()).add(video_id)
        self.examples.setdefault(what, f"{video_id} {example}".strip())

    def merge(self, other: "Notes") -> None:
        """Add the notes of another file."""
        for what, count in other.counts.items():
            self.counts[what] = self.counts.get(what, 0) + count
            self.videos.setdefault(what, set()).update(other.videos[what])
            self.examples.setdefault(what, other.examples[what])


@dataclass
class SourceVideo:
    """One video as a file tells it; times in seconds, None where it does not say."""

    subset: str | None = None
    duration: float | None = None
    fps: float | None = None
    frames: int | None = None
    annotations: list[dict] = field(default_factory=list)


@dataclass
class Source:
    """What one file or folder says.

    Attributes:
        path: Where it lies.
        layout: Name of the layout that was recognised.
        videos: Videos by the id that the file uses.
        notes: What was left out.
    """

    path: Path
    layout: str = ""
    videos: dict[str, SourceVideo] = field(default_factory=dict)
    notes: Notes = field(default_factory=Notes)

    def video(self, video_id: Any, subset: str | None = None, **facts: Any) -> SourceVideo:
        """The video of an id, made where it is new.

        Args:
            video_id: Its id in this file.
            subset: Subset by any name that the benchmark's files use.
            **facts: ``duration``, ``fps`` or ``frames``; None and 0 are not known.

        Raises:
            ValueError: If a fact is no number above 0, or the id is empty.
        """
        if not isinstance(video_id, str) or not video_id.strip():
            raise ValueError(f"{self.path} has a video without an id, got {video_id!r}")
        video = self.videos.setdefault(video_id, SourceVideo())
        if subset is not None:
            video.subset = str(subset)
        for name, value in facts.items():
            if value in (None, "", 0):
                continue
            number = to_number(value)
            if not (math.isfinite(number) and number > 0):
                raise ValueError(
                    f"the {name} of video {video_id!r} in {self.path} must be a positive number, "
                    f"got {value!r}"
                )
            setattr(video, name, round(number) if name == "frames" else number)
        return video

    def add(self, video_id: str, segment: Any, label: Any) -> None:
        """Add an action.

        Args:
            video_id: Its video.
            segment: Start and end in seconds, numbers or their texts.
            label: Class name.

        Raises:
            ValueError: If the segment is not two finite numbers.
        """
        sound = isinstance(segment, Sequence) and not isinstance(segment, str)
        numbers = [to_number(value) for value in segment] if sound else []
        if len(numbers) != 2 or not all(map(math.isfinite, numbers)):
            raise ValueError(
                f"a segment of video {video_id!r} in {self.path} must be two numbers in seconds, "
                f"got {segment!r}"
            )
        annotation = {"segment": numbers, "label": str(label)}
        self.video(video_id).annotations.append(annotation)

    def add_dicts(self, video_id: str, annotations: Any, label_key: str = "label") -> None:
        """Add actions that JSON holds as dicts with ``segment`` and a label.

        Args:
            video_id: Their video.
            annotations: List of dicts; None is none.
            label_key: Key of the class name.

        Raises:
            ValueError: If one is malformed.
        """
        for annotation in annotations or []:
            if not isinstance(annotation, Mapping) or label_key not in annotation:
                raise ValueError(
                    f"an annotation of video {video_id!r} in {self.path} needs 'segment' and "
                    f"{label_key!r}, got {annotation!r:.80}"
                )
            segment: Any = annotation.get("segment")
            self.add(video_id, segment, annotation[label_key])
            if any(isinstance(value, str) for value in segment):
                self.notes.add("segments written as text, read as numbers", video_id, f"{segment}")


@dataclass(frozen=True)
class Layout:
    """A way to write a benchmark down.

    Attributes:
        name: What messages call it.
        matches: Whether a file is in this layout.
        parse: Reads the file into a source.
    """

    name: str
    matches: Callable[[RawFile], bool]
    parse: Callable[[RawFile, Source], None]


def read_source(
    path: str | Path, layouts: Iterable[Layout], benchmark: str, subset: str | None = None
) -> Source:
    """Recognise the layout of a file or folder, and read it.

    Args:
        path: File or folder.
        layouts: Known layouts; the first that matches is taken.
        benchmark: Name for messages.
        subset: Subset of all its videos, whatever the file says.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If no layout matches, or the content is malformed.
    """
    raw = open_raw(path)
    layouts = list(layouts)
    for layout in layouts:
        if layout.matches(raw):
            source = Source(raw.path, layout.name)
            layout.parse(raw, source)
            if not source.videos:
                raise ValueError(f"{raw.path} ({layout.name}) holds no video")
            if subset is not None:
                for video in source.videos.values():
                    video.subset = subset
            return source
    raise ValueError(
        f"{raw.path} is in no layout of {benchmark} that is known "
        f"({', '.join(layout.name for layout in layouts)}): it is {raw.describe()}"
    )
