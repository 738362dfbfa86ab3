"""From the raw predictions of a video's windows to its final detections."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from ..ops import batched_nms, segment_voting
from ..registry import TASK_UTILS
from .overlaps import overlap_regions, read_overlap_options, suppress_overlaps
from .score_fusion import check_fusion, fuse_video_scores, reweigh_by_video_scores
from .video_score_formats import load_video_scores

_COMMON = {"iou_threshold", "min_score", "class_agnostic", "max_per_class"}
_NMS_OPTIONS = {"soft_nms": {"decay", "sigma", "iou_slope", *_COMMON}, "nms": _COMMON}
_DECAYS = ("gaussian", "linear", "improved_gaussian")
_VOTING_OPTIONS = {"iou_threshold", "iou_weighted"}
_FUSION_OPTIONS = {"file", "format", "topk", "method", "relabel"}


def merge_windows(windows: Sequence[InstanceData]) -> tuple[Tensor, Tensor, Tensor]:
    """Put the predictions of several windows into one list.

    Args:
        windows: Each with ``segments`` ``[N, 2]`` in seconds, ``scores`` ``[N]`` and ``labels``
            ``[N]``.

    Returns:
        ``(segments, scores, labels)``: float32 ``[N, 2]``, float32 ``[N]`` and int64 ``[N]``, N of
        all windows together, on the device of the first window.

    Raises:
        ValueError: If a field is missing.
    """
    for index, window in enumerate(windows):
        missing = [key for key in ("segments", "scores", "labels") if key not in window]
        if missing:
            raise ValueError(
                f"the predictions of window {index} lack {', '.join(missing)}; they have "
                f"{', '.join(window.keys()) or 'no field'}"
            )
    if not windows:
        return torch.zeros(0, 2), torch.zeros(0), torch.zeros(0, dtype=torch.int64)
    device = windows[0].segments.device
    return (
        torch.cat([w.segments.detach().to(device).reshape(-1, 2).float() for w in windows]),
        torch.cat([w.scores.detach().to(device).reshape(-1).float() for w in windows]),
        torch.cat([w.labels.detach().to(device).reshape(-1).long() for w in windows]),
    )


@TASK_UTILS.register_module()
class DetectionPostProcessor:
    """Merge the windows of one video, suppress repeated segments and keep the best.

    The steps, in this order: merge; drop what is not longer than ``min_duration``; keep the
    ``pre_nms_topk`` best; suppress (:func:`mmtad.ops.batched_nms`); vote on boundaries
    (:func:`mmtad.ops.segment_voting`) with all segments that went into the suppression; keep the
    ``max_per_video`` best; limit them to the video; give them the classes of an external video
    classifier (:func:`fuse_video_scores`). Nothing is rounded on the way.

    Args:
        nms: ``dict(type='soft_nms', decay='gaussian' | 'linear' | 'improved_gaussian', sigma=0.5,
            iou_threshold=0.5, min_score=0.001, class_agnostic=False, max_per_class=None)``, or
            ``dict(type='nms', iou_threshold=0.5, ...)`` without ``decay`` and ``sigma`` and with
            ``min_score=0``; None suppresses nothing. ``improved_gaussian`` takes ``iou_slope=0.4``
            too (:func:`mmtad.ops.soft_nms`) and needs to be told the duration of each video.
            ``nms`` takes ``overlaps_only=True``, which suppresses only where two windows overlap
            (:func:`suppress_overlaps`) and needs to be told the ``extent`` of each window.
        voting: ``dict(iou_threshold=..., iou_weighted=False)`` or None. It needs a class-agnostic
            ``nms``.
        pre_nms_topk: Number of segments of a video that go into the suppression; None for all.
        min_duration: Seconds a segment must exceed; None keeps every segment.
        max_per_video: Largest number of detections of a video; None for all.
        video_scores: ``dict(file=..., format='cuhk' | 'internvideo' | 'tags' | 'untrimmednet',
            topk=2, method='product' | 'sqrt', relabel=True)`` for a detector with a single class
            "action": its detections are repeated for the best classes of the video, so there may be
            ``topk`` times ``max_per_video``. With ``relabel=False`` the detector's own classes
            stay, are weighed by the video's score before anything else is done, and those outside
            the ``topk`` are dropped (:func:`reweigh_by_video_scores`). None leaves all as it is.
        clamp_first: Limit the segments to the video before anything else, as OpenTAD does on
            sliding windows; elsewhere public code does it last.
        per_window: Do everything in each window on its own, the classes of ``video_scores``
            included, and then all but the classes once more for the whole video, as OpenTAD does
            with BMN and G-TAD on sliding windows. ``max_per_video`` counts what comes out then.

    Raises:
        FileNotFoundError: If the file of ``video_scores`` does not exist.
        ValueError: If an option is unknown or voting is combined with a suppression per class,
            which the public code of the field accepts and silently skips.
    """

    def __init__(
        self,
        nms: Mapping[str, Any] | None = None,
        voting: Mapping[str, Any] | None = None,
        pre_nms_topk: int | None = None,
        min_duration: float | None = None,
        max_per_video: int | None = None,
        video_scores: Mapping[str, Any] | None = None,
        clamp_first: bool = False,
        per_window: bool = False,
    ) -> None:
        self.overlaps = read_overlap_options(nms)
        self.nms = None if nms is None or self.overlaps is not None else read_nms(nms)
        self.voting = None if voting is None else dict(voting)
        self.pre_nms_topk = pre_nms_topk
        self.min_duration = min_duration
        self.max_per_video = max_per_video
        self.clamp_first = clamp_first
        self.per_window = per_window
        for name in ("pre_nms_topk", "max_per_video"):
            if (value := getattr(self, name)) is not None and value <= 0:
                raise ValueError(f"{name} must be positive or None, got {value}")
        self._check_voting(nms)
        if self.overlaps is not None and per_window:
            raise ValueError("nms with overlaps_only is for all windows together, not per_window")
        self._read_video_scores(video_scores)

    def _check_voting(self, nms: Mapping[str, Any] | None) -> None:
        if self.voting is None:
            return
        if unknown := sorted(set(self.voting) - _VOTING_OPTIONS):
            raise ValueError(f"voting takes {sorted(_VOTING_OPTIONS)}, got {unknown}")
        if not 0 < self.voting.get("iou_threshold", 0) <= 1:
            raise ValueError(f"voting needs an iou_threshold in (0, 1], got {self.voting}")
        if self.nms is None or not self.nms.get("class_agnostic", False):
            raise ValueError(
                "voting mixes segments of all classes: it needs nms=dict(class_agnostic=True, ..); "
                f"leave voting out to suppress per class, got nms={nms}"
            )

    def _read_video_scores(self, video_scores: Mapping[str, Any] | None) -> None:
        self.video_scores = None
        options = dict(video_scores or {})
        if unknown := sorted(set(options) - _FUSION_OPTIONS):
            raise ValueError(f"video_scores takes {sorted(_FUSION_OPTIONS)}, got {unknown}")
        self.fusion = dict(topk=options.get("topk", 2), method=options.get("method", "product"))
        self.relabel = options.get("relabel", True)
        check_fusion(**self.fusion)
        if video_scores is None:
            return
        if "file" not in options:
            raise ValueError(f"video_scores needs a file, got {options}")
        self.video_scores = load_video_scores(options["file"], options.get("format", "cuhk"))
        self.video_scores.check_topk(self.fusion["topk"])

    def check_videos(self, video_ids: Sequence[str], classes: Sequence[str]) -> None:
        """Check before the work starts that it can be done for these videos and classes.

        Raises:
            ValueError: If ``video_scores`` lacks one of them.
        """
        if self.video_scores is not None:
            self.video_scores.check_topk(self.fusion["topk"], len(classes))
            self.video_scores.check(video_ids, classes)

    def __call__(
        self,
        windows: Sequence[InstanceData],
        video_id: str | None = None,
        classes: Sequence[str] | None = None,
        duration: float | None = None,
    ) -> InstanceData:
        """Give the detections of one video.

        Args:
            windows: Predictions of its windows, each with ``segments`` float ``[N, 2]`` in seconds,
                ``scores`` float ``[N]`` >= 0 and ``labels`` int64 ``[N]``; may be empty. For
                ``overlaps_only`` also with the metainfo ``extent``, start and end in seconds.
            video_id: Id of the video, for ``video_scores``.
            classes: Class names in the order of the labels, for ``video_scores``.
            duration: Length of the video in seconds, to limit the segments to it and for the decay
                ``improved_gaussian``. None limits nothing.

        Returns:
            ``segments`` float32 ``[M, 2]`` in seconds, ``scores`` float32 ``[M]`` descending,
            ``labels`` int64 ``[M]``; all finite.

        Raises:
            ValueError: If a field is missing, a value is not finite, a score to suppress by is
                negative, ``video_scores`` does not know the video, or the duration is missing or
                out of range.
        """
        if duration is not None and not 0 <= duration < math.inf:
            raise ValueError(f"the duration of video {video_id!r} must be >= 0, got {duration}")
        segments, scores, labels = merge_windows(windows)
        _check_finite(segments, scores)
        video = self._video_scores(video_id, classes)
        if self.per_window and windows:
            found = [self._process(merge_windows([one]), video, duration) for one in windows]
            return self._process(merge_windows(found), None, duration)
        regions = None if self.overlaps is None else overlap_regions(windows)
        return self._process((segments, scores, labels), video, duration, regions)

    def _process(
        self,
        fields: tuple[Tensor, Tensor, Tensor],
        video: Tensor | None,
        duration: float | None,
        regions: Tensor | None = None,
    ) -> InstanceData:
        """All steps after the merging.

        ``video`` holds the ``[K]`` scores of the whole video, ``regions`` ``[R, 2]`` are those
        outside of which nothing is suppressed; None for the whole video.
        """
        segments, scores, labels = fields
        if self.clamp_first and duration is not None:
            segments = segments.clamp(min=0, max=duration)
        if video is not None and not self.relabel:
            segments, scores, labels = reweigh_by_video_scores(
                segments, scores, labels, video, **self.fusion
            )
        if self.min_duration is not None:
            long_enough = segments[:, 1] - segments[:, 0] > self.min_duration
            segments, scores, labels = (x[long_enough] for x in (segments, scores, labels))
        keep = torch.argsort(scores, descending=True, stable=True)[: self.pre_nms_topk]
        segments, scores, labels = segments[keep], scores[keep], labels[keep]
        final = InstanceData()
        if self.nms is None:
            keep = torch.arange(len(scores), device=scores.device)
            if self.overlaps is not None and regions is not None:
                keep = suppress_overlaps(segments, scores, labels, regions, **self.overlaps)
            keep = keep[: self.max_per_video]
            final.segments, final.scores = segments[keep], scores[keep]
        else:
            options = {**self.nms, "max_total": self.max_per_video, "duration": duration}
            keep, final.scores = batched_nms(segments, scores, labels, **options)
            final.segments = segments[keep]
            if self.voting is not None:
                final.segments = segment_voting(final.segments, segments, scores, **self.voting)
        final.labels = labels[keep]
        if duration is not None:
            final.segments = final.segments.clamp(min=0, max=duration)
        return final if video is None or not self.relabel else self._fuse(final, video)

    def _video_scores(self, video_id: str | None, classes: Sequence[str] | None) -> Tensor | None:
        if self.video_scores is None:
            return None
        if video_id is None or classes is None:
            raise ValueError(
                "video_scores needs to know the video: call the post-processor with video_id=... "
                "and classes=..."
            )
        return self.video_scores.look_up(video_id, classes)

    def _fuse(self, found: InstanceData, scores: Tensor) -> InstanceData:
        if len(found.labels) and int(found.labels.max()) > 0:
            raise ValueError(
                "video_scores gives classes to detections without one, but the model predicts "
                f"class {int(found.labels.max())}; set num_classes=1 in the head, or relabel=False "
                "to weigh the model's own classes, or leave video_scores out"
            )
        fields = fuse_video_scores(found.segments, found.scores, scores, **self.fusion)
        return InstanceData(**dict(zip(("segments", "scores", "labels"), fields, strict=True)))


def read_nms(nms: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the ``nms`` part of a config into arguments of ``batched_nms``."""
    options = dict(nms)
    kind = options.pop("type", None)
    if kind not in _NMS_OPTIONS:
        raise ValueError(f"nms needs a type of {sorted(_NMS_OPTIONS)}, got {kind!r}")
    if unknown := sorted(set(options) - _NMS_OPTIONS[kind]):
        raise ValueError(f"nms of type {kind!r} takes {sorted(_NMS_OPTIONS[kind])}, got {unknown}")
    if kind == "nms":
        return {"method": "nms", "min_score": 0.0, **options}
    method = options.pop("decay", "gaussian")
    if method not in _DECAYS:
        raise ValueError(f"the decay of soft_nms must be one of {_DECAYS}, got {method!r}")
    if "iou_slope" in options and method != "improved_gaussian":
        raise ValueError(f"iou_slope belongs to the decay 'improved_gaussian', got {method!r}")
    return {"method": method, **options}


def _check_finite(segments: Tensor, scores: Tensor) -> None:
    bad = ~(segments.isfinite().all(dim=-1) & scores.isfinite())
    if bad.any():
        raise ValueError(
            f"{int(bad.sum())} of {len(bad)} predicted segments have a start, end or score that "
            "is NaN or infinite; the model has diverged or its weights were not loaded"
        )
