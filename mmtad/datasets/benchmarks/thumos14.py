"""THUMOS14: classes, published counts, and the layouts that its annotation is found in.

The challenge gives text files per class; repositories of the field ship their own copies, which
differ in subset names, in whether Ambiguous is kept, and in which test videos are left out.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from .conversion import Benchmark
from .counts import Published
from .reading import RawFile
from .source import Layout, Source, first_video, has_columns, has_database, parse_database

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
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
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


def parse_tsp_rows(raw: RawFile, source: Source) -> None:
    """Read the ground truth of TSP: a row per action and per gap between actions.

    Raises:
        ValueError: If a row is neither.
    """
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


def _is_rtd(raw: RawFile) -> bool:
    if raw.kind != "json" or has_database(raw):
        return False
    annotations = first_video(raw, ["annotations"]).get("annotations")
    return isinstance(annotations, list) and {"class", "segment"} <= set(annotations[0])


def _parse_rtd(raw: RawFile, source: Source) -> None:
    for video_id, info in raw.content.items():
        source.video(video_id)
        for annotation in info["annotations"]:
            source.add(video_id, annotation["segment"], annotation["class"])


def _database_with(*keys: str) -> Callable[[RawFile], bool]:
    """A test for ActivityNet-style files whose annotations have these keys."""

    def matches(raw: RawFile) -> bool:
        if not has_database(raw):
            return False
        annotations = first_video(raw, ["annotations"]).get("annotations")
        first = annotations[0] if isinstance(annotations, list) else {}
        return isinstance(first, Mapping) and set(keys) <= set(first)

    return matches


def _has_texts(raw: RawFile) -> bool:
    if not _database_with("segment")(raw):
        return False
    segment = first_video(raw, ["annotations"])["annotations"][0]["segment"]
    return isinstance(segment, list) and any(isinstance(value, str) for value in segment)


TSP_GROUND_TRUTH = Layout(
    "TSP ground truth",
    has_columns("video-name", "t-start", "t-end", "action-label", "temporal-region-label"),
    parse_tsp_rows,
)

THUMOS14 = Benchmark(
    name="THUMOS14",
    layouts=(
        Layout("text files per class", is_class_folder, parse_class_folder),
        Layout("ActionFormer JSON", _database_with("label_id", "segment(frames)"), parse_database),
        Layout("DETAD JSON", _database_with("coverage", "context-size"), parse_database),
        Layout("G-TAD or R-C3D JSON, segments as text", _has_texts, parse_database),
        Layout("ActivityNet-style JSON", has_database, parse_database),
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
            Published(210, 3311, 20, (0,), "thumos14_210"),
        ),
    },
    classes=THUMOS14_CLASSES,
    ignored=(AMBIGUOUS,),
    subset_of_id=subset_of_id,
)
