"""The dataset of untrimmed videos: one item per video or per window."""

import math
import os.path as osp
from collections.abc import Mapping
from typing import Any

from ..registry import DATASETS
from .annotated import AnnotatedDataset, report_missing
from .annotations import VideoRecord
from .items import check_lengths, make_items
from .transforms.loading import VideoReadError, probe_video
from .transforms.sampling import frames_per_sample

VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".mpg", ".mpeg", ".flv", ".wmv")


@DATASETS.register_module()
class TADDataset(AnnotatedDataset):
    """Untrimmed videos with an ActivityNet-style annotation (seconds).

    It owns every fact about lengths and hands them to the pipeline in the sample, so that one
    pipeline serves all variants. ``metainfo["classes"]`` names the classes in the order of their
    labels; in test mode ``metainfo["ground_truth"]`` is the annotation of exactly the evaluated
    videos, in seconds and as it was written.

    A video that cannot be read is logged once. In training another item takes its place; in testing
    the sample holds black frames and says why in its metainfo ``error``.

    Args:
        ann_file: ``.json`` or ``.json.gz`` with ``database``, relative to ``data_root``.
        window_size: Frames of a sample, after sub-sampling.
        data_root: Folder that relative paths start from.
        data_prefix: ``video`` is the folder of the videos, ``flow`` that of their optical flow,
            read by ``LoadFlow``; without it flow is made while loading.
        video_suffix: Suffix of the files ``<video_id><suffix>``; where there is no such file, other
            common suffixes are tried. A video's own ``video_path`` in the annotation wins.
        sampling: ``"random"`` makes one item per video (a random window that shows an action),
            ``"sliding"`` one per window, ``"resize"`` one per video, squeezed into a window.
        frame_stride: Take every n-th frame.
        sample_fps: Frames per second to take frames at, before the stride; None keeps the file's.
        frames_per_step: Sampled frames per step of the grid on which the model answers.
        offset_frames: Frames of the file from the start of a window to the moment that step 0
            stands for; half a snippet where a step is a snippet.
        window_overlap: Share of a sliding window that the next one repeats, in [0, 1).
        crop_ratio: Share that a random window keeps of a video shorter than a window.
        min_visible: Share of an action that a training window must show to count it.
        test_mode: Keep every window, and never replace an item by another.
        **kwargs: Further arguments of :class:`AnnotatedDataset`: ``database``, ``subset``,
            ``classes``, ``block_list``, ``ignore_labels``, ``min_coverage``, ``drop_empty``,
            ``pipeline``, ``seed``, ``metainfo``.

    Raises:
        FileNotFoundError: If there is no annotation file, or none of the videos.
        ValueError: If an argument or the annotation is wrong, or no video or no action is left.
    """

    def __init__(
        self,
        ann_file: str = "",
        window_size: int = 0,
        data_root: str = "",
        data_prefix: Mapping[str, str] | None = None,
        video_suffix: str = ".mp4",
        sampling: str = "random",
        frame_stride: int = 1,
        sample_fps: float | None = None,
        frames_per_step: int = 1,
        offset_frames: float = 0,
        window_overlap: float = 0.5,
        crop_ratio: tuple[float, float] | None = (0.9, 1.0),
        min_visible: float = 0.5,
        test_mode: bool = False,
        **kwargs: Any,
    ):
        self.lengths = dict(
            sampling=sampling,
            window_size=window_size,
            frame_stride=frame_stride,
            sample_fps=sample_fps,
            frames_per_step=frames_per_step,
            offset_frames=offset_frames,
            crop_ratio=crop_ratio,
            min_visible=min_visible,
        )
        check_lengths(self.lengths, window_overlap, test_mode)
        self.video_suffix = video_suffix
        self.window_overlap = window_overlap
        super().__init__(
            ann_file=ann_file,
            data_root=data_root,
            data_prefix=data_prefix or dict(video="videos"),
            test_mode=test_mode,
            **kwargs,
        )

    def find_video(self, record: VideoRecord) -> str:
        """Path of a video; that of the missing file where there is none."""
        folder = self.data_prefix.get("video", "")
        if record.video_path is not None:
            return osp.join(folder, record.video_path)
        stem = osp.join(folder, record.video_id)
        for suffix in (self.video_suffix, *VIDEO_SUFFIXES):
            if osp.isfile(stem + suffix):
                return stem + suffix
        return stem + self.video_suffix

    def find_sources(self, records: list[VideoRecord]) -> list[str]:
        """Paths of the videos; logs how many are missing.

        Raises:
            FileNotFoundError: If all are missing.
        """
        paths = [self.find_video(record) for record in records]
        missing = [path for path in paths if not osp.isfile(path)]
        report_missing(missing, len(paths), "check data_root, data_prefix and video_suffix")
        return paths

    def make_items(self, record: VideoRecord, source: str, labels: Mapping[str, int]) -> list[dict]:
        """One item, or one per sliding window."""
        items = make_items(
            record,
            source,
            labels,
            self.lengths,
            self.window_overlap,
            self.test_mode,
            self.drop_empty,
        )
        if "flow" not in self.data_prefix:
            return items
        return [dict(item, flow_folder=self.data_prefix["flow"]) for item in items]

    def step_seconds(self, record: VideoRecord) -> float | None:
        """Seconds between neighbouring steps of the grid; None if the annotation does not tell."""
        lengths = self.lengths
        if lengths["sampling"] == "resize":
            return record.duration * lengths["frames_per_step"] / lengths["window_size"]
        fps = record.fps or (record.frames and record.frames / record.duration)
        if not fps:
            return None
        return frames_per_sample(dict(lengths, fps=fps)) * lengths["frames_per_step"] / fps

    def window_seconds(self, record: VideoRecord) -> float | None:
        """Seconds that a sample shows at most; infinite for a sample of the whole video."""
        if self.lengths["sampling"] == "resize":
            return math.inf
        step = self.step_seconds(record)
        return step and step * self.lengths["window_size"] / self.lengths["frames_per_step"]

    def probe(self, record: VideoRecord) -> tuple[float, int] | None:
        """Frame rate and number of frames from the file."""
        try:
            return probe_video(self.find_video(record))
        except VideoReadError:
            return None
