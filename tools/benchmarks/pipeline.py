"""Time one training sample of raw video, stage by stage, against the bare decoding of its frames.

    python tools/benchmarks/pipeline.py

Decoding and the whole pipeline take turns, so that a busy machine slows both alike. "Bare decoding"
is decord's get_batch() with its asnumpy() copy, at the size of the file and with the file already
open; the pipeline opens the file too.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median

import cv2
import decord
import numpy as np

from mmtad.datasets import TADDataset
from mmtad.datasets.transforms import Clip

Clock = Callable[[], float]  # seconds

AUGMENT = [
    dict(type="RandomResizedCrop", size=160),
    dict(type="Flip", prob=0.5),
    dict(type="RandAugment"),
    dict(type="ColorJitter"),
]


def write_video(path: Path, frames: int, size: tuple[int, int]) -> None:
    """Write a moving scene, mp4v at 25 frames per second."""
    width, height = size
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)
    scene = cv2.resize(blocks, (2 * width, 2 * height), interpolation=cv2.INTER_CUBIC)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, size)
    for index in range(frames):
        left = int(width / 2 * (1 + np.sin(index / 60)))
        top = int(height / 2 * (1 + np.cos(index / 80)))
        frame = scene[top : top + height, left : left + width].copy()
        center = (int(width / 2 * (1 + 0.6 * np.sin(index / 9))), height // 2)
        cv2.circle(frame, center, height // 8, (20, 220, index % 255), -1)
        writer.write(frame)
    writer.release()


def make_dataset(path: Path, frames: int, args: argparse.Namespace, augment: list) -> TADDataset:
    """One video, one random window."""
    annotation = dict(segment=[0, frames / 25], label="all")
    return TADDataset(
        database={
            path.stem: dict(duration=frames / 25, fps=25, frame=frames, annotations=[annotation])
        },
        data_prefix=dict(video=str(path.parent)),
        window_size=args.window,
        frame_stride=args.stride,
        min_visible=0.01,
        seed=0,
        pipeline=[
            dict(type="OpenVideo", short_side=182, num_threads=args.threads),
            dict(type="SampleFrames"),
            dict(type="DecodeFrames"),
            *augment,
            dict(type="PackTADInputs"),
        ],
    )


def decode(clock: Clock, path: Path, indices: np.ndarray, threads: int, copy: bool) -> float:
    """Milliseconds to decode some frames with nothing else around."""
    reader = decord.VideoReader(str(path), num_threads=threads)
    begin = clock()
    batch = reader.get_batch(indices)
    if copy:
        batch.asnumpy()
    return 1000 * (clock() - begin)


def run_stages(clock: Clock, dataset: TADDataset, draw: int) -> tuple[dict[str, float], np.ndarray]:
    """Milliseconds per transform with all pending work done in it, and the frames that were used.

    Doing the work stage by stage costs more than the pipeline, which merges it.
    """
    results = dataset.get_data_info(0)
    results["rng"] = np.random.default_rng(draw)
    times, frames = {}, np.zeros(0, int)
    for transform in dataset.pipeline.transforms:
        begin = clock()
        results = transform(results)
        if isinstance(results.get("frames"), Clip):
            results["frames"].numpy()
        times[type(transform).__name__] = 1000 * (clock() - begin)
        frames = results.get("frame_inds", frames)
    return times, frames


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=21, help="measurements of each kind")
    parser.add_argument("--window", type=int, default=256, help="frames of a sample")
    parser.add_argument("--stride", type=int, default=1, help="take every n-th frame")
    parser.add_argument("--frames", type=int, default=1000, help="frames of the video")
    parser.add_argument("--size", type=int, nargs=2, default=(320, 240), help="width and height")
    parser.add_argument("--threads", type=int, default=4, help="decoding threads of both")
    parser.add_argument("--cv-threads", type=int, default=1, help="OpenCV threads")
    parser.add_argument(
        "--cpu-time", action="store_true", help="time of all threads, for a machine that is busy"
    )
    args = parser.parse_args()
    cv2.setNumThreads(args.cv_threads)
    clock = time.process_time if args.cpu_time else time.perf_counter
    variants = {
        "all augmentation": AUGMENT,
        "without RandAugment": [one for one in AUGMENT if one["type"] != "RandAugment"],
        "resize and centre crop": [dict(type="CenterCrop", size=160)],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        write_video(path, args.frames, tuple(args.size))
        sets = {
            name: make_dataset(path, args.frames, args, augment)
            for name, augment in variants.items()
        }
        times, stages = defaultdict(list), defaultdict(list)
        for draw in range(-2, args.rounds):  # two rounds to warm up
            now, indices = run_stages(clock, sets["all augmentation"], abs(draw))
            now_total = {
                "bare decoding": decode(clock, path, indices, args.threads, copy=True),
                "bare decoding, no copy": decode(clock, path, indices, args.threads, copy=False),
            }
            for name, dataset in sets.items():
                begin = clock()
                dataset[0]
                now_total[name] = 1000 * (clock() - begin)
            if draw >= 0:
                for name, value in now_total.items():
                    times[name].append(value)
                for name, value in now.items():
                    stages[name].append(value)
    base, fastest = (median(times[key]) for key in ("bare decoding", "bare decoding, no copy"))
    print(f"{'':26s}{'median':>8s}{'min':>8s}{'max':>8s}{'/ bare':>8s}{'/ no copy':>11s}   (ms)")
    for name, values in times.items():
        middle = median(values)
        print(
            f"{name:26s}{middle:8.1f}{min(values):8.1f}{max(values):8.1f}"
            f"{middle / base:8.2f}{middle / fastest:11.2f}"
        )
    print("\nstage by stage, nothing merged (median ms)")
    for name, values in stages.items():
        print(f"{name:26s}{median(values):8.1f}")


if __name__ == "__main__":
    main()
