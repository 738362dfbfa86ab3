"""A generated benchmark of features whose actions can be told only from far away.

A video is a sequence of events in noise. A *cue* is short; it says which world the video is in from
then on. A *segment* looks like one of a few appearances, with an onset and an offset of its own.
What it is follows from its appearance and the last cue before it, which may be most of the video
away: ``lift`` after ``red`` and ``lift`` after ``blue`` are different actions, and the last
appearance is no action at all unless it follows the first cue. Segments last from a few steps to a
third of the video, and their ends lie between the steps: the share of a step that they cover is
what tells where.

There is no video and nothing to pre-train: training a small detector takes a minute on a CPU.
"""

import os
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from .synthetic_folder import ANNOTATION_FILE, is_whole, mark, write_json

GENERATOR_VERSION = 1  # raise it whenever the same spec gives other features or annotations
STREAMS = {"train": 0, "test": 1, "signatures": 2}  # sub-sequences of the seed
APPEARANCES = ("lift", "push", "turn", "wave")
CUES = ("red", "blue", "green")
FPS, FEATURE_STRIDE = 20.0, 4  # features of 4 frames every 4 frames: a step is 0.2 s

Events = list[tuple[float, float, str]]  # (start, end, signature) in steps


@dataclass(frozen=True)
class SyntheticFeatureSpec:
    """Everything that decides about the benchmark; equal specs give equal files.

    Args:
        seed: Seed of all videos and of the signatures.
        train_videos: Videos of the subset ``train``.
        test_videos: Videos of the subset ``test``.
        channels: Channels of a feature.
        steps: Fewest and most features of a video.
        segment_steps: Shortest and longest segment; lengths are log-uniform between them.
        appearances: Number of appearances, out of ``APPEARANCES``.
        cues: Number of cues, out of ``CUES``.
        cue_steps: Length of a cue.
        cue_rate: Chance of a new cue between two segments.
        noise: Standard deviation of white noise in every channel; signatures have length 1.
        drift: The same of a background that changes over some ten steps.

    Raises:
        ValueError: A value that no video can be made from.
    """

    seed: int = 0
    train_videos: int = 800
    test_videos: int = 100
    channels: int = 32
    steps: tuple[int, int] = (96, 128)
    segment_steps: tuple[float, float] = (3.0, 40.0)
    appearances: int = 3
    cues: int = 2
    cue_steps: float = 3.0
    cue_rate: float = 0.3
    noise: float = 0.5
    drift: float = 0.1

    def __post_init__(self) -> None:
        for name in ("seed", "train_videos", "test_videos", "noise", "drift"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if self.train_videos + self.test_videos == 0:
            raise ValueError("there are no videos: train_videos and test_videos are both 0")
        for name in ("steps", "segment_steps"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name} must be (fewest, most), got ({low}, {high})")
        for name, names in (("appearances", APPEARANCES), ("cues", CUES)):
            if not 1 <= getattr(self, name) <= len(names):
                raise ValueError(f"{name} must be 1 to {len(names)}, got {getattr(self, name)}")
        if not 0 <= self.cue_rate <= 1:
            raise ValueError(f"cue_rate must lie between 0 and 1, got {self.cue_rate}")
        if self.cue_steps <= 0:
            raise ValueError(f"cue_steps must be positive, got {self.cue_steps}")
        if self.channels < (needed := len(signature_names(self))):
            raise ValueError(
                f"channels must be at least {needed}, one per signature, got {self.channels}"
            )
        if 3 * self.cue_steps + self.segment_steps[0] > self.steps[0] / 2:
            raise ValueError(
                f"a video of {self.steps[0]} steps is too short for cues of {self.cue_steps:g} "
                f"and segments of {self.segment_steps[0]:g} steps"
            )


def signature_names(spec: SyntheticFeatureSpec) -> list[str]:
    """What can be seen: cues, appearances, their onsets and their offsets."""
    looks = APPEARANCES[: spec.appearances]
    ends = [f"{look}_{end}" for look, end in product(looks, ("onset", "offset"))]
    return [*CUES[: spec.cues], *looks, *ends]


def class_of(look: str, cue: str, spec: SyntheticFeatureSpec) -> str | None:
    """Class of a segment that looks so after that cue; None if it is no action."""
    is_last = spec.appearances > 1 and look == APPEARANCES[spec.appearances - 1]
    return None if is_last and cue != CUES[0] else f"{look}_after_{cue}"


def class_names(spec: SyntheticFeatureSpec) -> list[str]:
    """All classes, sorted as a data set sorts them."""
    pairs = product(APPEARANCES[: spec.appearances], CUES[: spec.cues])
    return sorted(name for look, cue in pairs if (name := class_of(look, cue, spec)))


def plan_video(
    spec: SyntheticFeatureSpec, subset: str, index: int
) -> tuple[int, Events, list[tuple[float, float, str | None]]]:
    """Choose what happens when in one video.

    Each video has a random generator of its own: more videos leave the first ones as they are.

    Args:
        spec: The settings.
        subset: ``train`` or ``test``.
        index: Number of the video.

    Returns:
        Number of features; cues and segments in order of time, disjoint; the segments among them
        with their classes, None for one that is no action. Times are in steps.
    """
    rng = np.random.default_rng([spec.seed, STREAMS[subset], index])
    steps = int(rng.integers(spec.steps[0], spec.steps[1] + 1))
    shortest, longest = np.log(spec.segment_steps)
    cursor, cue = rng.uniform(0, spec.cue_steps), None
    events, segments = [], []
    while True:
        if cue is None or rng.uniform() < spec.cue_rate:
            if cursor + spec.cue_steps > steps:
                return steps, events, segments
            cue = CUES[rng.integers(spec.cues)]
            events.append((cursor, cursor + spec.cue_steps, cue))
            cursor += spec.cue_steps + rng.uniform(1, spec.cue_steps)
        length = float(np.exp(rng.uniform(shortest, longest)))
        if cursor + length > steps - 1:
            if segments:
                return steps, events, segments
            length = spec.segment_steps[0]
        look = APPEARANCES[rng.integers(spec.appearances)]
        events.append((cursor, cursor + length, look))
        segments.append((cursor, cursor + length, class_of(look, cue, spec)))
        cursor += length + 1 + rng.exponential(3.0)


def coverage(start: float, end: float, steps: int) -> np.ndarray:
    """Share of each step that lies between two moments, ``[T]``; step i lasts from i to i + 1."""
    left = np.arange(steps)
    return np.clip(np.minimum(end, left + 1) - np.maximum(start, left), 0, 1)


def draw_features(spec: SyntheticFeatureSpec, subset: str, index: int) -> np.ndarray:
    """Features of one video, float32 ``[T, C]``."""
    names = signature_names(spec)
    rng = np.random.default_rng([spec.seed, STREAMS["signatures"]])
    basis = np.linalg.qr(rng.normal(size=(spec.channels, spec.channels)))[0]
    signatures = dict(zip(names, basis.T[: len(names)], strict=True))
    steps, events, _ = plan_video(spec, subset, index)
    rng = np.random.default_rng([spec.seed, STREAMS[subset], index, 1])
    features = spec.noise * rng.normal(size=(steps, spec.channels))
    features += spec.drift * _smooth(rng.normal(size=(steps, spec.channels)))
    for start, end, name in events:
        features += np.outer(coverage(start, end, steps), signatures[name])
        if name in APPEARANCES:
            edge = min(1.5, (end - start) / 3)
            onset, offset = coverage(start, start + edge, steps), coverage(end - edge, end, steps)
            features += np.outer(onset, signatures[f"{name}_onset"])
            features += np.outer(offset, signatures[f"{name}_offset"])
    return features.astype(np.float32)


def make_annotations(spec: SyntheticFeatureSpec) -> dict:
    """ActivityNet-style annotations; segments in seconds."""
    database = {}
    for name, subset, index in _videos(spec):
        steps, _, segments = plan_video(spec, subset, index)
        seconds = FEATURE_STRIDE / FPS
        database[name] = {
            "subset": subset,
            "duration": round(steps * seconds, 4),
            "fps": FPS,
            "frame": steps * FEATURE_STRIDE,
            "annotations": [
                {"segment": [round(start * seconds, 4), round(end * seconds, 4)], "label": label}
                for start, end, label in segments
                if label is not None
            ],
        }
    return {"version": f"synthetic-features-{GENERATOR_VERSION}", "database": database}


def _videos(spec: SyntheticFeatureSpec) -> list[tuple[str, str, int]]:
    """All videos as (id, subset, index)."""
    counts = (("train", spec.train_videos), ("test", spec.test_videos))
    return [(f"{subset}_{i:04d}", subset, i) for subset, count in counts for i in range(count)]


def _smooth(noise: np.ndarray, memory: float = 0.9) -> np.ndarray:
    """White noise ``[T, C]`` to noise of the same variance whose steps resemble each other."""
    out = np.empty_like(noise)
    out[:1] = noise[:1]
    for step in range(1, len(noise)):
        out[step] = memory * out[step - 1] + np.sqrt(1 - memory**2) * noise[step]
    return out


def is_finished(root: str | os.PathLike, spec: SyntheticFeatureSpec) -> bool:
    """Whether ``root`` already holds the whole benchmark of this spec.

    Raises:
        FileExistsError: ``root`` holds something else; nothing of it was touched.
    """
    files = [f"features/{name}.npy" for name, _, _ in _videos(spec)]
    return is_whole(root, spec, GENERATOR_VERSION, files)


def make_dataset(root: str | os.PathLike, spec: SyntheticFeatureSpec) -> dict[str, int]:
    """Write the whole benchmark, or leave a finished one of the same spec as it is.

    The folder holds ``annotations.json``, ``features/{train,test}_0000.npy`` (``[T, C]``, for
    :class:`FeatureDataset` with a ``feature_stride`` and ``clip_frames`` of 4) and ``spec.json``.

    Returns:
        Counts: ``videos``, ``actions``, ``steps``.

    Raises:
        FileExistsError: ``root`` holds something else.
    """
    root = Path(root)
    annotations = make_annotations(spec)
    if not is_finished(root, spec):
        mark(root, spec, GENERATOR_VERSION, complete=False)
        (root / "features").mkdir(exist_ok=True)
        for name, subset, index in _videos(spec):
            np.save(root / "features" / f"{name}.npy", draw_features(spec, subset, index))
        write_json(root / ANNOTATION_FILE, annotations)
        mark(root, spec, GENERATOR_VERSION, complete=True)
    videos = annotations["database"].values()
    return {
        "videos": len(videos),
        "actions": sum(len(video["annotations"]) for video in videos),
        "steps": sum(video["frame"] // FEATURE_STRIDE for video in videos),
    }
