"""Check the papers' claims in miniature: small detectors on generated videos or features, on a CPU.

    python tools/benchmarks/miniature.py adatad                   # everything, five seeds
    python tools/benchmarks/miniature.py adatad --seeds 0 --variants frozen inside
    python tools/benchmarks/miniature.py adatad --show            # only print what is there
    python tools/benchmarks/miniature.py adatad --quick           # see that it works, no results
    python tools/benchmarks/miniature.py queries                  # detectors with queries, features

A group holds variants of detectors. For each seed, the videos or features are made and a tiny
backbone, where there is one, is pre-trained once; every variant of that seed starts from both.
Finished runs are kept in the work dir, so a benchmark that was interrupted goes on where it
stopped, and a variant whose settings were changed in miniature_groups.py is run again.

The first table has mean and standard deviation over the seeds of the average mAP (tIoU
0.3:0.1:0.7); the last compares variants seed by seed, which cancels what a seed makes easier or
harder for all of them.
"""

import argparse
import json
import os
import sys
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from miniature_groups import GROUPS
from miniature_runs import Job, follow_parent, run
from miniature_tables import make_tables
from mmengine.logging import MMLogger
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mmtad.apis.cli import run_cli

METRIC = "mAP"


def make_data(jobs: list[Job], pool: ProcessPoolExecutor, progress: Progress) -> None:
    """Write the videos of every seed that are not there yet."""
    wanted = {job.data_dir: job for job in jobs}
    missing = {
        path: job for path, job in wanted.items() if not job.generator.is_finished(path, job.spec)
    }
    task = progress.add_task("videos", total=len(wanted), completed=len(wanted) - len(missing))
    made = [
        pool.submit(job.generator.make_dataset, path, job.spec) for path, job in missing.items()
    ]
    for future in as_completed(made):
        future.result()
        progress.advance(task)


def run_all(jobs: list[Job], pool: ProcessPoolExecutor, progress: Progress, title: str) -> int:
    """Run what is not finished yet; returns the number of runs that failed."""
    waiting = [job for job in jobs if job.result is None]
    task = progress.add_task(title, total=len(jobs), completed=len(jobs) - len(waiting))
    futures: dict[Future, Job] = {pool.submit(run, job): job for job in waiting}
    failures = 0
    for future in as_completed(futures):
        job = futures[future]
        if error := future.exception():
            failures += 1
            progress.console.print(
                f"failed: {job}: {error!r}; see {job.folder / 'log.txt'}",
                style="red",
                soft_wrap=True,
                markup=False,
            )
        else:
            name = METRIC if METRIC in job.result["metrics"] else "acc/top1"
            progress.console.print(
                f"{job}: {name} {100 * job.result['metrics'][name]:.1f} "
                f"after {job.result['seconds']:.0f} s"
            )
        progress.advance(task)
    return failures


def run_group(jobs: list[Job], args: argparse.Namespace, console: Console) -> int:
    """Make videos and backbones, then train every variant; returns the number of failures."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    pretraining = list({job.seed: job.pretraining for job in jobs if job.pretraining}.values())
    with (
        Progress(*columns, TimeElapsedColumn(), console=console) as progress,
        ProcessPoolExecutor(args.jobs, get_context("spawn"), follow_parent) as pool,
    ):
        try:
            make_data(jobs, pool, progress)
            failures = run_all(pretraining, pool, progress, "backbones")
            ready = [job for job in jobs if not job.pretraining or job.pretraining.result]
            return failures + run_all(ready, pool, progress, "detectors")
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        except BrokenExecutor as error:
            raise OSError(
                "a training process was ended from outside, perhaps for want of memory; the same "
                "command goes on with what is missing, --jobs 1 takes the least memory"
            ) from error


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("group", choices=GROUPS, help="what to compare")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="(0 to 4)")
    names = "; ".join(f"{name}: {', '.join(group.variants)}" for name, group in GROUPS.items())
    parser.add_argument("--variants", nargs="+", help=f"some of the group's ({names})")
    parser.add_argument(
        "--work-dir", default="work_dirs/miniature", help="videos and runs (default: %(default)s)"
    )
    parser.add_argument("--out", help="json file for the results of the runs in the table")
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        help="runs at a time, which share the cores; as many as there are cores is the fastest in "
        "all, but each run takes longer (default: 1)",
    )
    parser.add_argument("--show", action="store_true", help="train nothing, show what is there")
    parser.add_argument("--markdown", action="store_true", help="tables to paste into a document")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a few videos, one epoch, seed 0 and two variants unless given: shows that all works",
    )
    args = parser.parse_args()
    if args.quick:
        args.seeds = args.seeds if "--seeds" in sys.argv else [0]
        args.variants = args.variants or list(GROUPS[args.group].variants)[:2]
    known = GROUPS[args.group].variants
    args.variants = args.variants or list(known)
    if unknown := set(args.variants) - set(known):
        parser.error(f"unknown variants {sorted(unknown)}; {args.group} has {', '.join(known)}")
    if args.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {args.jobs}")
    return args


def main() -> None:
    """Run what is missing and print the tables."""
    args = parse_args()
    console = Console(width=200 if args.markdown else None)  # one line a row
    MMLogger.get_current_instance().setLevel("ERROR")  # says which variables a config reads
    work_dir = os.path.abspath(args.work_dir)
    cores = int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))
    threads = max(1, cores // args.jobs)
    jobs = [
        Job(args.group, variant, seed, args.quick, work_dir, threads)
        for seed in dict.fromkeys(args.seeds)
        for variant in dict.fromkeys(args.variants)
    ]
    failures = 0
    try:
        if not args.show:
            failures = run_group(jobs, args, console)
    except KeyboardInterrupt:
        console.print("interrupted; the same command goes on with what is missing")
        failures = 1
    results = [result for job in jobs if (result := job.result)]
    if not results:
        raise ValueError(f"there are no finished runs of {args.group} in {args.work_dir}")
    for table in make_tables(args.group, results, box.MARKDOWN if args.markdown else box.SIMPLE):
        console.print(table)
    if len(results) < len(jobs):
        console.print(f"{len(jobs) - len(results)} of {len(jobs)} runs are missing")
    if args.out:
        content = dict(group=args.group, quick=args.quick, runs=results)
        Path(args.out).write_text(json.dumps(content, indent=1) + "\n")
    if failures:
        sys.exit(1)


if __name__ == "__main__":
    sys.exit(run_cli(main))
