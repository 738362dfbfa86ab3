"""The dataset of features: one item per video or per window."""

import math
import os.path as osp
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.progress import track

from ..registry import DATASETS
from .annotated import AnnotatedDataset, report_missing
from .annotations import VideoRecord
from .feature_files import FeatureReadError, missing_from
from .feature_items import check_feature_lengths, frame_rate, make_feature_items
from .feature_streams import FeatureSequence, parse_streams
from .feature_windows import margin_steps
from .transforms.features import open_sequence

_PROBED = 3  # files that are opened before a run, to fail early on a wrong argument
_PROGRESS_FROM = 500  # files; fewer are opened before a bar would help
_PIPELINE = (dict(type="OpenFeatures"), dict(type="SampleFeatures"), dict(type="PackTADInputs"))


@DATASETS.register_module()
class FeatureDataset(AnnotatedDataset):
    """Features of untrimmed videos with an ActivityNet-style annotation (seconds).

    The number of steps of a video is that of its feature file. Step i of a video stands for the
    second ``(i * feature_stride + clip_frames / 2) / fps``, the middle of the frames that it saw.

    Features that are missing, damaged, NaN or do not fit their video are logged once per video. In
    training another item takes its place; in testing the sample holds zeros and says why in its
    metainfo ``error``. If all of the first files do not fit, the dataset refuses to start.

    Args:
        ann_file: ``.json`` or ``.json.gz`` with ``database``, relative to ``data_root``.
        features: Path of the feature files, relative to ``data_root``, with ``{video_id}`` in it
            (without it, one file holds all videos by id), or the arguments of a
            :class:`FeatureStream` (``path``, ``layout``, ``channels``, ``key``,
            ``feature_stride``), or a list of several streams to concatenate along the channels.
        window_size: Steps of a sample. Shorter ones are padded to it; ``"whole"`` alone may have 0.
        feature_stride: Frames of the video between neighbouring features.
        clip_frames: Frames that one feature saw; 0 makes times count from its first frame.
        feature_fps: Frames per second at which features were extracted; None for the video's own.
        step_stride: Take every n-th feature.
        sampling: ``"random"`` makes one item per video (a random window that shows an action),
            ``"sliding"`` one per window, ``"resize"`` one per video, squeezed into a window,
            ``"whole"`` one per video at its own length. Training on ``"whole"`` cuts what exceeds
            ``window_size``, unless that is 0.
        window_overlap: Share of a sliding window that the next one repeats, in [0, 1).
        crop_ratio: Share that a random window keeps of a video shorter than a window.
        min_visible: Share of an action that a training window must show to count it.
        truncation_margin: Steps that a window sees beyond its own on both sides; None for half a
            clip as in ActionFormer, 0 as in OpenTAD.
        resize_offset: Fraction of a step from the start of a resized step to the moment that it
            stands for: 0 as in OpenTAD and BMN, 0.5 as in ActionFormer.
        resize_span: What the resized steps divide: ``"duration"`` of the video, or ``"features"``,
            the part that they saw, as in ActionFormer.
        crop_resized: Train on a random part of a resized sample, ``crop_ratio`` of it, as
            ActionFormer does; its margin is ``resize_offset`` unless given.
        resize_method: ``"linear"`` interpolation at one moment per step, ``"roi_align"``, the mean
            of as many moments as a step has features, as in OpenTAD, or ``"bmn"``, of three.
        length_tolerance: Share of a duration by which features may be longer or shorter than it;
            None does not compare.
        data_root: Folder that relative paths start from.
        pipeline: Transforms. Defaults to opening, sampling and packing.
        test_mode: Keep every window, and never replace an item by another.
        **kwargs: Further arguments of :class:`AnnotatedDataset`: ``database``, ``subset``,
            ``classes``, ``block_list``, ``ignore_labels``, ``min_coverage``, ``drop_empty``,
            ``seed``, ``metainfo``.

    Raises:
        FileNotFoundError: If there is no annotation file, or none of the features.
        ValueError: If an argument or the annotation is wrong, or no video or no action is left.
    """

    def __init__(
        self,
        ann_file: str = "",
        features: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] = (),
        window_size: int = 0,
        feature_stride: float | None = None,
        clip_frames: float = 0,
        feature_fps: float | None = None,
        step_stride: int = 1,
        sampling: str = "random",
        window_overlap: float = 0.5,
        crop_ratio: tuple[float, float] | None = (0.9, 1.0),
        min_visible: float = 0.5,
        truncation_margin: float | None = None,
        resize_offset: float = 0.0,
        resize_span: str = "duration",
        crop_resized: bool = False,
        resize_method: str = "linear",
        length_tolerance: float | None = 0.1,
        data_root: str = "",
        pipeline: Sequence[dict | Any] = _PIPELINE,
        test_mode: bool = False,
        **kwargs: Any,
    ):
        self.streams = tuple(
            replace(stream, path=osp.join(data_root, stream.path))
            for stream in parse_streams(features)
        )
        self.lengths = dict(
            sampling=sampling,
            window_size=window_size,
            feature_stride=feature_stride,
            clip_frames=clip_frames,
            feature_fps=feature_fps,
            step_stride=step_stride,
            window_overlap=window_overlap,
            crop_ratio=crop_ratio,
            min_visible=min_visible,
            truncation_margin=truncation_margin,
            resize_offset=resize_offset,
            resize_span=resize_span,
            crop_resized=crop_resized,
            resize_method=resize_method,
            length_tolerance=length_tolerance,
        )
        check_feature_lengths(self.lengths, test_mode)
        super().__init__(
            ann_file=ann_file,
            data_root=data_root,
            pipeline=pipeline,
            test_mode=test_mode,
            **kwargs,
        )

    def find_sources(self, records: list[VideoRecord]) -> list[int]:
        """Number of features of each video where windows need it, else 0; logs what is missing.

        Raises:
            FileNotFoundError: If all videos lack features.
            ValueError: If a frame rate is missing, the file of all videos cannot be read, or all of
                the first files do not fit.
        """
        self._check_rates(records)
        try:
            missing = self.missing_features(records)
        except FeatureReadError as error:  # the file of all videos: there is nothing to go on with
            raise ValueError(str(error)) from error
        report_missing(
            list(missing.values()),
            len(records),
            "check data_root and the path in features",
            ("has features", "lack features"),
        )
        present = [record for record in records if record.video_id not in missing]
        self._probe_some(present)
        if self.lengths["sampling"] != "sliding":
            return [0] * len(records)
        if len(records) > _PROGRESS_FROM:
            records = track(records, description="reading the lengths of features", transient=True)
        return [self.count_features(record) for record in records]

    def missing_features(self, records: Sequence[VideoRecord]) -> dict[str, str]:
        """Where the features of videos without any were looked for, by video id.

        Raises:
            FeatureReadError: If a file of all videos cannot be read.
        """
        missing: dict[str, str] = {}
        ids = [record.video_id for record in records]
        for stream in self.streams:
            if not stream.shared:
                files = {one: stream.file(one) for one in ids}
                absent = {one: path for one, path in files.items() if not osp.isfile(path)}
            elif not osp.isfile(stream.path):
                absent = dict.fromkeys(ids, stream.path)
            else:
                absent = {one: f"{stream.path}:{one}" for one in missing_from(stream.path, ids)}
            missing = absent | missing
        return missing

    def open_features(self, record: VideoRecord) -> FeatureSequence:
        """Open the features of a video and check that they fit it.

        Raises:
            FeatureReadError: If they are missing, damaged or do not fit.
        """
        item = dict(
            self.lengths,
            video_id=record.video_id,
            duration=record.duration,
            fps=frame_rate(record, self.lengths["feature_fps"]),
        )
        return open_sequence(self.streams, item)

    def count_features(self, record: VideoRecord) -> int:
        """Number of features of a video; 1, for one window, if they cannot be read."""
        try:
            return FeatureSequence(self.streams, record.video_id).length
        except FeatureReadError:
            return 1

    def make_items(self, record: VideoRecord, source: int, labels: Mapping[str, int]) -> list[dict]:
        """One item, or one per sliding window."""
        return make_feature_items(
            record,
            labels,
            dict(self.lengths, streams=[stream.to_dict() for stream in self.streams]),
            source,
            self.test_mode,
            self.drop_empty,
        )

    def step_seconds(self, record: VideoRecord) -> float | None:
        """Seconds between neighbouring steps of the grid; None if the annotation does not tell."""
        lengths = self.lengths
        if lengths["sampling"] == "resize":
            return record.duration / lengths["window_size"]
        fps = frame_rate(record, lengths["feature_fps"])
        return fps and lengths["feature_stride"] * lengths["step_stride"] / fps

    def window_seconds(self, record: VideoRecord) -> float | None:
        """Seconds that a sample shows at most; infinite for a sample of the whole video."""
        sampling, size = self.lengths["sampling"], self.lengths["window_size"]
        if sampling == "resize" or (sampling == "whole" and (self.test_mode or size == 0)):
            return math.inf
        step = self.step_seconds(record)
        return step and step * (size + 2 * margin_steps(self.lengths))

    def _check_rates(self, records: Sequence[VideoRecord]) -> None:
        if self.lengths["sampling"] == "resize" and self.lengths["resize_span"] == "duration":
            return  # times need no frame rate
        for record in records:
            if frame_rate(record, self.lengths["feature_fps"]) is None:
                raise ValueError(
                    f"video {record.video_id!r} has no 'fps' in the annotation, and feature_stride "
                    "counts frames; add it, or set feature_fps to the rate of the extraction"
                )

    def _probe_some(self, records: Sequence[VideoRecord]) -> None:
        """Open a few files to learn the channels and to find a wrong argument before a run."""
        reasons = []
        for record in records[:: max(1, len(records) // _PROBED)][:_PROBED]:
            try:
                channels = self.open_features(record).channels
            except FeatureReadError as error:
                reasons.append(str(error))
                continue
            self.streams = tuple(
                replace(stream, channels=stream.channels or found)
                for stream, found in zip(self.streams, channels, strict=True)
            )
        if reasons and len(reasons) == min(_PROBED, len(records)):
            raise ValueError(f"none of {len(reasons)} feature files fits: {reasons[0]}")
