"""Measures of a run: windows of a video are merged, post-processed and compared."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.structures import InstanceData
from rich.progress import track

from ..registry import METRICS, TASK_UTILS
from .average_precision import check_tiou_thresholds
from .detection import THUMOS_TIOU_THRESHOLDS
from .files import PathLike, write_results
from .ground_truth import GroundTruth, load_ground_truth
from .measures import Measure, PostProcessor, build_measures
from .metric_entries import (
    extent_of,
    group_windows,
    join_windows,
    read_predictions,
    report_errors,
    to_results,
)
from .tables import render

_PROGRESS_FROM = 100  # videos; fewer are done before a bar would help
Windows = Mapping[str, Mapping[int, dict[str, Any]]]
Results = dict[str, list[dict[str, Any]]]


@METRICS.register_module()
class DetectionMetric(BaseMetric):
    """Mean average precision as in :func:`mmtad.evaluation.evaluate_detections`, and more.

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
        ignore_labels: Labels to leave out on both sides beside ``Ambiguous``. Defaults to none.
        blocked_videos: Videos to leave out on both sides. Defaults to none.
        drop_duplicates: Count repeated annotations once. Defaults to True.
        output_file: Where to write the detections in the ActivityNet result format. Defaults to
            None, nowhere.
        style: How AP is computed, see :func:`mmtad.evaluation.evaluate_detections`. Defaults to
            ``"activitynet"``.
        measures: What to report, names or dicts. ``"mAP"``; ``"AR"``: AR@AN and AUC as in
            :func:`mmtad.evaluation.evaluate_proposals`; ``"recall@kx"``: as in
            :func:`mmtad.evaluation.evaluate_retrieval`, at the ``tiou_thresholds`` of the metric.
            ``dict(type="AR", post_processor=dict(...), tiou_thresholds=...)`` sets options of the
            measure, and a post-processor of its own instead of the metric's: proposals are
            suppressed more gently than detections and need no classes. Defaults to mAP only.
        collect_device: ``"cpu"`` or ``"gpu"``, how ranks exchange their entries.
        prefix: Put before the names of the metrics, ``prefix/mAP``. Defaults to none.
        collect_dir: Shared folder for the exchange on ``"cpu"``. Defaults to a temporary one.

    Raises:
        FileNotFoundError: If ``ann_file`` does not exist.
        ValueError: If a threshold, a measure or the annotation is invalid.
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
        style: str = "activitynet",
        measures: Sequence[str | Mapping[str, Any]] = ("mAP",),
        collect_device: str = "cpu",
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.post_processor = None if post_processor is None else TASK_UTILS.build(post_processor)
        self.tiou_thresholds = check_tiou_thresholds(tiou_thresholds).tolist()
        self.output_file = output_file
        defaults = {"tiou_thresholds": self.tiou_thresholds}
        self.measures: list[Measure] = build_measures(
            measures,
            self.post_processor,
            {"mAP": {**defaults, "style": style}, "recall@kx": defaults},
        )
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
                seconds, ``scores`` [N], ``labels`` [N]), ``error`` if the window could not be read,
                ``duration`` of the video in seconds, which limits its detections; absent, the
                dataset's; ``grid`` of the window, for a post-processor that needs its extent.

        Raises:
            ValueError: If a sample has no predictions, or they are not finite or reversed.
        """
        for sample in data_samples:
            entry = {
                "video_id": sample["video_id"],
                "window_index": int(sample.get("window_index", 0)),
                "error": sample.get("error"),
                "duration": sample.get("duration"),
                "extent": extent_of(sample),
            }
            if entry["error"] is None:
                entry |= read_predictions(sample)
            self.results.append(entry)

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Merge, post-process, write and compare.

        Args:
            results: Entries of all windows.

        Returns:
            ``{"mAP@0.50": .., .., "mAP": ..}`` and what the other measures give, fractions from 0
            to 1; empty if no evaluated video is annotated and the results were written to a file.

        Raises:
            ValueError: If there are no class names, no ground truth, or a label is outside the
                class names.
        """
        ground_truth = self._load_ground_truth()
        windows = group_windows(results, list(self._dataset_videos()))
        report_errors(windows)
        detections = _Detections(windows, self._detect)
        if self.output_file is not None:
            write_results(self.output_file, detections.by(self.post_processor))
            print_log(f"wrote the detections to {self.output_file}", logger="current")
            if not ground_truth.classes:
                print_log(
                    "the evaluated videos have no annotated action: mAP is undefined, "
                    "only the detections were written",
                    logger="current",
                    level=logging.WARNING,
                )
                return {}
        metrics: dict[str, float] = {}
        for measure in self.measures:
            found = {"results": detections.by(measure.post_processor)}
            numbers, table = measure.evaluate(ground_truth, found)
            print_log("\n" + render(table), logger="current")
            metrics |= numbers
        return metrics

    def _detect(self, windows: Windows, post_processor: PostProcessor | None) -> Results:
        """Final detections of every video in the ActivityNet result format."""
        classes = self._meta("classes")
        videos: Iterable[str] = windows
        if len(windows) > _PROGRESS_FROM:
            videos = track(windows, description="post-processing videos", transient=True)
        detections: Results = {}
        for video in videos:
            entries = [e for _, e in sorted(windows[video].items()) if e["error"] is None]
            readable = [
                InstanceData(
                    metainfo=dict(extent=entry.get("extent")),
                    **{key: entry[key] for key in ("segments", "scores", "labels")},
                )
                for entry in entries
            ]
            if not readable:
                detections[video] = []
                continue
            duration = entries[0].get("duration")
            if duration is None:
                duration = self._dataset_videos().get(video, {}).get("duration")
            if post_processor is None:
                final = join_windows(readable, duration)
            else:
                final = post_processor(readable, video_id=video, classes=classes, duration=duration)
            detections[video] = to_results(final, classes, video)
        return detections

    @property
    def dataset_meta(self) -> dict | None:
        """Metainfo of the dataset; MMEngine sets it before the first window."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, meta: dict | None) -> None:
        self._dataset_meta = meta
        if not meta or "classes" not in meta:
            return
        processors = [self.post_processor, *(m.post_processor for m in self.measures)]
        for processor in {id(one): one for one in processors}.values():
            check = getattr(processor, "check_videos", None)
            if check is not None:
                check(list(self._dataset_videos()), meta["classes"])

    def _load_ground_truth(self) -> GroundTruth:
        found = self._from_file or self._read(self._meta("ground_truth"))
        # A model may well find only classes that the evaluated videos lack.
        return replace(found, known_labels=found.known_labels.union(self._meta("classes")))

    def _dataset_videos(self) -> Mapping[str, Any]:
        """All videos of the dataset, in its order; none if the dataset does not tell."""
        meta = self.dataset_meta or {}
        return meta.get("ground_truth", {}).get("database", {})

    def _meta(self, key: str) -> Any:
        meta = self.dataset_meta or {}
        if key not in meta:
            remedy = " or give the metric an ann_file" if key == "ground_truth" else ""
            raise ValueError(
                f"DetectionMetric needs '{key}' in the metainfo of the dataset, which has "
                f"{sorted(meta) or 'nothing'}; use a TADDataset{remedy}"
            )
        return meta[key]


class _Detections:
    """Detections by post-processor, made when first asked for and once for each."""

    def __init__(
        self, windows: Windows, detect: Callable[[Windows, PostProcessor | None], Results]
    ) -> None:
        self.windows = windows
        self.detect = detect
        self.made: dict[int, Results] = {}

    def by(self, post_processor: PostProcessor | None) -> Results:
        """``{video_id: [detection, ...]}`` of one post-processor."""
        key = id(post_processor)
        if key not in self.made:
            self.made[key] = self.detect(self.windows, post_processor)
        return self.made[key]
