"""mAP of a run: windows of a video are merged and post-processed once, then compared."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.structures import InstanceData
from rich.progress import track

from ..registry import METRICS, TASK_UTILS
from .average_precision import check_tiou_thresholds
from .detection import THUMOS_TIOU_THRESHOLDS, compare
from .files import PathLike, write_results
from .ground_truth import GroundTruth, load_ground_truth
from .tables import detection_table, render

_PROGRESS_FROM = 100  # videos; fewer are done before a bar would help


@METRICS.register_module()
class DetectionMetric(BaseMetric):
    """Mean average precision as in :func:`mmtad.evaluation.evaluate_detections`.

    Works in one process and in many: every window makes one entry, entries are collected by
    MMEngine, repeated ones (the sampler pads the last batch) are dropped by video and window. A
    window whose metainfo holds ``error`` could not be read: its predictions are ignored and the
    video is named in the log. Every evaluated video gets an entry in the results, an empty list if
    nothing was detected.

    Class names are ``dataset_meta["classes"]``. The ground truth is ``ann_file``, else
    ``dataset_meta["ground_truth"]`` (an ActivityNet-style dict of the evaluated videos, in
    seconds).

    Args:
        post_processor: Config of a callable in ``TASK_UTILS`` that turns the windows of one video
            (list of ``InstanceData`` in seconds) into its detections, called with ``video_id``,
            ``classes`` and ``duration`` (seconds, None if unknown) by name. If it has
            ``check_videos(video_ids, classes)``, that is called before the first window. None joins
            the windows and sorts by score.
        tiou_thresholds: Fractions in (0, 1]. Defaults to THUMOS14's 0.3 to 0.7.
        ann_file: ActivityNet-style annotation to compare with. Defaults to None, the dataset's own.
        subset: Subset of ``ann_file`` to evaluate. Defaults to None, all videos.
        ignore_labels: Labels to leave out on both sides. Defaults to none.
        blocked_videos: Videos to leave out on both sides. Defaults to none.
        drop_duplicates: Count repeated annotations once. Defaults to True.
        output_file: Where to write the detections in the ActivityNet result format. Defaults to
            None, nowhere.
        collect_device: ``"cpu"`` or ``"gpu"``, how ranks exchange their entries.
        prefix: Put before the names of the metrics, ``prefix/mAP``. Defaults to none.
        collect_dir: Shared folder for the exchange on ``"cpu"``. Defaults to a temporary one.

    Raises:
        FileNotFoundError: If ``ann_file`` does not exist.
        ValueError: If a threshold or the annotation is invalid.
    """

    default_prefix = ""  # names as in the functional interface; None would make MMEngine warn

    def __init__(
        self,
        post_processor: dict[str, Any] | None = None,
        tiou_thresholds: float | Sequence[float] = THUMOS_TIOU_THRESHOLDS,
        ann_file: PathLike | None = None,
        subset: str | None = None,
        ignore_labels: Collection[str] = (),
        blocked_videos: Collection[str] = (),
        drop_duplicates: bool = True,
        output_file: PathLike | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.post_processor = None if post_processor is None else TASK_UTILS.build(post_processor)
        self.tiou_thresholds = check_tiou_thresholds(tiou_thresholds).tolist()
        self.output_file = output_file
        self._read = partial(
            load_ground_truth,
            ignore_labels=ignore_labels,
            blocked_videos=blocked_videos,
            drop_duplicates=drop_duplicates,
        )
        # A wrong file or subset should end the run before it starts, not after the last window.
        self._from_file = None if ann_file is None else self._read(ann_file, subset)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the predictions of one batch of windows, one entry per window, on the CPU.

        Args:
            data_batch: Not used.
            data_samples: ``TADDataSample.to_dict()`` of each window: ``video_id``, ``window_index``
                (0 if absent), ``pred_instances`` (``InstanceData`` or dict: ``segments`` [N, 2] in
                seconds, ``scores`` [N], ``labels`` [N]), ``error`` if the window could not be read.

        Raises:
            ValueError: If a sample has no predictions, or they are not finite or reversed.
        """
        for sample in data_samples:
            entry = {
                "video_id": sample["video_id"],
                "window_index": int(sample.get("window_index", 0)),
                "error": sample.get("error"),
            }
            if entry["error"] is None:
                entry |= _predictions(sample)
            self.results.append(entry)

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Merge, post-process, write and compare.

        Args:
            results: Entries of all windows.

        Returns:
            ``{"mAP@0.50": .., .., "mAP": ..}``, fractions from 0 to 1; empty if no evaluated video
            is annotated and the results were written to a file.

        Raises:
            ValueError: If there are no class names, no ground truth, or a label is outside the
                class names.
        """
        ground_truth = self._load_ground_truth()
        windows = _group(results, self._dataset_videos())
        _report_errors(windows)
        detections = self._detect(windows)
        if self.output_file is not None:
            write_results(self.output_file, detections)
            print_log(f"wrote the detections to {self.output_file}", logger="current")
            if not ground_truth.classes:
                print_log(
                    "the evaluated videos have no annotated action: mAP is undefined, "
                    "only the detections were written",
                    logger="current",
                    level=logging.WARNING,
                )
                return {}
        report = compare(ground_truth, {"results": detections}, self.tiou_thresholds)
        print_log("\n" + render(detection_table(report)), logger="current")
        return report.summary()

    def _detect(
        self, windows: Mapping[str, Mapping[int, dict[str, Any]]]
    ) -> dict[str, list[dict[str, Any]]]:
        """Final detections of every video in the ActivityNet result format."""
        classes = self._meta("classes")
        videos: Iterable[str] = windows
        if len(windows) > _PROGRESS_FROM:
            videos = track(windows, description="post-processing videos", transient=True)
        detections = {}
        for video in videos:
            readable = [
                InstanceData(**{key: entry[key] for key in ("segments", "scores", "labels")})
                for _, entry in sorted(windows[video].items())
                if entry["error"] is None
            ]
            final = self._process_video(readable, video, classes) if readable else None
            detections[video] = [] if final is None else _to_results(final, classes, video)
        return detections

    def _process_video(
        self, windows: Sequence[InstanceData], video: str, classes: Sequence[str]
    ) -> InstanceData:
        if self.post_processor is None:
            return _join(windows)
        database = (self.dataset_meta or {}).get("ground_truth", {}).get("database", {})
        duration = database.get(video, {}).get("duration")
        return self.post_processor(windows, video_id=video, classes=classes, duration=duration)

    @property
    def dataset_meta(self) -> dict | None:
        """Metainfo of the dataset; MMEngine sets it before the first window."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, meta: dict | None) -> None:
        self._dataset_meta = meta
        check = getattr(self.post_processor, "check_videos", None)
        if check is not None and meta and "classes" in meta:
            check(self._dataset_videos(), meta["classes"])

    def _load_ground_truth(self) -> GroundTruth:
        if self._from_file is not None:
            return self._from_file
        return self._read(self._meta("ground_truth"))

    def _dataset_videos(self) -> list[str]:
        """All videos of the dataset, in its order; unknown if the dataset does not tell."""
        meta = self.dataset_meta or {}
        return list(meta.get("ground_truth", {}).get("database", {}))

    def _meta(self, key: str) -> Any:
        meta = self.dataset_meta or {}
        if key not in meta:
            remedy = " or give the metric an ann_file" if key == "ground_truth" else ""
            raise ValueError(
                f"DetectionMetric needs '{key}' in the metainfo of the dataset, which has "
                f"{sorted(meta) or 'nothing'}; use a TADDataset{remedy}"
            )
        return meta[key]


def _predictions(sample: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Tensors of one window on the CPU, without the memory of the batch that they are views of."""
    where = f"window {sample.get('window_index', 0)} of video '{sample['video_id']}'"
    instances = sample.get("pred_instances")
    if instances is None:
        raise ValueError(f"{where} has no pred_instances; the model must predict for every window")
    try:
        fields = {
            key: torch.as_tensor(instances[key]).detach().cpu().clone()
            for key in ("segments", "scores", "labels")
        }
    except (KeyError, AttributeError) as error:
        raise ValueError(f"pred_instances of {where} need segments, scores and labels") from error
    segments = fields["segments"] = fields["segments"].reshape(-1, 2)
    if not (segments.isfinite().all() and fields["scores"].isfinite().all()):
        raise ValueError(
            f"the predictions of {where} are NaN or infinite; the model has diverged or its "
            "weights were not loaded"
        )
    if (segments[:, 0] > segments[:, 1]).any():
        raise ValueError(f"the predictions of {where} have segments that end before they start")
    return fields


def _group(
    results: Iterable[dict[str, Any]], videos: Sequence[str]
) -> dict[str, dict[int, dict[str, Any]]]:
    """Entries by video (in the order of the dataset) and window; the first of repeated ones."""
    windows: dict[str, dict[int, dict[str, Any]]] = {video: {} for video in videos}
    for entry in results:
        windows.setdefault(entry["video_id"], {}).setdefault(entry["window_index"], entry)
    return windows


def _report_errors(windows: Mapping[str, Mapping[int, dict[str, Any]]]) -> None:
    """One line per video with unreadable windows, and their number."""
    damaged = empty = 0
    for video, entries in windows.items():
        errors = [entry["error"] for entry in entries.values() if entry["error"] is not None]
        if not errors:
            continue
        damaged += 1
        empty += len(errors) == len(entries)
        print_log(
            f"video '{video}': {len(errors)} of {len(entries)} windows could not be read: "
            f"{errors[0]}",
            logger="current",
            level=logging.WARNING,
        )
    if damaged:
        print_log(
            f"{damaged} of {len(windows)} videos could not be read completely; "
            f"{empty} of them count as empty predictions",
            logger="current",
            level=logging.WARNING,
        )


def _join(windows: Sequence[InstanceData]) -> InstanceData:
    """All predictions of a video by falling score."""
    joined = InstanceData.cat(list(windows))
    return joined[torch.argsort(joined.scores, descending=True, stable=True)]


def _to_results(
    instances: InstanceData, classes: Sequence[str], video: str
) -> list[dict[str, Any]]:
    labels = instances.labels.tolist()
    if labels and not 0 <= min(labels) <= max(labels) < len(classes):
        raise ValueError(
            f"video '{video}' has a prediction of class {max(labels, key=abs)}, but the dataset "
            f"has {len(classes)} classes; make num_classes of the head agree with it"
        )
    return [
        {"segment": segment, "label": classes[label], "score": score}
        for segment, label, score in zip(
            instances.segments.tolist(), labels, instances.scores.tolist(), strict=True
        )
    ]
