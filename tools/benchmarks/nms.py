"""Time suppression and voting beside the plain quadratic algorithm, on clustered segments.

Both are compiled by numba, get the same data and must keep the same segments. The last column was
recorded elsewhere: the compiled C++ of OpenTAD (commit 3dd7b032), wall time on the same kind of
machine, two cores of an AMD EPYC, on other data of the same sizes and make-up.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from mmtad.ops import batched_nms, segment_voting

SIGMA, IOU_THRESHOLD, VOTING_THRESHOLD = 0.5, 0.5, 0.7


@dataclass(frozen=True)
class Case:
    """One row of the table; ``size`` is the number of segments per class."""

    name: str
    classes: int
    size: int
    recorded_ms: float | None = None
    max_total: int | None = 2000
    method: str = "gaussian"
    min_score: float = 0.001
    voting: bool = False


CASES = [
    Case("soft, 20 classes x 100, cap 2000", 20, 100, 1.33),
    Case("hard, 20 classes x 100, tIoU 0.5", 20, 100, method="nms"),
    Case("soft, one group of 10", 1, 10),
    Case("soft, one group of 200", 1, 200),
    Case("hard, one group of 200, tIoU 0.5", 1, 200, method="nms"),
    Case("soft, one group of 2,000", 1, 2000, 4.55),
    Case("soft, 20 classes x 2,000, cap 2000", 20, 2000, 130),
    Case("soft, 20 classes x 2,000, cap 200", 20, 2000, 130, max_total=200),
    Case("soft, one group of 10,000, cap 2000", 1, 10000, 110),
    Case("soft, one group of 10,000, cap 200", 1, 10000, 120, max_total=200),
    Case("soft, one group of 10,000, no cap", 1, 10000, 110, max_total=None),
    Case("  same, nothing dropped", 1, 10000, 229, max_total=None, min_score=0.0),
    Case("hard, one group of 10,000, tIoU 0.5", 1, 10000, 9.9, max_total=None, method="nms"),
    Case("soft, one group of 2,000, voting 0.7", 1, 2000, 25.9, voting=True),
]


def make_data(case: Case, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """About 12 segments around each of ``size / 12`` places per class, in no order."""
    rng = np.random.default_rng(seed)
    total = case.classes * case.size
    clusters = max(1, case.size // 12)
    labels = rng.permutation(np.repeat(np.arange(case.classes), case.size))
    cluster = labels * clusters + rng.integers(clusters, size=total)
    places = rng.uniform(0, 10 * clusters, size=case.classes * clusters)[cluster]
    widths = rng.uniform(2, 20, size=case.classes * clusters)[cluster]
    centers = places + rng.normal(0, 0.2, size=total) * widths
    widths = widths * np.exp(rng.normal(0, 0.3, size=total))
    segments = np.stack([centers - widths / 2, centers + widths / 2], axis=1)
    scores = (rng.permutation(total) + 1) / (total + 1)  # no two alike
    return (
        torch.from_numpy(segments).float(),
        torch.from_numpy(scores).float(),
        torch.tensor(labels),
    )


@numba.njit(nogil=True)
def quadratic_group(segments, scores, hard, min_score):
    """Take the best, compare it with all that are left, drop in place; indices in order."""
    left = np.flatnonzero(scores >= min_score)
    size, kept = len(left), 0
    keep, values = np.empty(size, np.int64), np.empty(size, np.float32)
    eps, sigma, threshold = np.float32(1e-6), np.float32(SIGMA), np.float32(IOU_THRESHOLD)
    while size > 0:
        place = 0
        for i in range(1, size):
            if scores[left[i]] > scores[left[place]]:
                place = i
        best = left[place]
        size -= 1
        left[place] = left[size]
        keep[kept], values[kept] = best, scores[best]
        kept += 1
        start, end = segments[best, 0], segments[best, 1]
        i = 0
        while i < size:
            j = left[i]
            inter = min(end, segments[j, 1]) - max(start, segments[j, 0])
            inter = max(inter, np.float32(0))
            iou = inter / (end - start + eps + (segments[j, 1] - segments[j, 0] + eps) - inter)
            if hard:
                dropped = iou >= threshold
            else:
                scores[j] *= np.exp(-(iou * iou) / sigma)
                dropped = scores[j] < min_score
            if dropped:
                size -= 1
                left[i] = left[size]
            else:
                i += 1
    return keep[:kept], values[:kept]


def quadratic(case: Case, segments: Tensor, scores: Tensor, labels: Tensor) -> tuple:
    """Class by class, then sorted and cut; voting by one matrix."""
    keeps, values = [], []
    for label in np.unique(labels.numpy()):
        members = np.flatnonzero(labels.numpy() == label)
        keep, lowered = quadratic_group(
            segments.numpy()[members],
            scores.numpy()[members],
            case.method == "nms",
            np.float32(case.min_score),
        )
        keeps.append(members[keep])
        values.append(lowered)
    keep, merged = np.concatenate(keeps), np.concatenate(values)
    best = np.lexsort((keep, -merged))[: case.max_total]
    keep = torch.from_numpy(keep[best])
    kept = segments[keep]
    if case.voting:
        inter = torch.minimum(kept[:, None, 1], segments[:, 1])
        inter = (inter - torch.maximum(kept[:, None, 0], segments[:, 0])).clamp(min=0)
        lengths = segments[:, 1] - segments[:, 0]
        iou = inter / (lengths[keep][:, None] + lengths - inter)
        weights = (iou >= VOTING_THRESHOLD) * scores
        kept = weights @ segments / weights.sum(1, keepdim=True)
    return keep, torch.from_numpy(merged[best]), kept


def ours(case: Case, segments: Tensor, scores: Tensor, labels: Tensor) -> tuple:
    """The package's way."""
    keep, lowered = batched_nms(
        segments,
        scores,
        labels,
        case.method,
        class_agnostic=case.classes == 1,
        iou_threshold=IOU_THRESHOLD,
        sigma=SIGMA,
        min_score=case.min_score,
        max_total=case.max_total,
    )
    kept = segments[keep]
    if case.voting:
        kept = segment_voting(kept, segments, scores, VOTING_THRESHOLD)
    return keep, lowered, kept


def median_ms(function: Callable[[], object], runs: int, clock: Callable[[], float]) -> float:
    """Median time of some runs in milliseconds."""
    times = []
    for _ in range(runs):
        start = clock()
        function()
        times.append(1000 * (clock() - start))
    return statistics.median(times)


FIRST_CALL = """
import time
import torch
from mmtad.ops import batched_nms
imported = time.perf_counter()
batched_nms(torch.rand(9, 2), torch.rand(9), torch.zeros(9))
print(time.perf_counter() - imported)
"""


def first_call_seconds(cache: str) -> float:
    """Seconds of the first call in a new process that keeps machine code in the given folder."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    command = [sys.executable, "-c", FIRST_CALL]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=7, help="timed runs per median")
    parser.add_argument("--rounds", type=int, default=3, help="medians; the best is reported")
    parser.add_argument("--seed", type=int, default=0, help="seed of the data")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of segments")
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="count CPU instead of wall time, for a machine that does other things meanwhile",
    )
    parser.add_argument(
        "--first-call", action="store_true", help="also time the first call of a process"
    )
    args = parser.parse_args()
    if args.runs < 1 or args.rounds < 1 or not 0 < args.scale <= 10:
        parser.error("--runs and --rounds must be at least 1 and --scale in (0, 10]")

    clock, kind = time.perf_counter, "wall"
    if args.cpu_time:
        clock, kind = time.thread_time, "CPU"
    table = Table(
        title=f"best of {args.rounds} medians of {args.runs} runs, {kind} milliseconds, float32"
    )
    for column in ("case", "kept", "mmtad", "quadratic", "quadratic / mmtad", "C++ of OpenTAD"):
        table.add_column(column, justify="left" if column == "case" else "right")
    for case in CASES:
        size = max(1, int(case.size * args.scale))
        data = make_data(Case(**{**vars(case), "size": size}), args.seed)
        (keep, *_), (plain_keep, *_) = ours(case, *data), quadratic(case, *data)
        if not torch.equal(keep, plain_keep):
            raise SystemExit(f"{case.name}: the two ways keep different segments")
        fast, slow = [], []
        for _ in range(args.rounds):
            fast.append(median_ms(lambda c=case, d=data: ours(c, *d), args.runs, clock))
            slow.append(median_ms(lambda c=case, d=data: quadratic(c, *d), args.runs, clock))
        best, plain = min(fast), min(slow)
        figures = [f"{best:.2f}", f"{plain:.2f}", f"{plain / best:.1f}"]
        recorded = f"{case.recorded_ms:g}" if case.recorded_ms and args.scale == 1 else "-"
        table.add_row(case.name, str(len(keep)), *figures, recorded)
    console = Console()
    console.print(table)
    if args.first_call:
        with tempfile.TemporaryDirectory() as cache:
            compiling = first_call_seconds(cache)
            console.print(
                f"first call of a process: {compiling:.2f} s with compilation, "
                f"{first_call_seconds(cache):.2f} s with the machine code on disk"
            )


if __name__ == "__main__":
    main()
