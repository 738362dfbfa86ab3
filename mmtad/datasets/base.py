"""The dataset of untrimmed videos: one item per video or per window."""

import logging
import os.path as osp
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from ..registry import DATASETS, TRANSFORMS
from .annotations import (
    VideoRecord,
    check_database,
    collect_labels,
    parse_videos,
    read_database,
    select_subset,
)
from .block_lists import resolve_block_list
from .items import check_lengths, ground_truth, make_items, trainable
from .transforms.loading import VideoReadError, probe_video
from .worker_state import SampleClock, SharedFlags

VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".mpg", ".mpeg", ".flv", ".wmv")


@DATASETS.register_module()
class TADDataset(BaseDataset):
    """Untrimmed videos with an ActivityNet-style annotation (seconds).

    It owns every fact about lengths and hands them to the pipeline in the sample, so that one
    pipeline serves all variants. ``metainfo["classes"]`` names the classes in the order of their
    labels; in test mode ``metainfo["ground_truth"]`` is the annotation of exactly the evaluated
    videos, clipped and in seconds.

    A video that cannot be read is logged once. In training another item takes its place; in testing
    the sample holds black frames and says why in its metainfo ``error``.

    Args:
        ann_file: ``.json`` or ``.json.gz`` with ``database``, relative to ``data_root``.
        window_size: Frames of a sample, after sub-sampling.
        data_root: Folder that relative paths start from.
        data_prefix: ``video`` is the folder of the videos.
        video_suffix: Suffix of the files ``<video_id><suffix>``; where there is no such file, other
            common suffixes are tried. A video's own ``video_path`` in the annotation wins.
        database: The content of ``database``, instead of ``ann_file``.
        subset: Name or names of subsets; None takes all videos.
        classes: Class names in the order of their labels; None takes those of ``metainfo``, else
            the sorted labels of the whole annotation.
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
        block_list: Ids of videos to leave out, a name of ``BLOCK_LISTS`` or a text file of ids.
        ignore_labels: Labels to leave out.
        drop_empty: Leave out items without an action; None does so in training only.
        pipeline: Transforms.
        test_mode: Keep every window, and never replace an item by another.
        seed: Base seed of all random draws; None takes PyTorch's.
        metainfo: Further metainfo.
        serialize_data: Keep items as bytes that workers share.
        lazy_init: Do not read the annotation yet.

    Raises:
        FileNotFoundError: If there is no annotation file, or none of the videos.
        ValueError: If an argument or the annotation is wrong, or no video or no action is left.
    """

    METAINFO: dict = dict()

    def __init__(
        self,
        ann_file: str = "",
        window_size: int = 0,
        data_root: str = "",
        data_prefix: Mapping[str, str] | None = None,
        video_suffix: str = ".mp4",
        database: Mapping[str, Mapping] | None = None,
        subset: str | Sequence[str] | None = None,
        classes: Sequence[str] | None = None,
        sampling: str = "random",
        frame_stride: int = 1,
        sample_fps: float | None = None,
        frames_per_step: int = 1,
        offset_frames: float = 0,
        window_overlap: float = 0.5,
        crop_ratio: tuple[float, float] | None = (0.9, 1.0),
        min_visible: float = 0.5,
        block_list: str | Collection[str] = (),
        ignore_labels: Collection[str] = ("Ambiguous",),
        drop_empty: bool | None = None,
        pipeline: Sequence[dict | Any] = (),
        test_mode: bool = False,
        seed: int | None = None,
        metainfo: Mapping | None = None,
        serialize_data: bool = True,
        lazy_init: bool = False,
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
        if not ann_file and database is None:
            raise ValueError("a dataset needs ann_file or database, got neither")
        self.database = database
        self.video_suffix = video_suffix
        self.subset = subset
        self.window_overlap = window_overlap
        self.block_list = resolve_block_list(block_list)
        self.ignore_labels = frozenset(ignore_labels)
        self.drop_empty = not test_mode if drop_empty is None else drop_empty
        self.seed = seed
        self._classes = None if classes is None else list(classes)
        self.video_ids: list[str] = []
        super().__init__(
            ann_file=ann_file,
            metainfo=metainfo,
            data_root=data_root,
            data_prefix=dict(data_prefix or dict(video="videos")),
            serialize_data=serialize_data,
            pipeline=[TRANSFORMS.build(t) if isinstance(t, dict) else t for t in pipeline],
            test_mode=test_mode,
            lazy_init=lazy_init,
        )

    def full_init(self) -> None:
        """Read the annotation; the items may then be asked for."""
        if not self._fully_initialized:
            super().full_init()
            self._clock = SampleClock(len(self), self.seed)

    def set_epoch(self, epoch: int, seed: int | None = None) -> None:
        """Start an epoch of training, see :meth:`SampleClock.set_epoch`."""
        self.full_init()
        self._clock.set_epoch(epoch, seed)

    @property
    def unreadable_videos(self) -> list[str]:
        """Ids of the videos that could not be read so far, by any worker."""
        return [self.video_ids[index] for index in self._unreadable.raised()]

    def load_data_list(self) -> list[dict]:
        """Read, check and filter the annotation; one dict per item."""
        name = self.ann_file if self.database is None else "the given database"
        database = (
            read_database(self.ann_file)
            if self.database is None
            else check_database(self.database, name)
        )
        chosen = select_subset(database, self.subset, name)
        chosen = {key: info for key, info in chosen.items() if key not in self.block_list}
        classes = self._classes or self._metainfo.get("classes")
        classes = list(classes or collect_labels(database, self.ignore_labels))
        records = parse_videos(chosen, classes, self.ignore_labels, name, self._probe)
        self._check_actions(records, name)
        if self.drop_empty:
            records = [record for record in records if trainable(record)]
        if not records:
            raise ValueError(
                f"no video is left of the {len(database)} in {name} after the subset "
                f"{self.subset!r} and a block list of {len(self.block_list)}; widen them"
            )
        paths = self._find_videos(records)
        self.video_ids = [record.video_id for record in records]
        self._unreadable = SharedFlags(len(records))
        self._warned = SharedFlags(len(records))
        self._metainfo["classes"] = classes
        if self.test_mode:
            self._metainfo["ground_truth"] = ground_truth(records)
        labels = {label: index for index, label in enumerate(classes)}
        items = []
        for index, (record, path) in enumerate(zip(records, paths, strict=True)):
            for item in make_items(
                record,
                path,
                labels,
                self.lengths,
                self.window_overlap,
                self.test_mode,
                self.drop_empty,
            ):
                items.append(dict(item, video_index=index))
        if not items:
            raise ValueError(
                f"no window of the {len(records)} videos shows {self.lengths['min_visible']} of an "
                "action; lower min_visible or enlarge window_size"
            )
        return items

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

    def _probe(self, record: VideoRecord) -> tuple[float, int] | None:
        try:
            return probe_video(self.find_video(record))
        except VideoReadError:
            return None

    def prepare_data(self, idx: int) -> dict:
        """Run the pipeline for an item.

        Raises:
            OSError: In training, if no video at all can be read.
        """
        idx = range(len(self))[idx]
        if self.test_mode:
            return self._prepare_test(idx)
        entropy = self._clock.tick(idx)
        reason = None
        for attempt, candidate in enumerate(self._candidates(idx, entropy)):
            item = self.get_data_info(candidate)
            if reason is not None and self._unreadable[item["video_index"]]:
                continue
            item["rng"] = np.random.default_rng([*entropy, attempt])
            try:
                return self._run(item)
            except VideoReadError as error:
                reason = error
                self._note_unreadable(item, f"{error}; training goes on without it")
        raise OSError(f"none of the {len(self.video_ids)} videos can be read: {reason}")

    def _prepare_test(self, idx: int) -> dict:
        item = self.get_data_info(idx)
        item["rng"] = np.random.default_rng([self.seed or 0, idx])
        try:
            return self._run(dict(item))
        except VideoReadError as error:
            self._note_unreadable(item, f"{error}; its windows count as empty")
            return self.pipeline(dict(item, error=str(error)))

    def _candidates(self, idx: int, entropy: Sequence[int]) -> Iterator[int]:
        """The item asked for, then all others in an order that depends on ``entropy`` only."""
        yield idx
        others = np.random.default_rng([*entropy, 2**32]).permutation(len(self))
        yield from (int(other) for other in others if other != idx)

    def _run(self, item: dict) -> dict:
        packed = self.pipeline(item)
        if item.get("warning") and self._warned.first(item["video_index"]):
            print_log(item["warning"], "current", logging.WARNING)
        return packed

    def _note_unreadable(self, item: Mapping, text: str) -> None:
        if self._unreadable.first(item["video_index"]):
            count = len(self._unreadable.raised())
            print_log(f"{text} ({count} so far)", "current", logging.WARNING)

    def _check_actions(self, records: list[VideoRecord], name: str) -> None:
        if records and not self.test_mode and not any(map(trainable, records)):
            raise ValueError(
                f"there is no action to train on in the {len(records)} videos of subset "
                f"{self.subset!r} of {name}; check its annotations and ignore_labels"
            )

    def _find_videos(self, records: list[VideoRecord]) -> list[str]:
        paths = [self.find_video(record) for record in records]
        missing = [path for path in paths if not osp.isfile(path)]
        if len(missing) == len(paths):
            raise FileNotFoundError(
                f"none of the {len(paths)} videos was found, the first would be {paths[0]}; "
                "check data_root, data_prefix and video_suffix"
            )
        if missing:
            print_log(
                f"{len(missing)} of {len(paths)} videos are missing, first {missing[0]}",
                "current",
                logging.WARNING,
            )
        return paths
