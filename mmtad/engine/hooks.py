"""Hooks where the task needs more than MMEngine's own."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import find_latest_checkpoint, set_random_seed

from mmtad.checkpoints import (
    align_keys,
    describe_encoder,
    extract_state_dict,
    load_detector,
)
from mmtad.checkpoints.detector import ENCODER
from mmtad.registry import HOOKS

from .frozen_part import exactly, restore_frozen_part, shared_sha256
from .resuming import check_resumable


def _set_epoch(dataset, epoch: int, seed: int) -> None:
    """Tell a data set, or those within MMEngine's wrappers (concatenated, repeated, balanced)."""
    if hasattr(dataset, "set_epoch"):
        dataset.set_epoch(epoch, seed)
        return
    for inner in getattr(dataset, "datasets", None) or [getattr(dataset, "dataset", None)]:
        if inner is not None:
            _set_epoch(inner, epoch, seed)


@HOOKS.register_module()
class SeedHook(Hook):
    """Seeds every epoch by (seed, epoch, rank), so that an epoch depends on nothing before it.

    A run that was resumed at an epoch boundary thus draws the same numbers as one that was never
    stopped. The data set gets the epoch too, for the generators of its samples.
    """

    priority = "VERY_HIGH"

    def before_train_epoch(self, runner) -> None:
        """Before the loader of the epoch is started, since that draws a seed for its workers."""
        self._seed(runner)
        sampler, dataset = runner.train_dataloader.sampler, runner.train_dataloader.dataset
        if hasattr(sampler, "seed") and not runner._randomness_cfg.get("diff_rank_seed"):
            sampler.seed = runner.seed  # it was built before a resumed seed was known
        _set_epoch(dataset, runner.epoch, runner.seed)

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Once more before the first step.

        Starting a loader draws a number, but one with persistent workers starts once in a run.
        """
        if batch_idx == 0:
            self._seed(runner)

    def _seed(self, runner) -> None:
        mixed = np.random.SeedSequence([runner.seed, runner.epoch, get_rank()])
        set_random_seed(int(mixed.generate_state(1)[0]))


def report_setting(cfg: Mapping[str, Any]) -> tuple[str, float]:
    """Where a config sets ``min_match`` of its ``LoadReportHook``, and the value there."""
    for index, hook in enumerate(cfg.get("custom_hooks") or []):
        if isinstance(hook, Mapping) and str(hook.get("type")).endswith("LoadReportHook"):
            return f"custom_hooks.{index}.min_match", hook.get("min_match", 1.0)
    return "min_match of LoadReportHook in custom_hooks", 1.0


@HOOKS.register_module()
class LoadReportHook(Hook):
    """Refuses a checkpoint that does not fit the model, instead of a line that nobody reads.

    MMEngine loads with ``strict=False``, so a checkpoint of another architecture leaves the model
    at its random weights. This logs one line of matched, missing, unexpected and wrong-shape
    entries and raises below ``min_match``, and whatever that is, if trained adapters would be
    dropped or used otherwise than in their training. For that it records in the ``meta`` of every
    checkpoint what the weights do not tell (:func:`mmtad.checkpoints.describe_encoder`).

    Unless a run is resumed, the weights are found as ``tools/infer.py`` finds them: averaged ones
    first, below any wrapper and prefix.

    Where ``SlimCheckpointHook`` left the frozen backbone out, it is put back first, from its
    pre-trained file. Only entries that were put back count as "not needed from the file".

    Args:
        min_match: Smallest share of the model's entries that must come from the file, 0 to 1.

    Raises:
        ValueError: If too little matches, a frozen backbone cannot be put back, or a run cannot be
            resumed from this checkpoint.
    """

    priority = "VERY_HIGH"

    def __init__(self, min_match: float = 1.0):
        self.min_match = min_match

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Before MMEngine puts the weights into the model."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        source = runner._load_from
        if source is None and runner._resume:
            source = find_latest_checkpoint(runner.work_dir)
        source = source or "the checkpoint"
        if runner._resume:
            check_resumable(checkpoint, runner.optim_wrapper, source)
        restored = restore_frozen_part(model, checkpoint, source, shared_sha256)
        if not runner._resume:  # here MMEngine and its averaging hook look for them
            checkpoint["state_dict"] = align_keys(extract_state_dict(checkpoint, source), model)
        weights, left_out = checkpoint.get("state_dict", checkpoint), set(restored)
        stored = {key: value for key, value in weights.items() if key not in left_out}
        option, _ = report_setting(runner.cfg)
        load_detector(model, checkpoint, stored, source, self.min_match, exactly(restored), option)
        # The averaged weights may be those of the trained part alone (TrainableEMAHook); MMEngine's
        # EMAHook would leave the rest of its copy at random weights.
        for key, value in weights.items() if "ema_state_dict" in checkpoint else ():
            checkpoint["ema_state_dict"].setdefault(f"module.{key}", value)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Record what the weights of the adapters do not tell."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        record = describe_encoder(model)
        if record is not None:
            checkpoint["meta"][ENCODER] = record
