"""What happens when in the synthetic benchmark: settings, time tables and annotations."""

from dataclasses import dataclass, field

import numpy as np

from .synthetic_scene import MOTIONS, SceneStyle

GENERATOR_VERSION = 1  # raise it whenever the same spec gives other pixels or annotations
STREAMS = {"train": 0, "test": 1, "clips/train": 2, "clips/val": 3}  # sub-sequences of the seed

Actions = list[tuple[int, int, str]]  # (first frame, end frame, label)


@dataclass(frozen=True)
class SyntheticSpec:
    """Everything that decides about the benchmark; equal specs give equal files.

    Each video has a random generator of its own: more videos leave the first ones as they are.

    Args:
        seed: Seed of all videos.
        train_videos: Untrimmed videos of the subset ``train``.
        test_videos: Untrimmed videos of the subset ``test``.
        train_clips: Trimmed clips in ``clips/train.txt``.
        val_clips: Trimmed clips in ``clips/val.txt``.
        size: Side of the square pictures in pixels, even.
        fps: Frames per second.
        video_seconds: Shortest and longest untrimmed video.
        action_seconds: Shortest and longest action; lengths are log-uniform between them.
        empty_fraction: Share of the untrimmed videos without any action.
        adjacent_fraction: Share of the gaps between actions that last less than half a second.
        action_classes: Motions (keys of ``MOTIONS``) of the untrimmed videos.
        video_style: Look of the untrimmed videos.
        clip_classes: Motions of the trimmed clips. What they share with ``action_classes``, and
            a ``clip_style`` nearer to ``video_style``, narrow the gap that adaptation has to close.
        clip_frames: Shortest and longest clip in frames.
        clip_style: Look of the trimmed clips.

    Raises:
        ValueError: A value that no video can be made from.
    """

    seed: int = 0
    train_videos: int = 120
    test_videos: int = 24
    train_clips: int = 1200
    val_clips: int = 160
    size: int = 64
    fps: float = 5.0
    video_seconds: tuple[float, float] = (15.0, 40.0)
    action_seconds: tuple[float, float] = (0.8, 10.0)
    empty_fraction: float = 0.1
    adjacent_fraction: float = 0.2
    action_classes: tuple[str, ...] = (
        "pulse",
        "slide_down",
        "slide_left",
        "slide_right",
        "slide_up",
    )
    video_style: SceneStyle = field(default_factory=SceneStyle)
    clip_classes: tuple[str, ...] = (
        "pulse",
        "rock",
        "slide_down",
        "slide_left",
        "slide_right",
        "slide_up",
    )
    clip_frames: tuple[int, int] = (16, 24)
    clip_style: SceneStyle = field(
        default_factory=lambda: SceneStyle(
            texture=0.25, background_speed=0.02, brightness=0.1, distractors=1, drift=0.02
        )
    )

    def __post_init__(self) -> None:
        for name in ("train_videos", "test_videos", "train_clips", "val_clips", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.size < 16 or self.size % 2:
            raise ValueError(f"size must be an even number of at least 16 pixels, got {self.size}")
        if self.fps <= 0:
            raise ValueError(f"fps must be positive, got {self.fps}")
        for name in ("video_seconds", "action_seconds", "clip_frames"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name} must be (shortest, longest), got ({low}, {high})")
        if self.action_seconds[0] > self.video_seconds[0] / 2:
            raise ValueError(
                f"the shortest action ({self.action_seconds[0]} s) must fit twice into the "
                f"shortest video ({self.video_seconds[0]} s)"
            )
        for name in ("empty_fraction", "adjacent_fraction"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")
        for name in ("action_classes", "clip_classes"):
            unknown = sorted(set(getattr(self, name)) - set(MOTIONS))
            if unknown or not getattr(self, name):
                raise ValueError(
                    f"{name} must name motions out of {', '.join(sorted(MOTIONS))}; got {unknown}"
                )


def plan_actions(frames: int, spec: SyntheticSpec, rng: np.random.Generator) -> Actions:
    """Choose what happens when in one untrimmed video.

    Args:
        frames: Length of the video.
        spec: Action lengths, classes and gaps.
        rng: Source of every choice.

    Returns:
        Disjoint actions in order of time, at least one.
    """
    shortest, longest = (np.log(seconds) for seconds in spec.action_seconds)
    rest = round(0.5 * spec.fps)  # the video neither begins nor ends within an action
    cursor, actions = rest + int(rng.exponential(1.5) * spec.fps), []
    cursor = min(cursor, frames // 3)
    while True:
        length = max(2, round(np.exp(rng.uniform(shortest, longest)) * spec.fps))
        label = str(rng.choice(spec.action_classes))
        room = frames - rest - cursor
        if length > room:
            if actions:
                return actions
            length = max(2, room)
        actions.append((cursor, cursor + length, label))
        adjacent = rng.uniform() < spec.adjacent_fraction
        gap = rng.uniform(0.15, 0.5) if adjacent else rng.uniform(0.8, 1.5) + rng.exponential(1.5)
        cursor += length + max(1, round(gap * spec.fps))


def _generator(spec: SyntheticSpec, stream: str, index: int) -> np.random.Generator:
    return np.random.default_rng([spec.seed, STREAMS[stream], index])


def plan_video(spec: SyntheticSpec, subset: str, index: int) -> tuple[int, Actions]:
    """Length in frames and actions of video ``index`` of a subset (``train`` or ``test``)."""
    rng = _generator(spec, subset, index)
    frames = round(rng.uniform(*spec.video_seconds) * spec.fps)
    # Spread the empty videos evenly, from the second one on: every split of a few videos has some.
    quota = [int((index + shift) * spec.empty_fraction + 0.5) for shift in (0, 1)]
    return frames, [] if quota[1] > quota[0] else plan_actions(frames, spec, rng)


def plan_clip(spec: SyntheticSpec, split: str, index: int) -> tuple[int, Actions]:
    """Length in frames and the one motion of clip ``index``; the classes take turns."""
    rng = _generator(spec, f"clips/{split}", index)
    frames = int(rng.integers(spec.clip_frames[0], spec.clip_frames[1] + 1))
    return frames, [(0, frames, spec.clip_classes[index % len(spec.clip_classes)])]


def make_annotations(spec: SyntheticSpec) -> dict:
    """ActivityNet-style annotations of the untrimmed videos; segments in seconds."""
    database = {}
    for subset, count in (("train", spec.train_videos), ("test", spec.test_videos)):
        for index in range(count):
            frames, actions = plan_video(spec, subset, index)
            database[f"{subset}_{index:04d}"] = {
                "subset": subset,
                "duration": round(frames / spec.fps, 4),
                "fps": spec.fps,
                "frame": frames,
                "annotations": [
                    {
                        "segment": [round(first / spec.fps, 4), round(end / spec.fps, 4)],
                        "label": label,
                    }
                    for first, end, label in actions
                ],
            }
    return {"version": f"synthetic-{GENERATOR_VERSION}", "database": database}
