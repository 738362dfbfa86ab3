"""What data sets of untrimmed videos have in common, whatever stands for a video."""

import logging
from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from ..registry import TRANSFORMS
from .annotations import (
    VideoRecord,
    check_database,
    collect_labels,
    parse_videos,
    read_annotation,
    select_subset,
)
from .block_lists import resolve_block_list
from .items import drop_short, ground_truth, trainable
from .transforms.loading import VideoReadError
from .worker_state import SampleClock, SharedFlags


class AnnotatedDataset(BaseDataset):
    """Untrimmed videos with an ActivityNet-style annotation (seconds).

    Subclasses say where the source of a video is (:meth:`find_sources`) and which items it makes
    (:meth:`make_items`); transforms raise :class:`VideoReadError` for a source that cannot be used.
    Such a video is logged once. In training another item takes its place; in testing the sample is
    made without it and says why in its metainfo ``error``.

    ``metainfo["classes"]`` names the classes in the order of their labels; in test mode
    ``metainfo["ground_truth"]`` is the annotation of exactly the evaluated videos, in seconds and
    as it was written.

    Args:
        ann_file: ``.json`` or ``.json.gz`` with ``database``, relative to ``data_root``.
        data_root: Folder that relative paths start from.
        data_prefix: Folders by name, relative to ``data_root``.
        database: The content of ``database``, instead of ``ann_file``.
        subset: Name or names of subsets; None takes all videos.
        classes: Class names in the order of their labels; None takes those of ``metainfo``, else
            the labels of the whole annotation, in the order of the file's ``classes``, else sorted.
        block_list: Videos to leave out: their ids, the name of a known list or the path of a text
            file, see :func:`resolve_block_list`.
        ignore_labels: Labels to leave out.
        min_coverage: Share of its video that an action must exceed to be trained on; 0.01 on
            ActivityNet in OpenTAD.
        drop_empty: Leave out items without an action; None does so in training only.
        pipeline: Transforms.
        test_mode: Keep every window, and never replace an item by another.
        seed: Base seed of all random draws; None takes PyTorch's.
        metainfo: Further metainfo.
        serialize_data: Keep items as bytes that workers share.
        lazy_init: Do not read the annotation yet.

    Raises:
        FileNotFoundError: If there is no annotation file, or no source at all.
        ValueError: If an argument or the annotation is wrong, or no video or no action is left.
    """

    METAINFO: dict = dict()

    def __init__(
        self,
        ann_file: str = "",
        data_root: str = "",
        data_prefix: Mapping[str, str] | None = None,
        database: Mapping[str, Mapping] | None = None,
        subset: str | Sequence[str] | None = None,
        classes: Sequence[str] | None = None,
        block_list: str | Collection[str] = (),
        ignore_labels: Collection[str] = ("Ambiguous",),
        min_coverage: float = 0.0,
        drop_empty: bool | None = None,
        pipeline: Sequence[dict | Any] = (),
        test_mode: bool = False,
        seed: int | None = None,
        metainfo: Mapping | None = None,
        serialize_data: bool = True,
        lazy_init: bool = False,
    ):
        if not ann_file and database is None:
            raise ValueError("a dataset needs ann_file or database, got neither")
        self.database = database
        self.subset = subset
        self.block_list = resolve_block_list(block_list)
        self.ignore_labels = frozenset(ignore_labels)
        if not 0 <= min_coverage < 1:
            raise ValueError(f"min_coverage must be a share from 0 to below 1, got {min_coverage}")
        self.min_coverage = min_coverage
        self.drop_empty = not test_mode if drop_empty is None else drop_empty
        self.seed = seed
        self._classes = None if classes is None else list(classes)
        self.video_ids: list[str] = []
        super().__init__(
            ann_file=ann_file,
            metainfo=metainfo,
            data_root=data_root,
            data_prefix=dict(data_prefix or {}),
            serialize_data=serialize_data,
            pipeline=[TRANSFORMS.build(t) if isinstance(t, dict) else t for t in pipeline],
            test_mode=test_mode,
            lazy_init=lazy_init,
        )

    @abstractmethod
    def find_sources(self, records: list[VideoRecord]) -> list[Any]:
        """What :meth:`make_items` needs to find each video; logs how many are missing.

        Raises:
            FileNotFoundError: If all are missing.
        """

    @abstractmethod
    def make_items(self, record: VideoRecord, source: Any, labels: Mapping[str, int]) -> list[dict]:
        """The items of a video, from one entry of :meth:`find_sources`."""

    @abstractmethod
    def step_seconds(self, record: VideoRecord) -> float | None:
        """Seconds between neighbouring steps of the grid; None if the annotation does not tell."""

    @abstractmethod
    def window_seconds(self, record: VideoRecord) -> float | None:
        """Seconds that a sample shows at most; infinite for a sample of the whole video."""

    def probe(self, record: VideoRecord) -> tuple[float, int] | None:
        """Frame rate and number of frames of a video without annotated duration, if possible."""
        return None

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
        records, classes = self.read_records()
        if self.drop_empty:
            records = [record for record in records if trainable(record)]
        sources = self.find_sources(records)
        self.video_ids = [record.video_id for record in records]
        self._unreadable = SharedFlags(len(records))
        self._warned = SharedFlags(len(records))
        self._metainfo["classes"] = classes
        if self.test_mode:
            self._metainfo["ground_truth"] = ground_truth(records)
        labels = {label: index for index, label in enumerate(classes)}
        items = [
            dict(item, video_index=index)
            for index, (record, source) in enumerate(zip(records, sources, strict=True))
            for item in self.make_items(record, source, labels)
        ]
        if not items:
            raise ValueError(
                f"no window of the {len(records)} videos shows enough of an action; "
                "lower min_visible or enlarge window_size"
            )
        return items

    def read_records(
        self, problems: dict[str, str] | None = None
    ) -> tuple[list[VideoRecord], list[str]]:
        """The annotated videos of the subset, without blocked ones, and the class names.

        In training their actions are those above ``min_coverage``.

        Args:
            problems: Filled with what had to be mended in them, instead of logging it.
        """
        name = self.ann_file if self.database is None else "the given database"
        database, order = (
            read_annotation(self.ann_file)
            if self.database is None
            else (check_database(self.database, name), [])
        )
        chosen = select_subset(database, self.subset, name)
        for one in sorted(self.block_list - database.keys()):
            if one.removeprefix("v_") in database:
                raise ValueError(
                    f"the block list names {one!r}, but {name} the video {one[2:]!r}; write its ids"
                )
        chosen = {key: info for key, info in chosen.items() if key not in self.block_list}
        classes = self._classes or self._metainfo.get("classes")
        classes = list(classes or collect_labels(database, self.ignore_labels, order))
        records = parse_videos(chosen, classes, self.ignore_labels, name, self.probe, problems)
        if self.min_coverage and not self.test_mode:
            records = drop_short(records, self.min_coverage, problems)
        if not records:
            raise ValueError(
                f"no video is left of the {len(database)} in {name} after the subset "
                f"{self.subset!r} and a block list of {len(self.block_list)}; widen them"
            )
        if not self.test_mode and not any(map(trainable, records)):
            raise ValueError(
                f"there is no action to train on in the {len(records)} videos of subset "
                f"{self.subset!r} of {name}; check its annotations and ignore_labels"
            )
        return records, classes

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


def report_missing(
    missing: Sequence[str],
    total: int,
    remedy: str,
    verb: tuple[str, str] = ("was found", "are missing"),
) -> None:
    """Log how many sources are missing.

    Args:
        missing: Where they were looked for.
        total: Number of videos.
        remedy: What to check if all are missing.
        verb: What none of the videos did, and what some of them do.

    Raises:
        FileNotFoundError: If all are missing.
    """
    if len(missing) == total:
        raise FileNotFoundError(
            f"none of the {total} videos {verb[0]}, the first would be {missing[0]}; {remedy}"
        )
    if missing:
        print_log(
            f"{len(missing)} of {total} videos {verb[1]}, first {missing[0]}",
            "current",
            logging.WARNING,
        )
