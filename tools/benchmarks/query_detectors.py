"""Speed of the detectors with queries: inference, training steps and the matcher, on this machine.

    python tools/benchmarks/query_detectors.py
    python tools/benchmarks/query_detectors.py inference --size 224 --rounds 3

``inference``: one window of 256 frames at 96 x 96 through SlowFast-R50 and each of SP-TAD,
DAB-DETR, TadTR and ActionFormer, from their configs, with random weights; the whole, and what is
left of it when the features are there already. ``step``: forward, backward, clipping and AdamW on a
batch of 16 windows of 128 features, eight actions each, with the detectors' own sizes. ActionFormer
has global attention on windows of that length. ``matcher``: 16 windows of 40 queries. Times are
medians over rounds in which all take turns, so that a busy machine slows them alike.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from rich.console import Console
from rich.table import Table
from torch import nn

from mmtad.models.task_modules import HungarianMatcher, SetTargets
from mmtad.registry import MODELS, TASK_UTILS
from mmtad.structures import TADDataSample, TemporalGrid

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
ON_FRAMES = {
    "SP-TAD": "sp_tad/sp-tad_slowfast-r50_256x1-96_16e_thumos14-rgb.py",
    "DAB-DETR": "dab_detr/dab-detr_slowfast-r50_256x1-96_16e_thumos14-rgb.py",
    "TadTR": "tadtr/tadtr_slowfast-r50_256x1-96_16e_thumos14-rgb.py",
    "ActionFormer": "adatad/fullft_slowfast-r50_actionformer_768x4-160_60e_thumos14-rgb.py",
}
ON_FEATURES = {
    "SP-TAD": "sp_tad/sp-tad_i3d_128x4_16e_thumos14.py",
    "DAB-DETR": "dab_detr/dab-detr_i3d_128x4_120e_thumos14.py",
    "Self-DETR": "self_detr/self-detr_i3d_128x4_120e_thumos14.py",
    "TadTR": "tadtr/tadtr_i3d_128x4_120e_thumos14.py",
    "ActionFormer": "actionformer/actionformer_i3d_2304x4_35e_thumos14.py",
}
CLASSES, ACTIONS = 20, 8
PARTS = ("inference", "step", "matcher")


def random_batch(inputs: list[torch.Tensor], steps: int) -> dict:
    """A batch of windows of a second per step, with actions."""
    generator = torch.Generator().manual_seed(0)
    samples = []
    for _ in inputs:
        grid = TemporalGrid(origin=0.0, step=1.0, length=steps, duration=float(steps))
        sample = TADDataSample(metainfo=dict(video_id="v", grid=grid))
        ends = torch.rand(ACTIONS, 2, generator=generator).sort(1).values * steps
        labels = torch.randint(0, CLASSES, (ACTIONS,), generator=generator)
        sample.gt_instances = InstanceData(segments=ends, labels=labels)
        samples.append(sample)
    masks = [torch.ones(steps, dtype=torch.bool)] * len(inputs)
    return dict(inputs=inputs, masks=masks, data_samples=samples)


def fit(model: dict, steps: int) -> dict:
    """The same detector for windows of so many steps; attention that was local sees all of them."""
    if "max_seq_len" in (model.get("projection") or {}):
        model["projection"].update(max_seq_len=steps, window=-1)
    return model


def frames_detector(name: str, frames: int, size: int) -> dict[str, Callable[[], None]]:
    """``{what is timed: call}`` of a detector on one window of frames."""
    config = Config.fromfile(CONFIGS / ON_FRAMES[name])
    steps = frames // config.val_dataloader.dataset.get("frames_per_step", 1)
    model = MODELS.build(fit(config.model, steps)).eval()
    suppress = TASK_UTILS.build(config.val_evaluator.post_processor)
    clip = torch.randint(0, 256, (3, frames, size, size), dtype=torch.uint8)
    batch = model.data_preprocessor(random_batch([clip], steps), False)
    features = model.backbone(batch["inputs"], steps, prepare=model.data_preprocessor.normalize)
    encode = model.backbone.forward

    def whole() -> None:
        model.backbone.forward = encode
        (found,) = model(**batch, mode="predict")
        suppress([found.pred_instances], duration=float(steps))

    def rest() -> None:
        model.backbone.forward = lambda *_, **__: features
        (found,) = model(**batch, mode="predict")
        suppress([found.pred_instances], duration=float(steps))

    return {"whole": whole, "rest": rest}


def feature_step(name: str, batch_size: int, steps: int) -> Callable[[], None]:
    """One training step of a detector on random features."""
    config = Config.fromfile(CONFIGS / ON_FEATURES[name])
    model = MODELS.build(fit(config.model, steps)).train()
    features = [torch.randn(2048, steps) for _ in range(batch_size)]
    batch = model.data_preprocessor(random_batch(features, steps), True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        losses = model(**batch, mode="loss")
        model.parse_losses(losses)[0].backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        optimizer.zero_grad()

    return step


def matching(layers: int, batch_size: int = 16, queries: int = 40) -> Callable[[], None]:
    """One call of the matcher with 1 to 15 actions a window."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(layers, batch_size, queries, CLASSES, generator=generator)
    segments = torch.rand(layers, batch_size, queries, 2, generator=generator)
    targets = []
    for _ in range(batch_size):
        count = int(torch.randint(1, 16, (), generator=generator))
        ends = torch.rand(count, 2, generator=generator).sort(1).values
        labels = torch.randint(0, CLASSES, (count,), generator=generator)
        targets.append(SetTargets(ends, nn.functional.one_hot(labels, CLASSES).float()))
    matcher = HungarianMatcher()
    return lambda: matcher(logits, segments, targets)


def take_turns(calls: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Median seconds of each call after one round of warm-up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(-1, rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if number >= 0:
                times[name].append(time.perf_counter() - start)
    return {name: median(found) for name, found in times.items()}


def show(title: str, columns: tuple[str, ...], rows: dict[str, list[str]]) -> None:
    """Print a table."""
    table = Table(title=title)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    for name, cells in rows.items():
        table.add_row(name, *cells)
    Console().print(table)


def time_inference(names: list[str], frames: int, size: int, rounds: int) -> None:
    """Time detectors on frames and print the table."""
    with torch.inference_mode():
        calls = {
            (name, what): call
            for name in names
            for what, call in frames_detector(name, frames, size).items()
        }
        times = take_turns(calls, rounds)
    rows = {}
    for name in names:
        whole, rest = times[name, "whole"], times[name, "rest"]
        rates = (f"{frames / whole:.0f}", f"{1000 * rest:.1f} ms", f"{frames / rest:.0f}")
        rows[name] = [f"{whole:.2f} s", *rates]
    columns = ("detector", "window", "frames/s", "without backbone", "frames/s")
    show(f"Inference, {frames} frames at {size} x {size}, suppression included", columns, rows)


def time_steps(names: list[str], batch_size: int, steps: int, rounds: int) -> None:
    """Time training steps on features and print the table."""
    times = take_turns({name: feature_step(name, batch_size, steps) for name in names}, rounds)
    base = times.get("DAB-DETR")
    rows = {
        name: [f"{seconds:.2f} s", f"{seconds / base:.2f}" if base else "–"]
        for name, seconds in times.items()
    }
    title = f"One training step, features [{batch_size}, 2048, {steps}]"
    show(title, ("detector", "step", "of DAB-DETR's"), rows)


def time_matcher(rounds: int) -> None:
    """Time the matcher and print the table."""
    times = take_turns({"one layer": matching(1), "4 layers": matching(4)}, rounds)
    rows = {name: [f"{1000 * seconds:.2f} ms"] for name, seconds in times.items()}
    show("Matcher, 16 windows of 40 queries, 20 classes", ("what", "call"), rows)


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)} (all)")
    parser.add_argument("--detectors", nargs="+", help=f"some of {', '.join(ON_FEATURES)} (all)")
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="threads of PyTorch (%(default)s)")
    parser.add_argument("--frames", type=int, default=256, help="frames of a window (%(default)s)")
    parser.add_argument("--size", type=int, default=96, help="height and width (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=16, help="windows a step (%(default)s)")
    parser.add_argument("--steps", type=int, default=128, help="features a window (%(default)s)")
    args = parser.parse_args()
    for name, known in (("parts", PARTS), ("detectors", ON_FEATURES)):
        if unknown := set(getattr(args, name) or ()) - set(known):
            parser.error(f"unknown {name} {sorted(unknown)}; known are {', '.join(known)}")
    for name in ("rounds", "threads", "frames", "size", "batch_size", "steps"):
        if getattr(args, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    return args


def main() -> None:
    """Time the parts and print their tables."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    MMLogger.get_instance("query_detectors", log_level="ERROR")
    parts, wanted = args.parts or PARTS, args.detectors or list(ON_FEATURES)
    with DefaultScope.overwrite_default_scope("mmtad"):
        if "inference" in parts:
            if names := [name for name in wanted if name in ON_FRAMES]:
                time_inference(names, args.frames, args.size, args.rounds)
        if "step" in parts:
            time_steps(wanted, args.batch_size, args.steps, args.rounds)
        if "matcher" in parts:
            time_matcher(30 * args.rounds)


if __name__ == "__main__":
    main()
