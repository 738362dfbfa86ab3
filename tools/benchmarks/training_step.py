"""Real training steps of configs on a GPU: peak memory, beside the planned one, and time.

    python tools/benchmarks/training_step.py configs/adatad/adatad_videomae-s_*thumos14*.py

Random frames and weights; the whole step: copy to the GPU, forward, losses, backward, clipping,
optimiser and averaging. Each config runs in a process of its own.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from mmengine.config import Config, DictAction
from mmengine.logging import MMLogger
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from rich.console import Console
from rich.table import Table

from mmtad.apis.memory_plan import BatchShape, batch_shape, plan_memory
from mmtad.engine.ema import trainable_view
from mmtad.registry import MODELS
from mmtad.structures import TADDataSample, TemporalGrid

GIB = 2**30


def make_batch(shape: BatchShape, classes: int) -> dict[str, Any]:
    """A batch as the loader collates it, with a few random actions in every sample."""
    inputs = shape()["inputs"]
    samples = []
    for tensor in inputs:
        tensor.random_(0, 256) if tensor.dtype is torch.uint8 else tensor.normal_()
        grid = TemporalGrid(0.0, 0.1, shape.steps, shape.steps / 10)
        sample = TADDataSample(metainfo=dict(video_id="random", grid=grid, window_index=0))
        starts = torch.rand(8, 1) * shape.steps * 0.8
        sample.gt_instances = InstanceData(
            segments=torch.cat((starts, starts + shape.steps * 0.1), dim=1),
            labels=torch.randint(0, classes, (8,)),
        )
        samples.append(sample)
    masks = [torch.ones(shape.steps, dtype=torch.bool) for _ in inputs]
    return dict(inputs=inputs, masks=masks, data_samples=samples)


def measure(cfg: Config, samples: int | None, steps: int) -> dict[str, float]:
    """Train for a few steps; peak of live tensors and of the allocator, and time per step."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with DefaultScope.overwrite_default_scope(cfg.get("default_scope", "mmtad")):
        model = MODELS.build(cfg.model).to(device).train()
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    average = ExponentialMovingAverage(trainable_view(model)[0], momentum=0.001)
    batch = make_batch(batch_shape(cfg, samples), cfg.model.head.num_classes)
    times = []
    for _ in range(steps):
        if device.type == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        model.train_step(batch, wrapper)
        average.update_parameters(trainable_view(model)[0])
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    found = dict(seconds=median(times[1:] or times))
    if device.type == "cuda":
        found["peak"] = torch.cuda.max_memory_allocated()
        found["reserved"] = torch.cuda.max_memory_reserved()
    return found


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("configs", nargs="+", help="configs to train")
    parser.add_argument("--batch-size", type=int, help="samples instead of the config's")
    parser.add_argument("--steps", type=int, default=4, help="the first one is not timed")
    parser.add_argument("--no-plan", action="store_true", help="leave the prediction out")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="override the configs")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def in_own_process(config: str) -> dict[str, float] | None:
    """Run this tool on one config; None if it fails."""
    arguments = [a for a in sys.argv[1:] if a not in parse_args().configs]
    command = [sys.executable, __file__, config, *arguments, "--alone"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        Console(stderr=True).print(f"{config}: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Measure every config and print one row for each."""
    args = parse_args()
    MMLogger.get_instance("training_step", log_level="ERROR")
    if args.alone:
        cfg = Config.fromfile(args.configs[0])
        cfg.merge_from_dict(args.cfg_options or {})
        found = measure(cfg, args.batch_size, args.steps)
        if not args.no_plan:
            found["planned"] = plan_memory(cfg, args.batch_size).peak.total
        print(json.dumps(found))
        return
    table = Table(title=torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU")
    table.add_column("config")
    for title in ("planned", "measured", "ratio", "reserved", "step"):
        table.add_column(title, justify="right")
    for config in args.configs:
        found = in_own_process(config)
        if found is None:
            continue
        sizes = [found.get(key) for key in ("planned", "peak", "reserved")]
        cells = ["-" if size is None else f"{size / GIB:.2f} GiB" for size in sizes]
        ratio = "-" if None in sizes[:2] else f"{sizes[0] / sizes[1]:.2f}"
        table.add_row(Path(config).stem, *cells[:2], ratio, cells[2], f"{found['seconds']:.3f} s")
    Console(width=180).print(table)


if __name__ == "__main__":
    main()
