"""Segments out of raw video: the windows and post-processing of the test, without its Runner."""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import print_log
from mmengine.registry import DefaultScope
from mmengine.runner.amp import autocast
from mmengine.structures import InstanceData
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.data import DataLoader, Dataset

from ..checkpoints import load_checkpoint_safely
from ..datasets.transforms.loading import VideoReadError
from ..registry import DATASETS, TASK_UTILS
from .model_setup import (
    build_model,
    choose_device,
    evaluator_of,
    find_classes,
    open_config,
    video_dataset,
)
from .sources import find_videos, probe_video
from .writers import FORMATS, save_results

Detections = list[dict[str, Any]]


class TADInferencer:
    """Detects actions in video files.

    Windows, transforms and post-processing are those of the config's test, so a video gets the
    detections that ``tools/test.py`` writes for it. Windows go through the model batch by batch and
    only their predictions are kept: the length of a video does not matter for memory.

    Args:
        config: Path of a config, the config itself, or a dict.
        weights: Checkpoint of a training run, whose averaged weights are taken if it has some. None
            takes ``load_from`` of the config; where that is none too, the weights are those that a
            training begins with, and a warning says so.
        device: For example ``"cuda:1"``. None takes the GPU if there is one, else the CPU.

    Attributes:
        classes: Class names, from the checkpoint, else from the config.
        failures: Reason per path of the videos of the last call that could not be read.
        durations: Seconds per video id of the videos of the last call.

    Raises:
        FileNotFoundError: If the config or the weights do not exist.
        ValueError: If the config describes no test, the weights are damaged or do not fit, the
            device is absent, or neither checkpoint nor config name the classes.
    """

    def __init__(
        self,
        config: str | Path | Config | Mapping,
        weights: str | Path | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        self.cfg = open_config(config)
        self.device = choose_device(device)
        source = str(weights or self.cfg.get("load_from") or "")
        checkpoint = load_checkpoint_safely(source) if source else None
        self.classes = find_classes(checkpoint, self.cfg.test_dataloader.dataset)
        with DefaultScope.overwrite_default_scope(self._scope):
            self.model = build_model(self.cfg, checkpoint, source).to(self.device)
            self.post_processor = TASK_UTILS.build(
                evaluator_of(self.cfg).get("post_processor")
                or dict(type="mmtad.DetectionPostProcessor")
            )
        self.failures: dict[str, str] = {}
        self.durations: dict[str, float] = {}

    @property
    def _scope(self) -> str:
        return self.cfg.get("default_scope") or "mmtad"

    def __call__(
        self, inputs: str | Path | Sequence[str | Path], progress: bool | None = None
    ) -> dict[str, Detections]:
        """Detect the actions of one video or of many.

        Args:
            inputs: A video file, a folder of videos, or a list of both.
            progress: Show a bar on stderr. None shows it where stderr is a terminal.

        Returns:
            ``{video_id: [{"segment": [start, end], "label": name, "score": float}]}``, seconds,
            best first; the id is the file name without suffix, see
            :func:`mmtad.apis.sources.find_videos`. Of several videos, those that cannot be read are
            left out, logged, and listed in ``failures``.

        Raises:
            FileNotFoundError: If a path does not exist.
            ValueError: If a folder has no video, or no video of the input can be read.
        """
        videos = find_videos(inputs)
        self.failures, self.durations = {}, {}
        results = {}
        with _progress_bar(progress) as bar:
            for video_id, path in videos.items():
                try:
                    results[video_id] = self._detect(video_id, path, bar)
                except VideoReadError as error:
                    self.failures[str(path)] = str(error)
                    if len(videos) > 1:
                        print_log(f"left out: {error}", "current", logging.WARNING)
        if not results:
            others = len(self.failures) - 1
            more = f"; {others} more videos cannot be read either" if others else ""
            raise ValueError(next(iter(self.failures.values())) + more)
        return results

    def save(
        self,
        results: Mapping[str, Detections],
        out_dir: str | Path,
        formats: Sequence[str] = FORMATS,
        min_score: float | None = None,
    ) -> list[Path]:
        """Write the results of the last call, see :func:`mmtad.apis.writers.save_results`."""
        return save_results(results, out_dir, formats, min_score, self.durations)

    def _detect(self, video_id: str, path: Path, bar: Progress) -> Detections:
        info = probe_video(path)
        self.durations[video_id] = info["duration"]
        with DefaultScope.overwrite_default_scope(self._scope):
            dataset = DATASETS.build(video_dataset(self.cfg, self.classes, video_id, info))
        task = bar.add_task(video_id, total=len(dataset))
        windows, errors = [], []
        try:
            for sample in self._windows(dataset):
                if (error := sample.get("error")) is not None:
                    errors.append(error)
                else:
                    windows.append(_to_cpu(sample.pred_instances, sample.grid.extent))
                bar.advance(task)
        finally:
            bar.remove_task(task)
        if errors:
            text = f"{len(errors)} of {len(dataset)} windows of {path} cannot be read: {errors[0]}"
            if not windows:
                raise VideoReadError(text)
            print_log(text, "current", logging.WARNING)
        final = self.post_processor(
            windows, video_id=video_id, classes=self.classes, duration=info["duration"]
        )
        return self._name_labels(final)

    @torch.inference_mode()
    def _windows(self, dataset: Dataset) -> Iterator[Any]:
        """Predictions of all windows in order; frames of a few batches at a time are in memory."""
        options = self.cfg.test_dataloader
        batch_size = options.get("batch_size", 1)
        batches = -(-len(dataset) // batch_size)
        loader = DataLoader(
            dataset,
            batch_size=batch_size,
            num_workers=min(options.get("num_workers", 0), batches),
            collate_fn=pseudo_collate,
        )
        half = bool((self.cfg.get("test_cfg") or {}).get("fp16", False))
        for batch in loader:
            with autocast(device_type=self.device.type, enabled=half):
                samples = self.model.test_step(batch)
            yield from samples

    def _name_labels(self, final: InstanceData) -> Detections:
        labels = final.labels.tolist()
        if labels and max(labels) >= len(self.classes):
            raise ValueError(
                f"the model predicts class {max(labels)}, but there are only {len(self.classes)} "
                "class names; make num_classes of the head agree with the classes of the dataset"
            )
        return [
            {"segment": segment, "label": self.classes[label], "score": score}
            for segment, label, score in zip(
                final.segments.tolist(), labels, final.scores.tolist(), strict=True
            )
        ]


def _to_cpu(instances: InstanceData, extent: tuple[float, float]) -> InstanceData:
    """Copies on the CPU, so that nothing holds on to the batch that they are views of."""
    fields = ("segments", "scores", "labels")
    return InstanceData(
        metainfo=dict(extent=extent),
        **{key: instances[key].detach().cpu().clone() for key in fields},
    )


def _progress_bar(show: bool | None) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("windows"),
        TimeRemainingColumn(),
        console=Console(stderr=True, force_terminal=show or None),
        transient=True,
        disable=not (sys.stderr.isatty() if show is None else show),
    )
