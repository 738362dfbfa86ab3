"""The synthetic benchmark: untrimmed videos with annotations, and trimmed clips for pre-training.

One object does different things, so a single frame does not tell the classes apart. The clips
show the same kinds of motion in a tidier world, as a recognition data set does beside a detection
benchmark: what a backbone learns from them it has to carry over to busier pictures.

Do not mirror these videos while training: it turns ``slide_left`` into ``slide_right`` (and
``*_clockwise`` into ``*_counterclockwise``).
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from .synthetic_folder import ANNOTATION_FILE, is_whole, mark, write_json
from .synthetic_plan import (
    GENERATOR_VERSION,
    STREAMS,
    SyntheticSpec,
    make_annotations,
    plan_clip,
    plan_video,
)
from .synthetic_scene import make_track, render


def draw_frames(spec: SyntheticSpec, stream: str, index: int) -> Iterable[np.ndarray]:
    """Frames (BGR, uint8 [size, size, 3]) of one video; ``stream`` as in the folder names."""
    is_clip = stream.startswith("clips/")
    if is_clip:
        frames, actions = plan_clip(spec, stream.removeprefix("clips/"), index)
    else:
        frames, actions = plan_video(spec, stream, index)
    style = spec.clip_style if is_clip else spec.video_style
    rng = np.random.default_rng([spec.seed, STREAMS[stream], index, 1])
    return render(
        make_track(actions, frames, spec.fps, style, rng), spec.size, spec.fps, style, rng
    )


def write_video(path: Path, frames: Iterable[np.ndarray], size: int, fps: float) -> None:
    """Write square BGR frames as MPEG-4; raises ``OSError`` if OpenCV cannot open the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, (size, size))
    if not writer.isOpened():
        raise OSError(f"OpenCV cannot write {path}: is the disk full or the folder read-only?")
    for frame in frames:
        writer.write(frame)
    writer.release()


def _jobs(spec: SyntheticSpec) -> list[tuple[str, int, str]]:
    """All files as (stream, index, path within the folder)."""
    counts = (spec.train_videos, spec.test_videos, spec.train_clips, spec.val_clips)
    jobs = []
    for stream, count in zip(STREAMS, counts, strict=True):
        name = stream + "/{:04d}.mp4" if "/" in stream else "videos/" + stream + "_{:04d}.mp4"
        jobs += [(stream, index, name.format(index)) for index in range(count)]
    return jobs


def _run_job(root: Path, spec: SyntheticSpec, job: tuple[str, int, str]) -> None:
    cv2.setNumThreads(1)
    stream, index, name = job
    write_video(root / name, draw_frames(spec, stream, index), spec.size, spec.fps)


def is_finished(root: str | os.PathLike, spec: SyntheticSpec) -> bool:
    """Whether ``root`` already holds the whole benchmark of this spec.

    Raises:
        FileExistsError: ``root`` holds something else; nothing of it was touched.
    """
    return is_whole(root, spec, GENERATOR_VERSION, [job[2] for job in _jobs(spec)])


def make_dataset(
    root: str | os.PathLike,
    spec: SyntheticSpec,
    workers: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, int]:
    """Write the whole benchmark, or leave a finished one of the same spec as it is.

    The folder holds ``annotations.json``, ``videos/{train,test}_0000.mp4``,
    ``clips/{train,val}.txt`` (a line is ``path label``, paths relative to ``clips/``),
    ``clips/{train,val}/0000.mp4`` and ``spec.json``, which is marked as complete at the end: an
    interrupted run is simply started again.

    Args:
        root: The folder to write.
        spec: What to make.
        workers: Processes; 1 works in this process.
        on_progress: Called with (videos written, videos in all) after each of them.

    Returns:
        Counts: ``train_videos``, ``test_videos``, ``empty_videos``, ``actions``, ``seconds`` (of
        the untrimmed videos), ``train_clips``, ``val_clips``.

    Raises:
        FileExistsError: ``root`` holds something else.
    """
    root = Path(root)
    annotations = make_annotations(spec)
    if not is_finished(root, spec):
        mark(root, spec, GENERATOR_VERSION, complete=False)
        jobs = _jobs(spec)
        for done, _ in enumerate(_run_all(root, spec, jobs, workers), 1):
            on_progress(done, len(jobs))
        (root / "clips").mkdir(exist_ok=True)
        for split, count in (("train", spec.train_clips), ("val", spec.val_clips)):
            labels = [index % len(spec.clip_classes) for index in range(count)]
            lines = [f"{split}/{index:04d}.mp4 {label}\n" for index, label in enumerate(labels)]
            (root / "clips" / f"{split}.txt").write_text("".join(lines))
        write_json(root / ANNOTATION_FILE, annotations)
        mark(root, spec, GENERATOR_VERSION, complete=True)
    videos = annotations["database"].values()
    return {
        "train_videos": spec.train_videos,
        "test_videos": spec.test_videos,
        "empty_videos": sum(not video["annotations"] for video in videos),
        "actions": sum(len(video["annotations"]) for video in videos),
        "seconds": round(sum(video["duration"] for video in videos)),
        "train_clips": spec.train_clips,
        "val_clips": spec.val_clips,
    }


def _run_all(root: Path, spec: SyntheticSpec, jobs: list, workers: int) -> Iterable[None]:
    """Write all files; yields after each, in no particular order of time."""
    work = partial(_run_job, root, spec)
    if workers <= 1:
        yield from map(work, jobs)
        return
    with ProcessPoolExecutor(workers) as pool:
        for future in as_completed([pool.submit(work, job) for job in jobs]):
            yield future.result()
