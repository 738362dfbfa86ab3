"""Watching the diversity of attention in validation and test."""

import json
from contextlib import ExitStack
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmtad.models.layers.attention_recorder import (
    AttentionRecord,
    attention_modules,
    record_attention,
)
from mmtad.registry import HOOKS

from .attention_summary import AttentionSummary


@HOOKS.register_module()
class AttentionDiversityHook(Hook):
    """Logs d(A) of every attention layer in validation and test, and draws attention maps.

    Scalars are ``diversity/{encoder|decoder|cross}_{layer}``, layers from 1, beside the metrics of
    the loop. Under ``{work_dir}/attention/{epoch_N|test}`` lie ``diversity.json``, and pictures of
    d(A) by layer and of the maps of the first window. docs/attention.md says how to read them. A
    model without such layers, as ActionFormer, is warned about and evaluated as always.

    Args:
        num_batches: Batches that are looked at, from the first one; while it looks, attention is
            not fused and so slower.
        centre: See :func:`mmtad.ops.attention_diversity.attention_diversity`.
        heads: See :class:`AttentionSummary`.
        draw: Draw pictures.
        interval: Look at every n-th validation.

    Raises:
        ValueError: If a number is below 1 or an option is unknown.
    """

    priority = "NORMAL"  # before the logger

    def __init__(
        self,
        num_batches: int = 8,
        centre: str = "median",
        heads: str = "average",
        draw: bool = True,
        interval: int = 1,
    ) -> None:
        for name, value in (("num_batches", num_batches), ("interval", interval)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        AttentionSummary(centre, heads)
        self.num_batches = num_batches
        self.options = dict(centre=centre, heads=heads)
        self.draw = draw
        self.interval = interval
        self._validations = 0
        self._stack = ExitStack()
        self._record: AttentionRecord | None = None
        self._summary: AttentionSummary | None = None

    def before_val_epoch(self, runner: Runner) -> None:
        """Start to listen."""
        if self._validations % self.interval == 0:
            self._start(runner)
        self._validations += 1

    def before_test_epoch(self, runner: Runner) -> None:
        """Start to listen."""
        self._start(runner)

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Take in the maps of a batch."""
        self._take(batch_idx)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Take in the maps of a batch."""
        self._take(batch_idx)

    def after_val_epoch(self, runner: Runner, metrics=None) -> None:
        """Log and draw."""
        self._finish(runner, "val", f"epoch_{runner.epoch}")

    def after_test_epoch(self, runner: Runner, metrics=None) -> None:
        """Log and draw."""
        self._finish(runner, "test", "test")

    def _start(self, runner: Runner) -> None:
        self._stack.close()  # of an evaluation that was cut short
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not attention_modules(model):
            runner.logger.warning(
                f"no module of {type(model).__name__} can show its attention map, so "
                "AttentionDiversityHook has nothing to look at; take it out of custom_hooks"
            )
            return
        self._record = self._stack.enter_context(record_attention(model))
        self._summary = AttentionSummary(**self.options)

    def _take(self, batch_idx: int) -> None:
        if self._record is None or self._summary is None:
            return
        self._summary.add(self._record.maps)
        self._record.clear()
        if batch_idx + 1 >= self.num_batches:
            self._stack.close()
            self._record = None

    def _finish(self, runner: Runner, mode: str, folder: str) -> None:
        self._stack.close()
        self._record, summary, self._summary = None, self._summary, None
        if summary is None or not summary.means():
            return
        summary.reduce()
        for kind, values in summary.means().items():
            for layer, value in enumerate(values, start=1):
                runner.message_hub.update_scalar(f"{mode}/diversity/{kind}_{layer}", value)
        if is_main_process():
            out = Path(runner.work_dir) / "attention" / folder
            save_summary(summary, out, runner.experiment_name, self.draw)


def save_summary(summary: AttentionSummary, out: Path, name: str, draw: bool = True) -> None:
    """Write ``diversity.json`` and, if asked for, the pictures of one model.

    Args:
        summary: Of one model.
        out: Folder, made if it does not exist.
        name: What to call the model.
        draw: Draw pictures.
    """
    out.mkdir(parents=True, exist_ok=True)
    numbers = dict(centre=summary.centre, heads=summary.heads, **summary.numbers())
    (out / "diversity.json").write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    if not draw:
        return
    # The floor of this package lies beside that of the pictures; only this function needs both.
    from mmtad.visualization.attention_plots import draw_attention_maps, draw_diversity

    draw_diversity({name: summary.means()}, {name: summary.deviations()}, summary.centre).savefig(
        out / "diversity.png"
    )
    for kind, maps in summary.examples.items():
        draw_attention_maps({name: maps}, kind).savefig(out / f"maps_{kind}.png")
