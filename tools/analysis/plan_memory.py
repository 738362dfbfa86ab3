"""Predict the peak training memory of a config on one GPU, without a GPU and without data."""

import argparse
import logging
import sys
import warnings

from rich.console import Console
from rich.table import Table

import mmtad  # noqa: F401  (mends the installed stack)
from mmtad.apis.cli import add_config_overrides, read_config, run_cli
from mmtad.apis.fake_run import AVERAGE, FROZEN, GRADIENTS, INPUTS, SAVED, STATE, WEIGHTS
from mmtad.apis.memory_plan import (
    CONTEXT,
    GIB,
    as_options,
    batch_shape,
    plan_memory,
    try_switches,
)
from mmtad.apis.storage_log import TEMPORARY

ORDER = (FROZEN, WEIGHTS, GRADIENTS, STATE, AVERAGE, INPUTS, SAVED, TEMPORARY)


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file that is to be trained")
    parser.add_argument(
        "--gpu-memory",
        type=float,
        metavar="GIB",
        help="memory of the GPU; where the config does not fit, switches are tried until it does",
    )
    parser.add_argument("--batch-size", type=int, help="samples per GPU instead of the config's")
    parser.add_argument(
        "--switches", action="store_true", help="try all switches, whether or not they are needed"
    )
    add_config_overrides(parser)
    args = parser.parse_args()
    if args.gpu_memory is not None and args.gpu_memory <= 0:
        parser.error(f"--gpu-memory must be positive, got {args.gpu_memory}")
    return args


def amount(size: float) -> str:
    """Bytes for a reader."""
    return f"{size / GIB:.2f} GiB" if size >= 0.1 * GIB else f"{size / 2**20:.1f} MiB"


def show(memory, console: Console) -> None:
    """Print what is live at the peak."""
    table = Table(title="at the peak", title_justify="left", show_edge=False)
    table.add_column("what")
    table.add_column("memory", justify="right")
    table.add_column("of it")
    notes = {
        kind: ", ".join(
            f"{dtype} {amount(size)}"
            for (of, dtype), size in memory.weights.items()
            if of == kind and size > 0.001 * memory.peak.kinds[kind]
        )
        for kind in (FROZEN, WEIGHTS)
    }
    notes[GRADIENTS] = f"{amount(memory.gradients)} after the backward pass"
    notes[SAVED] = f"kept for the backward pass, {amount(memory.saved)} when it begins"
    if memory.offloaded:
        notes[SAVED] += f"; {amount(memory.offloaded)} more in the memory of the CPU"
    for kind in ORDER:
        if memory.peak.kinds[kind] or kind in (GRADIENTS, SAVED):
            table.add_row(kind, amount(memory.peak.kinds[kind]), notes.get(kind, ""))
    table.add_section()
    phase, module = memory.peak.place
    table.add_row(
        "all tensors", amount(memory.peak.total), " of ".join(filter(None, (phase, module)))
    )
    table.add_row("allowance", amount(CONTEXT), "CUDA context and libraries, not predicted")
    table.add_row("whole", amount(memory.peak.total + CONTEXT))
    console.print(table)


def search(cfg, args: argparse.Namespace, memory, console: Console) -> None:
    """Try switches and print what to add to the command."""
    limit = None if args.gpu_memory is None else args.gpu_memory * GIB - CONTEXT
    chosen = []
    console.print("\nSwitches, each with those before it:")
    for switch, after, helps in try_switches(
        cfg, args.batch_size, memory, None if args.switches else limit
    ):
        name = as_options([switch])
        if after is None:
            console.print(f"  {name}: not with this config")
            continue
        verdict = "" if helps else ", hardly less: left off"
        console.print(f"  {name}: {amount(after.peak.total + CONTEXT)}{verdict}")
        if helps:
            chosen.append(switch)
            memory = after
    if limit is not None and memory.peak.total > limit:
        console.print(
            f"It needs {amount(memory.peak.total + CONTEXT)} at least: take fewer or smaller "
            "frames, a smaller --batch-size or a smaller backbone"
        )
    if chosen:
        console.print(f"\n--cfg-options {as_options(chosen)}", soft_wrap=True)


def main() -> None:
    """Plan, print, and try switches where they are needed."""
    args = parse_args()
    cfg = read_config(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    console = Console(highlight=False, markup=False)
    if not cfg.get("model"):
        raise ValueError(f"{args.config} has no model")
    console.print(f"{batch_shape(cfg, args.batch_size)}; planning takes up to two minutes")
    memory = plan_memory(cfg, args.batch_size)
    show(memory, console)
    console.print(
        f"On several GPUs, DDP adds buckets as large as the gradients: {amount(memory.gradients)}."
    )
    fits = True
    if args.gpu_memory is not None:
        fits = memory.peak.total + CONTEXT <= args.gpu_memory * GIB
        console.print(f"{'Fits' if fits else 'Does not fit'} into {args.gpu_memory:g} GiB.")
    if args.switches or not fits:
        search(cfg, args, memory, console)


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # nothing is trained, so what is said of training can wait
    warnings.simplefilter("ignore")
    sys.exit(run_cli(main))
