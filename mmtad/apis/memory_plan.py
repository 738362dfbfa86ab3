"""How much memory of a GPU a config needs for training, and which switches lower it."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config

from .fake_run import StepMemory, StepSettings, build_model, fake_mode, train_step

GIB = 2**30
CONTEXT = 0.6 * GIB
"""Allowance for what is no tensor: the CUDA context with its libraries, and rounding."""


@dataclass(frozen=True)
class BatchShape:
    """Inputs of one training step.

    Attributes:
        samples: Batch size B on one GPU.
        channels: C.
        steps: Feature steps T'.
        frames: Sampled frames T; None for features.
        size: Rows and columns of the frames; None for features.
    """

    samples: int
    channels: int
    steps: int
    frames: int | None = None
    size: tuple[int, int] | None = None

    def __call__(self) -> dict:
        """A batch as the loader collates it; of fake tensors under ``FakeTensorMode``."""
        shape = (self.channels, self.steps)
        dtype = torch.float32
        if self.frames is not None:
            shape, dtype = (self.channels, self.frames, *self.size), torch.uint8
        return dict(
            inputs=[torch.empty(shape, dtype=dtype) for _ in range(self.samples)],
            masks=[torch.ones(self.steps, dtype=torch.bool) for _ in range(self.samples)],
        )

    def __str__(self) -> str:
        if self.frames is None:
            return f"{self.samples} x features [{self.channels}, {self.steps}]"
        height, width = self.size
        return f"{self.samples} x {self.frames} frames of {height}x{width}, {self.steps} steps"


def batch_shape(cfg: Config, samples: int | None = None) -> BatchShape:
    """Read the inputs of a training step from a config.

    Args:
        cfg: The config.
        samples: Batch size; None for the config's.

    Raises:
        ValueError: If the config does not say it.
    """
    loader = cfg.get("train_dataloader")
    if not loader:
        raise ValueError("the config has no train_dataloader, which tells the size of a batch")
    samples = loader.get("batch_size") if samples is None else samples
    if samples is None or samples < 1:
        raise ValueError(f"the batch size must be at least 1, got {samples}; set --batch-size")
    dataset = _innermost(loader.get("dataset") or {})
    window = dataset.get("window_size")
    if window is None:
        raise ValueError(
            "the training data set has no window_size, so the length of its samples is unknown; "
            "set train_dataloader.dataset.window_size by --cfg-options"
        )
    steps = window // dataset.get("frames_per_step", 1)
    if cfg.model.get("backbone") is None:
        channels = (cfg.model.get("projection") or {}).get("in_channels")
        if channels is None:
            raise ValueError(
                "the model reads features, but its projection has no in_channels, so their width "
                "is unknown"
            )
        return BatchShape(samples, channels, steps)
    mean = (cfg.model.get("data_preprocessor") or {}).get("mean") or "RGB"
    size = _frame_size(dataset.get("pipeline") or [])
    return BatchShape(samples, len(mean), steps, window, size)


def _innermost(dataset: dict) -> dict:
    """The data set within MMEngine's wrappers."""
    while "dataset" in dataset or "datasets" in dataset:
        dataset = dataset["dataset"] if "dataset" in dataset else dataset["datasets"][0]
    return dataset


def _frame_size(pipeline: Sequence[dict]) -> tuple[int, int]:
    for step in reversed(pipeline):
        size = step.get("size")
        if size is not None:
            return (size, size) if isinstance(size, int) else tuple(size)
    raise ValueError(
        "no transform of the training pipeline has a size (RandomResizedCrop(size=160)), so the "
        "size of the frames is unknown"
    )


def plan_memory(cfg: Config, samples: int | None = None) -> StepMemory:
    """Predict the memory of one training step on one GPU, without a GPU and without data.

    Args:
        cfg: A config with ``model``, ``train_dataloader`` and ``optim_wrapper``.
        samples: Batch size instead of the config's.

    Raises:
        ValueError: If the config leaves out what decides, or cannot be built.
    """
    for name in ("model", "optim_wrapper"):
        if not cfg.get(name):
            raise ValueError(f"the config has no {name}, so there is no training to plan")
    scope = cfg.get("default_scope") or "mmtad"
    wrapper = cfg.optim_wrapper
    settings = StepSettings(
        batch_shape(cfg, samples),
        wrapper,
        _base_name(wrapper.get("type", "")) == "AmpOptimWrapper",
        _average(cfg.get("custom_hooks") or []),
        wrapper.get("accumulative_counts", 1) > 1,
    )
    model = copy.deepcopy(cfg.model)
    if (model.get("backbone") or {}).get("attention") == "flash_attn":
        model.backbone.attention = "sdpa"  # needs a GPU, and takes the same memory
    with fake_mode():
        return train_step(build_model(model, scope), settings, scope)


def _average(hooks: Sequence[dict]) -> str | None:
    """Which weights an EMA hook copies."""
    names = {_base_name(hook.get("type", "")) for hook in hooks}
    if "EMAHook" in names:
        return "all"
    return "trainable" if "TrainableEMAHook" in names else None


def _base_name(kind: Any) -> str:
    name = kind if isinstance(kind, str) else kind.__name__
    return name.rpartition(".")[2]


def switches(cfg: Config) -> Iterator[dict]:
    """What can be switched on in a config to save memory, the cheapest first.

    Each is a dict for ``--cfg-options``; what is on already, or does not exist for this encoder, is
    left out.
    """
    encoder = cfg.model.get("backbone") or {}
    kind = _base_name(encoder.get("type", ""))
    side = kind == "SideVideoEncoder"
    if kind in ("VideoEncoder", "SideVideoEncoder", "StageEncoder") and not cfg.model.get(
        "data_preprocessor", {}
    ).get("defer_normalization"):
        yield {"model.data_preprocessor.defer_normalization": True}
    if _base_name(cfg.optim_wrapper.get("type", "")) == "OptimWrapper":
        yield {"optim_wrapper.type": "AmpOptimWrapper", "optim_wrapper.dtype": "bfloat16"}
    if kind == "StageEncoder":
        yield from _checkpointing_of_stages(encoder)
    if kind not in ("VideoEncoder", "SideVideoEncoder"):
        return
    # Weights are stored as autocast would round them; activations need the range of bfloat16.
    half = cfg.optim_wrapper.get("dtype")
    half = half if half in ("float16", "bfloat16") else "bfloat16"
    ways = [("frozen_dtype", half), ("checkpointing", True), ("clips_per_group", 8)]
    ways += [("stream_dtype", "bfloat16")]
    ways += [] if side else [("checkpoint_every", 2), ("checkpoint_every", 4)]
    for name, value in [*ways, ("offload", True)]:
        if name == "frozen_dtype" and not encoder.get("frozen", True):
            continue
        if name == "clips_per_group" and encoder.get("clip_frames", 16) is None:
            continue
        if _weaker(encoder.get(name), value):
            yield {f"model.backbone.{name}": value}


def _checkpointing_of_stages(encoder: dict) -> Iterator[dict]:
    """The encoder's own checkpointing, or that of a backbone that has one."""
    inner = encoder.get("backbone") or {}
    streams = {"TwoStreamI3D": ("rgb", "flow"), "InceptionI3D": ("",)}.get(
        _base_name(inner.get("type", ""))
    )
    if encoder.get("frozen") or encoder.get("checkpointing"):
        return
    if streams is None:
        yield {"model.backbone.checkpointing": True}
        return
    options = {stream: inner.get(stream) or {} if stream else inner for stream in streams}
    off = [stream for stream in streams if not options[stream].get("checkpointing")]
    path = "model.backbone.backbone."
    if off:
        yield {f"{path}{stream}.checkpointing".replace("..", "."): True for stream in off}


def _weaker(present: Any, value: Any) -> bool:
    """Whether a switch would save more than its present setting."""
    if not present:
        return True
    if isinstance(value, bool) or isinstance(value, str):
        return False
    return present > value if value == 8 else present < value


def try_switches(
    cfg: Config, samples: int | None, before: StepMemory, limit: float | None
) -> Iterator[tuple[dict, StepMemory | None, bool]]:
    """Turn on one switch after another until the config fits.

    A switch that saves less than one percent is left off again.

    Args:
        cfg: The config; it is not changed.
        samples: Batch size; None for the config's.
        before: Memory of the config as it stands.
        limit: Bytes that all tensors may take; None tries every switch.

    Yields:
        The switch, the memory with it and those before it (None if the config then contradicts
        itself), and whether it stays on.
    """
    cfg = copy.deepcopy(cfg)
    for switch in switches(cfg):
        if limit is not None and before.peak.total <= limit:
            return
        changed = copy.deepcopy(cfg)
        changed.merge_from_dict(switch)
        try:
            after = plan_memory(changed, samples)
        except ValueError:
            yield switch, None, False
            continue
        helps = after.peak.total < 0.99 * before.peak.total
        yield switch, after, helps
        if helps:
            cfg, before = changed, after


def as_options(chosen: Sequence[dict]) -> str:
    """Switches as arguments of ``--cfg-options``; the last value of a key counts."""
    merged = {key: value for switch in chosen for key, value in switch.items()}
    return " ".join(f"{key}={value}" for key, value in merged.items())
