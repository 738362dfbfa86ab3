"""MultiTHUMOS: 65 classes on the videos of THUMOS14, dense and overlapping."""

from .conversion import Benchmark
from .counts import Published
from .layouts import ACTIVITYNET_STYLE, each_video, first_video, has_database
from .reading import RawFile, to_integer
from .source import Layout, Source
from .thumos14 import THUMOS14_CLASSES, read_segment_lines, subset_of_id

# Official order (class_list.txt, numbered from 1): those of THUMOS14 first.
MULTITHUMOS_CLASSES = (
    *THUMOS14_CLASSES,
    *"""
    Walk Sit StandUp Stand Run Jump Fall PickUp Hug PatPerson HighFive FistPump ClapHands
    OneRaisedArmCelebrate TwoRaisedArmCelebrate Throw Drop OneHandedCatch TwoHandedCatch BodyRoll
    BodyTurn BodyBend BodyContract Squat BasketballDribble BasketballPass BasketballBlock
    BasketballShot BasketballGuard VolleyballSet VolleyballBump VolleyballBlock VolleyballServe
    WeightliftingClean WeightliftingJerk HammerThrowWindUp HammerThrowSpin HammerThrowRelease
    PoleVaultPlantPole ShotPutBend DiscusWindUp DiscusRelease TalkToCamera CloseUpTalkToCamera
    NoHuman
    """.split(),
)


def _subset_of_id(video_id: str) -> str | None:
    subset = subset_of_id(video_id)
    return {"Validation": "training", "Test": "testing"}.get(subset or "")


def _is_class_folder(raw: RawFile) -> bool:
    names = {path.stem for path in raw.content} if raw.kind == "folder" else set()
    return {"Walk", "NoHuman"} <= names


def _parse_class_folder(raw: RawFile, source: Source) -> None:
    for path in raw.content:
        if path.suffix == ".txt" and path.stem in MULTITHUMOS_CLASSES:
            read_segment_lines(path, path.stem, source)


def _is_super_events(raw: RawFile) -> bool:
    return not has_database(raw) and bool(first_video(raw, "actions"))


def _parse_super_events(raw: RawFile, source: Source) -> None:
    for video_id, info in each_video(raw):
        source.video(video_id, subset=info.get("subset"), duration=info.get("duration"))
        for action in info.get("actions") or []:
            if not isinstance(action, list) or len(action) != 3:
                raise ValueError(
                    f"an action of video {video_id!r} in {raw.path} must be a class, a start and "
                    f"an end, got {action!r}"
                )
            number = to_integer(action[0], f"the class of video {video_id!r} in {raw.path}")
            if not 1 <= number <= len(MULTITHUMOS_CLASSES):
                raise ValueError(
                    f"video {video_id!r} in {raw.path} has the class {number}; classes run from 1 "
                    f"to {len(MULTITHUMOS_CLASSES)}"
                )
            source.add(video_id, action[1:], MULTITHUMOS_CLASSES[number - 1])


MULTITHUMOS = Benchmark(
    name="MultiTHUMOS",
    layouts=(
        Layout("text files per class", _is_class_folder, _parse_class_folder),
        Layout("super-events JSON", _is_super_events, _parse_super_events),
        ACTIVITYNET_STYLE,
    ),
    subsets={
        "training": ("val", "validation", "train", "Validation"),
        "testing": ("test", "Test"),
    },
    published={
        "training": (Published(200, 18482, 65),),
        "testing": (Published(213, 20208, 65),),
    },
    classes=MULTITHUMOS_CLASSES,
    subset_of_id=_subset_of_id,
)
