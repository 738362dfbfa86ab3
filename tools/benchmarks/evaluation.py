"""Time the evaluation of 1,000 videos x 100 detections, 200 classes, at ten tIoU thresholds.

Measured are mAP, and AR@AN for AN 1 to 100 with the area under it, each with the checks of the
loaded results. The data are synthetic and sized like ActivityNet-1.3 validation; --videos 4926 is
its full size. Compared with a plain restatement of the same definition (one detection or one video
at a time with NumPy) on the same data, and with the figures that were recorded for the evaluators
of OpenTAD (commit 3dd7b032) on two cores of an AMD EPYC: mAP 17.9 s with 16 workers, AR 2.84 s,
reading of the files (0.45 s) included.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
from evaluation_plain import plain_average_recall, plain_mean_average_precision
from mmengine.logging import MMLogger

from mmtad.evaluation import evaluate_detections, evaluate_proposals

# Name: our function, the number to compare, the restatement, seconds recorded for OpenTAD.
MEASURES = {
    "mAP": (evaluate_detections, "mAP", plain_mean_average_precision, 17.9),
    "AR@AN": (evaluate_proposals, "AUC", plain_average_recall, 2.84),
}


def make_data(num_videos: int, per_video: int, num_classes: int, seed: int) -> tuple[dict, dict]:
    """Make ground truth and detections; every other detection lies near an annotated action."""
    rng = np.random.default_rng(seed)
    names = [f"class_{i:03d}" for i in range(num_classes)]
    database, results = {}, {}
    for number in range(num_videos):
        duration = float(rng.uniform(60, 240))
        label = names[rng.integers(num_classes)]
        starts = rng.uniform(0, 0.8 * duration, size=rng.integers(1, 4))
        actions = [[float(s), float(s + rng.uniform(0.02, 0.2) * duration)] for s in starts]
        detections = []
        for index in range(per_video):
            if index % 2:
                segment = np.array(actions[rng.integers(len(actions))])
                segment = np.sort(segment + rng.normal(0, 0.15 * np.ptp(segment), size=2))
                name, score = label, rng.uniform(0.2, 1)
            else:
                segment = np.sort(rng.uniform(0, duration, size=2))
                name, score = names[rng.integers(num_classes)], rng.uniform(0, 0.8)
            detections.append({"segment": segment.tolist(), "label": name, "score": float(score)})
        video = f"video_{number:05d}"
        annotations = [{"segment": segment, "label": label} for segment in actions]
        database[video] = {"subset": "validation", "duration": duration, "annotations": annotations}
        results[video] = detections
    return {"database": database}, {"results": results}


class Stopwatch:
    """Wall and CPU seconds of repeated calls; the CPU time shows when other work slowed a call."""

    def __init__(self, function: Callable[[], object]) -> None:
        self.function = function
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def run(self) -> object:
        """Call once and note the times."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = self.function()
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)
        return result

    def __str__(self) -> str:
        return (
            f"median {statistics.median(self.wall):.3f} s ({min(self.wall):.3f} .. "
            f"{max(self.wall):.3f}, n = {len(self.wall)}), CPU {statistics.median(self.cpu):.3f} s"
        )


COLD_START = """
import time
import numpy as np
from mmtad.evaluation import average_precision
one, zero = np.ones(1), np.zeros(1, dtype=np.int64)
start = time.perf_counter()
average_precision(zero, zero, np.array([[0., 1.]]), zero, zero, np.array([[0., 1.]]), one, [0.5], 1)
print(time.perf_counter() - start)
"""


def first_call(environment: dict[str, str] | None = None) -> float:
    """Seconds of the first call in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", COLD_START],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return float(done.stdout.split()[-1])


def measure(
    function: Callable[[], dict], key: str, restatement: Callable[[], float] | None, repeats: int
) -> None:
    """Time a function and its restatement in turns, so that both meet the same load."""
    result = function()[key]
    ours = Stopwatch(function)
    plain = None if restatement is None else Stopwatch(restatement)
    for _ in range(repeats):
        if plain is not None:
            plain_result = plain.run()
        for _ in range(3):
            ours.run()
    print(f"  mmtad:             {ours}; {key} {100 * result:.4f} %")
    if plain is not None:
        wall, cpu = (
            statistics.median(getattr(plain, kind)) / statistics.median(getattr(ours, kind))
            for kind in ("wall", "cpu")
        )
        print(f"  plain restatement: {plain}; {key} {100 * plain_result:.4f} %")
        print(f"  the restatement takes {wall:.0f} times as long (CPU: {cpu:.0f} times)")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=int, default=1000, help="number of videos")
    parser.add_argument("--per-video", type=int, default=100, help="detections per video")
    parser.add_argument("--classes", type=int, default=200, help="number of classes")
    parser.add_argument(
        "--repeats", type=int, default=3, help="timed runs of the restatement; thrice of mmtad"
    )
    parser.add_argument("--no-plain", action="store_true", help="leave out the restatements")
    parser.add_argument(
        "--no-first-call", action="store_true", help="leave out the time of compiling"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the data")
    args = parser.parse_args()

    MMLogger.get_current_instance().setLevel("ERROR")
    thresholds = np.linspace(0.5, 0.95, 10).round(2).tolist()
    data = make_data(args.videos, args.per_video, args.classes, args.seed)
    if not args.no_first_call:
        with tempfile.TemporaryDirectory() as cache:
            compiling = first_call({**os.environ, "NUMBA_CACHE_DIR": cache})
        first_call()
        cached = first_call()
        print(f"first call in a new process: {compiling:.2f} s compiling, {cached:.2f} s cached")
    recorded = (args.videos, args.per_video, args.classes) == (1000, 100, 200)
    for name, (function, key, restatement, peer_seconds) in MEASURES.items():
        print(f"\n{name} of {args.videos:,} videos x {args.per_video}, {len(thresholds)} tIoUs")
        measure(
            lambda f=function: f(*data, thresholds),
            key,
            None if args.no_plain else (lambda f=restatement: f(*data, thresholds)),
            args.repeats,
        )
        if recorded:
            print(f"  recorded peer:     {peer_seconds} s (other data of this size, with reading)")


if __name__ == "__main__":
    main()
