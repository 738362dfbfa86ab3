"""THUMOS14: classes, published counts, and the layouts that its annotation is found in.

The challenge gives text files per class; repositories of the field ship their own copies, which
differ in subset names, in whether Ambiguous is kept, and in which test videos are left out.
"""

from pathlib import Path

from .conversion import Benchmark
from .counts import Published
from .layouts import (
    ACTIVITYNET_STYLE,
    TSP_GROUND_TRUTH,
    annotations_have,
    each_video,
    first_annotation,
    has_columns,
    has_database,
    parse_database,
)
from .reading import RawFile, read_text
from .source import Layout, Source

THUMOS14_CLASSES = (
    "BaseballPitch",
    "BasketballDunk",
    "Billiards",
    "CleanAndJerk",
    "CliffDiving",
    "CricketBowling",
    "CricketShot",
    "Diving",
    "FrisbeeCatch",
    "GolfSwing",
    "HammerThrow",
    "HighJump",
    "JavelinThrow",
    "LongJump",
    "PoleVault",
    "Shotput",
    "SoccerPenalty",
    "TennisSwing",
    "ThrowDiscus",
    "VolleyballSpiking",
)
AMBIGUOUS = "Ambiguous"


def subset_of_id(video_id: str) -> str | None:
    """``Validation`` or ``Test``, as the ids of THUMOS14 tell."""
    for prefix, subset in (("video_validation_", "Validation"), ("video_test_", "Test")):
        if video_id.startswith(prefix):
            return subset
    return None


def is_class_folder(raw: RawFile) -> bool:
    """Whether a folder holds the text files of the challenge, a file per class and subset."""
    return raw.kind == "folder" and any(
        path.name.endswith(("_val.txt", "_test.txt")) for path in raw.content
    )


def parse_class_folder(raw: RawFile, source: Source) -> None:
    """Read ``<class>_val.txt`` and ``<class>_test.txt``; other files of the folder are no classes.

    Raises:
        ValueError: If a line is not a video, a start and an end.
    """
    for path in raw.content:
        label, _, subset = path.stem.rpartition("_")
        if path.suffix == ".txt" and subset in ("val", "test"):
            read_segment_lines(path, label, source)


def read_segment_lines(path: Path, label: str, source: Source) -> None:
    """Read lines of a video, a start and an end (seconds), all of one class.

    Raises:
        ValueError: If a line is anything else.
    """
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.split()
        if words and len(words) != 3:
            raise ValueError(
                f"line {number} of {path} must be a video, a start and an end in seconds, "
                f"got {line!r}"
            )
        if words:
            source.add(words[0], words[1:], label)


def _parse_rows(raw: RawFile, source: Source) -> None:
    for row in raw.content:
        source.add(row["video"], [row["start"], row["end"]], row["type"])


def _parse_proposal_rows(raw: RawFile, source: Source) -> None:
    for number, row in enumerate(raw.content, start=2):
        index = row["label-idx"]
        names = {str(i): name for i, name in enumerate(THUMOS14_CLASSES)} | {"-1": AMBIGUOUS}
        if index not in names:
            raise ValueError(
                f"row {number} of {raw.path} has the label-idx {index!r}; it must be -1 "
                f"({AMBIGUOUS}) or 0 to {len(THUMOS14_CLASSES) - 1}"
            )
        source.video(
            row["video-name"],
            duration=row["video-duration"],
            fps=row["frame-rate"],
            frames=row["video-frames"],
        )
        source.add(row["video-name"], [row["t-init"], row["t-end"]], names[index])


def _is_rtd(raw: RawFile) -> bool:
    return not has_database(raw) and {"class", "segment"} <= set(first_annotation(raw))


def _parse_rtd(raw: RawFile, source: Source) -> None:
    for video_id, info in each_video(raw):
        source.video(video_id)
        source.add_dicts(video_id, info.get("annotations"), label_key="class")


def _has_texts(raw: RawFile) -> bool:
    segment = first_annotation(raw).get("segment") if has_database(raw) else None
    return isinstance(segment, list) and any(isinstance(value, str) for value in segment)


THUMOS14 = Benchmark(
    name="THUMOS14",
    layouts=(
        Layout("text files per class", is_class_folder, parse_class_folder),
        Layout(
            "ActionFormer JSON", annotations_have(["label_id", "segment(frames)"]), parse_database
        ),
        Layout("DETAD JSON", annotations_have(["coverage", "context-size"]), parse_database),
        Layout("G-TAD or R-C3D JSON, segments as text", _has_texts, parse_database),
        ACTIVITYNET_STYLE,
        Layout("RTD-Action JSON", _is_rtd, _parse_rtd),
        TSP_GROUND_TRUTH,
        Layout(
            "G-TAD test ground truth",
            has_columns("video-name", "t-init", "t-end", "label-idx", "video-duration"),
            _parse_proposal_rows,
        ),
        Layout(
            "G-TAD or AFSD csv",
            has_columns("video", "type", "type_idx", "start", "end"),
            _parse_rows,
        ),
    ),
    subsets={
        "Validation": ("val", "validation", "train", "training"),
        "Test": ("test", "testing"),
    },
    published={
        "Validation": (Published(200, 3007, 20, ignored=(0, 89)),),
        "Test": (
            Published(213, 3358, 20, (0, 99), "thumos14_213"),
            Published(212, 3358, 20, (0,), "thumos14_212"),
            # OpenTAD's own file: without video 270, and four segments past the end of theirs
            Published(211, 3325, 20, (0,), "thumos14_211"),
            Published(210, 3311, 20, (0,), "thumos14_210"),
        ),
    },
    classes=THUMOS14_CLASSES,
    ignored=(AMBIGUOUS,),
    subset_of_id=subset_of_id,
)
