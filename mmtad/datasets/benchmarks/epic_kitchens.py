"""EPIC-Kitchens-100: one annotation becomes three, of verbs, nouns, and actions (pairs of both)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .conversion import Benchmark, Converted
from .counts import Published
from .layouts import has_columns
from .reading import RawFile, open_raw, to_integer, to_seconds
from .source import Layout, Source

TARGETS = ("verb", "noun", "action")
# `start` and `stop` of the detection baseline count frames of videos brought to this rate.
C2_FPS = 30
_NUM_CLASSES = {"verb": 97, "noun": 300}
# Videos, instances, and the classes of each target that occur.
_PUBLISHED = {
    "train": (495, 67217, {"verb": 97, "noun": 289, "action": 3568}),
    "val": (138, 9668, {"verb": 78, "noun": 211, "action": 1352}),
    "test": (67, 0, {"verb": 0, "noun": 0, "action": 0}),
}


def _subset_of_file(path: Path) -> str | None:
    """The files name their subset in the file name only."""
    for part, subset in (("train", "train"), ("validation", "val"), ("test", "test")):
        if part in path.name:
            return subset
    return None


def _add_row(
    source: Source, video_id: str, segment: list[float], verb: Any, noun: Any, row: int
) -> None:
    video = source.video(video_id, subset=_subset_of_file(source.path))
    if verb in (None, "", "-1") or noun in (None, "", "-1"):
        source.notes.add("segments without a label: left out", video_id)
        return
    numbers = {
        name: to_integer(value, f"the {name} class in row {row} of {source.path}")
        for name, value in (("verb", verb), ("noun", noun))
    }
    video.annotations.append({"segment": segment, **numbers})


def _parse_official(raw: RawFile, source: Source) -> None:
    """Read ``EPIC_100_*.csv``: times as HH:MM:SS.ss (frames count at the video's own rate)."""
    for number, row in enumerate(raw.content, start=2):
        where = f"the {{}}_timestamp in row {number} of {raw.path}"
        segment = [
            to_seconds(row[f"{name}_timestamp"], where.format(name)) for name in ("start", "stop")
        ]
        _add_row(
            source, row["video_id"], segment, row.get("verb_class"), row.get("noun_class"), number
        )


def _parse_c2(raw: RawFile, source: Source) -> None:
    """Read the files of the official detection baseline: frames at 30 per second."""
    for number, row in enumerate(raw.content, start=2):
        segment = [
            to_integer(row[name], f"the {name} in row {number} of {raw.path}") / C2_FPS
            for name in ("start", "stop")
        ]
        verb, noun = (row.get(name, row.get(f"{name}_class")) for name in ("verb", "noun"))
        _add_row(source, row["video"], segment, verb, noun, number)


EPIC_LAYOUTS = (
    Layout(
        "official csv",
        has_columns("video_id", "start_timestamp", "stop_timestamp"),
        _parse_official,
    ),
    Layout(
        "C2 detection csv, frames at 30 fps",
        has_columns("narration_id", "video", "start", "stop"),
        _parse_c2,
    ),
)


def read_classes(path: str | Path, target: str) -> list[str]:
    """Names of the verb or noun classes, in the order of their official ids.

    Args:
        path: ``EPIC_100_verb_classes.csv`` or ``EPIC_100_noun_classes.csv``. Of the 305 nouns of
            ``_v2``, the five that no annotation uses are left out.
        target: ``"verb"`` or ``"noun"``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is another table, or the ids are not 0, 1, 2, ...
    """
    raw = open_raw(path)
    if not has_columns("id", "key")(raw):
        raise ValueError(
            f"{raw.path} must be a table with the columns id and key, as "
            f"EPIC_100_{target}_classes.csv is; it is {raw.describe()}"
        )
    ids = [to_integer(row["id"], f"an id in {raw.path}") for row in raw.content]
    wanted = _NUM_CLASSES[target]
    if ids != list(range(len(ids))) or not wanted <= len(ids) <= wanted + 5:
        raise ValueError(
            f"{raw.path} must list the {wanted} {target}s by their ids from 0 on; it lists "
            f"{len(ids)}"
        )
    return [row["key"] for row in raw.content[:wanted]]


def label_sources(
    sources: Sequence[Source], target: str, verbs: Sequence[str], nouns: Sequence[str]
) -> list[Source]:
    """Give the annotations of read sources the labels of one target.

    The label of an action is ``"<verb> <noun>"``, such as ``"take plate"``; neither name has a
    space. Its annotation also carries the ids of both, ``verb`` and ``noun``.

    Args:
        sources: Read by ``EPIC_LAYOUTS``.
        target: One of ``TARGETS``.
        verbs: Verb names by id.
        nouns: Noun names by id.

    Raises:
        ValueError: If an id has no name.
    """
    labelled = []
    for source in sources:
        videos = {}
        for video_id, video in source.videos.items():
            annotations = []
            for one in video.annotations:
                verb = _name(verbs, one["verb"], "verb", video_id, source)
                noun = _name(nouns, one["noun"], "noun", video_id, source)
                label = {"verb": verb, "noun": noun, "action": f"{verb} {noun}"}[target]
                ids = {"verb": one["verb"], "noun": one["noun"]} if target == "action" else {}
                annotations.append({"segment": one["segment"], "label": label, **ids})
            videos[video_id] = replace(video, annotations=annotations)
        labelled.append(replace(source, videos=videos))
    return labelled


def _name(names: Sequence[str], index: int, target: str, video_id: str, source: Source) -> str:
    if not 0 <= index < len(names):
        raise ValueError(
            f"video {video_id!r} in {source.path} has the {target} class {index}; classes run from "
            f"0 to {len(names) - 1}"
        )
    return names[index]


def action_classes(
    sources: Sequence[Source], verbs: Sequence[str], nouns: Sequence[str]
) -> list[str]:
    """Names of the pairs that occur, in the order of their verb's and then their noun's id."""
    pairs = {
        (one["verb"], one["noun"])
        for source in sources
        for video in source.videos.values()
        for one in video.annotations
    }
    return [f"{verbs[verb]} {nouns[noun]}" for verb, noun in sorted(pairs)]


def epic_benchmark(target: str, classes: Sequence[str]) -> Benchmark:
    """EPIC-Kitchens-100 with the classes of one target.

    Args:
        target: One of ``TARGETS``.
        classes: Names of :func:`read_classes` or :func:`action_classes`.
    """
    return Benchmark(
        name=f"EPIC-Kitchens-100 {target}",
        layouts=EPIC_LAYOUTS,
        subsets={"train": ("training",), "val": ("validation",), "test": ("testing",)},
        published={
            subset: (Published(videos, instances, number[target]),)
            for subset, (videos, instances, number) in _PUBLISHED.items()
        },
        classes=tuple(classes),
    )


def unseen_classes(converted: Converted, subset: str = "train") -> list[str]:
    """Classes without an instance in a subset, in official order; all where it does not occur."""
    seen = {
        one["label"]
        for info in converted.database.values()
        for one in info["annotations"]
        if info["subset"] == subset
    }
    return [name for name in converted.classes if name not in seen]
