"""Time the evaluation of 1,000 videos x 100 detections, 200 classes, at ten tIoU thresholds.

The data are synthetic and sized like ActivityNet-1.3 validation. Compared with a plain restatement
of the same definition (one detection at a time, NumPy per video), run on the same data in full, and
with the figure that was recorded for the evaluator of OpenTAD (commit 3dd7b032) on two cores of an
AMD EPYC: 17.9 s with 16 workers, reading of the files (0.45 s) included.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np
from mmengine.logging import MMLogger

from mmtad.evaluation import evaluate_detections

PEER_SECONDS = 17.9


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


def plain_restatement(ground_truth: dict, predictions: dict, thresholds: list[float]) -> float:
    """The definition written down directly, without any thought of speed."""
    actions = defaultdict(lambda: defaultdict(list))
    for video, info in ground_truth["database"].items():
        for annotation in info["annotations"]:
            actions[annotation["label"]][video].append(annotation["segment"])
    detections = defaultdict(list)
    for video, items in predictions["results"].items():
        for item in items:
            detections[item["label"]].append((item["score"], video, item["segment"]))
    means = []
    for label, by_video in actions.items():
        found = sorted(detections[label], key=lambda item: -item[0])
        total = sum(len(segments) for segments in by_video.values())
        taken = {(t, v): [False] * len(s) for t in thresholds for v, s in by_video.items()}
        for threshold in thresholds:
            hits = np.zeros(len(found))
            for rank, (_, video, (start, end)) in enumerate(found):
                if video not in by_video:
                    continue
                candidates = np.array(by_video[video])
                inter = np.minimum(candidates[:, 1], end) - np.maximum(candidates[:, 0], start)
                inter = inter.clip(0)
                overlap = inter / (candidates[:, 1] - candidates[:, 0] + end - start - inter)
                for best in np.argsort(-overlap):
                    if overlap[best] < threshold:
                        break
                    if not taken[threshold, video][best]:
                        taken[threshold, video][best] = True
                        hits[rank] = 1
                        break
            precision = hits.cumsum() / np.arange(1, len(found) + 1)
            envelope = np.maximum.accumulate(precision[::-1])[::-1]
            means.append((hits * envelope).sum() / total)
    return float(np.mean(means))


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
    parser.add_argument("--seed", type=int, default=0, help="seed of the data")
    args = parser.parse_args()

    MMLogger.get_current_instance().setLevel("ERROR")
    thresholds = np.linspace(0.5, 0.95, 10).round(2).tolist()
    data = make_data(args.videos, args.per_video, args.classes, args.seed)
    with tempfile.TemporaryDirectory() as cache:
        compiling = first_call({**os.environ, "NUMBA_CACHE_DIR": cache})
    first_call()
    print(f"first call in a new process: {compiling:.2f} s compiling, {first_call():.2f} s cached")
    result = evaluate_detections(*data, thresholds)["mAP"]
    ours = Stopwatch(lambda: evaluate_detections(*data, thresholds))
    plain = Stopwatch(lambda: plain_restatement(*data, thresholds))
    for _ in range(args.repeats):  # in turns, so that both meet the same load of the machine
        plain_result = plain.run()
        for _ in range(3):
            ours.run()
    print(f"mmtad:             {ours}; checks of the loaded dicts included")
    wall, cpu = (
        statistics.median(getattr(plain, kind)) / statistics.median(getattr(ours, kind))
        for kind in ("wall", "cpu")
    )
    print(f"plain restatement: {plain}; {wall:.0f} times as long (CPU: {cpu:.0f} times)")
    print(f"mAP {100 * result:.4f} %, plain restatement {100 * plain_result:.4f} %")
    if (args.videos, args.per_video, args.classes) == (1000, 100, 200):
        print(
            f"recorded peer:     {PEER_SECONDS} s (other data of the same size, reading included)"
        )


if __name__ == "__main__":
    main()
