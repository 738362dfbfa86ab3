"""What an inference needs out of a config and a checkpoint."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.utils import import_modules_from_strings
from torch import nn

from ..checkpoints import align_keys, extract_state_dict, load_detector
from ..engine.frozen_part import exactly, restore_frozen_part
from ..engine.hooks import report_setting
from ..registry import MODELS
from .cli import read_config


def open_config(config: str | Path | Config | Mapping) -> Config:
    """Read a config that can be tested.

    Args:
        config: Path, config or dict.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no valid config or lacks the model, the test data or its evaluator.
        TypeError: If it is neither path nor config.
    """
    if isinstance(config, str | Path):
        name, cfg = str(config), read_config(str(config))
    elif isinstance(config, Config):
        name, cfg = config.filename or "the config", config
    elif isinstance(config, Mapping):
        name, cfg = "the config", Config(dict(config))
        if "custom_imports" in cfg:
            import_modules_from_strings(**cfg.custom_imports)
    else:
        raise TypeError(f"a config is a path, a Config or a dict, got {type(config).__name__}")
    missing = [key for key in ("model", "test_dataloader", "test_evaluator") if not cfg.get(key)]
    if missing:
        raise ValueError(
            f"{name} has no {missing[0]}; inference takes the windows and the post-processing of "
            "the test from it: use the config that the detector was trained with"
        )
    dataset = cfg.test_dataloader.get("dataset")
    if not isinstance(dataset, Mapping) or "dataset" in dataset or "datasets" in dataset:
        raise ValueError(
            f"the test_dataloader.dataset of {name} must be one plain TADDataset, got {dataset!r}"
        )
    if dataset.get("type") in ("FeatureDataset", "mmtad.FeatureDataset"):
        raise ValueError(
            f"the detector of {name} sees features, not videos; put the features of your videos "
            "and an annotation into its test_dataloader and use tools/test.py"
        )
    return cfg


def choose_device(device: str | torch.device | None) -> torch.device:
    """Turn a name into a device that is there; None is the GPU if there is one, else the CPU.

    Raises:
        ValueError: If the device is unknown or absent.
    """
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"the device '{device}' is not available ({str(error).splitlines()[0]}); "
            "use cpu, or cuda on a machine with a GPU"
        ) from error
    return chosen


def evaluator_of(cfg: Config) -> Mapping[str, Any]:
    """The metric of the test that has the post-processor."""
    metrics = cfg.test_evaluator
    metrics = [metrics] if isinstance(metrics, Mapping) else list(metrics)
    return next((metric for metric in metrics if metric.get("post_processor")), metrics[0])


def find_classes(checkpoint: Any, dataset: Mapping[str, Any]) -> tuple[str, ...]:
    """Class names in the order of the model's outputs, from the checkpoint, else from the config.

    Args:
        checkpoint: What ``load_checkpoint_safely`` returned.
        dataset: Config of the test dataset.

    Raises:
        ValueError: If neither names the classes.
    """
    meta = checkpoint.get("meta") if isinstance(checkpoint, Mapping) else None
    meta = meta if isinstance(meta, Mapping) else {}
    for source in (meta.get("dataset_meta"), dataset, dataset.get("metainfo")):
        classes = source.get("classes") if isinstance(source, Mapping) else None
        if classes and not isinstance(classes, str):
            return tuple(map(str, classes))
    raise ValueError(
        "neither the checkpoint nor the config names the classes; add classes=[...] to "
        "test_dataloader.dataset, in the order of the training"
    )


def video_dataset(
    cfg: Config, classes: Sequence[str], video_id: str, info: Mapping[str, Any]
) -> dict[str, Any]:
    """Config of the test dataset with one video instead of its own.

    Args:
        cfg: Config with ``test_dataloader``.
        classes: Class names in the order of their labels.
        video_id: Name of the video.
        info: Its entry in an annotation, with ``video_path``.
    """
    return {
        **cfg.test_dataloader.dataset.to_dict(),
        "database": {video_id: dict(info)},
        "classes": list(classes),
        "ann_file": "",
        "data_root": "",
        "data_prefix": {"video": ""},
        "subset": None,
        "block_list": (),
        "drop_empty": False,
        "test_mode": True,
    }


def build_model(cfg: Config, checkpoint: Any, source: str) -> nn.Module:
    """Build the detector and put the weights in.

    Args:
        cfg: Config with ``model``.
        checkpoint: What ``load_checkpoint_safely`` returned, or None for the weights that a
            training begins with.
        source: Name of the checkpoint, for messages.

    Returns:
        The model on the CPU, in evaluation mode.

    Raises:
        ValueError: If the checkpoint does not fit the model, or leaves out a frozen backbone whose
            pre-trained file is missing or another one.
    """
    model = MODELS.build(cfg.model)
    if checkpoint is None:
        print_log(
            "no weights were given: what an untrained model detects means nothing",
            "current",
            logging.WARNING,
        )
        model.init_weights()
    else:
        # A checkpoint of MMEngine's EMAHook keeps the averaged weights under 'state_dict'.
        restored = restore_frozen_part(model, checkpoint, source)
        left_out = set(restored)
        weights = extract_state_dict(checkpoint, source)
        weights = {key: value for key, value in weights.items() if key not in left_out}
        option, min_match = report_setting(cfg)
        load_detector(
            model, checkpoint, align_keys(weights, model), source, min_match, exactly(restored),
            option,
        )  # fmt: skip
    return model.eval()
