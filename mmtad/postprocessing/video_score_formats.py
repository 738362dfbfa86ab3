"""Reading the scores that external classifiers gave to whole videos."""

import gzip
import json
import math
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

# The 20 classes of THUMOS14 and their numbers among the 101 classes of UCF-101, from 1.
THUMOS14_CLASS_IDS: dict[str, int] = {
    "BaseballPitch": 7,
    "BasketballDunk": 9,
    "Billiards": 12,
    "CleanAndJerk": 21,
    "CliffDiving": 22,
    "CricketBowling": 23,
    "CricketShot": 24,
    "Diving": 26,
    "FrisbeeCatch": 31,
    "GolfSwing": 33,
    "HammerThrow": 36,
    "HighJump": 40,
    "JavelinThrow": 45,
    "LongJump": 51,
    "PoleVault": 68,
    "Shotput": 79,
    "SoccerPenalty": 85,
    "TennisSwing": 92,
    "ThrowDiscus": 93,
    "VolleyballSpiking": 97,
}
_UCF101_CLASSES = 101


@dataclass(frozen=True)
class VideoScores:
    """What an external classifier says about whole videos.

    Attributes:
        file: Where it comes from, for messages.
        classes: Class names in the order of the scores.
        table: Scores by video id: as many as there are classes, or, where only some are known,
            scores by class name.
        max_topk: How many classes of a video have a score; None for all.
    """

    file: str
    classes: tuple[str, ...]
    table: Mapping[str, Any]
    max_topk: int | None = None

    def look_up(self, video_id: str, classes: Sequence[str]) -> Tensor:
        """Scores of one video in the order of other class names.

        Args:
            video_id: Id of the video, with or without ActivityNet's ``v_`` in front.
            classes: Class names of the data set.

        Returns:
            float32 ``[K]``; 0 for classes without a score.

        Raises:
            ValueError: If the file has no such video, not all the classes or malformed scores.
        """
        self.check([video_id], classes)
        scores = self._find(video_id)
        pairs = (
            scores.items()
            if isinstance(scores, Mapping)
            else zip(self.classes, scores, strict=True)
        )
        values = dict(pairs)
        return torch.tensor([float(values.get(name, 0.0)) for name in classes])

    def check_topk(self, topk: int, num_classes: int | None = None) -> None:
        """Check that so many classes can be told of every video.

        Args:
            topk: Number of classes wanted.
            num_classes: Number of classes of the data set; None if it is not known yet.

        Raises:
            ValueError: If not.
        """
        limits = [limit for limit in (self.max_topk, num_classes) if limit is not None]
        if limits and topk > min(limits):
            raise ValueError(
                f"topk={topk} classes of every video are wanted, but {self.file} tells "
                f"{min(limits)}; set video_scores.topk={min(limits)}"
            )

    def check(self, video_ids: Collection[str], classes: Sequence[str]) -> None:
        """Check that there are good scores for all these videos and classes.

        Raises:
            ValueError: If not; the first missing one is named.
        """
        known = frozenset(self.classes)
        unknown = [name for name in classes if name not in known]
        if unknown and self.max_topk is None:
            raise ValueError(
                f"the video scores {self.file} lack {len(unknown)} of {len(classes)} classes, "
                f"first '{unknown[0]}'; they have '{self.classes[0]}' and so on"
            )
        missing = [video for video in video_ids if self._find(video) is None]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise ValueError(
                f"the video scores {self.file} have no entry for video '{missing[0]}'{more}; add "
                "it or leave video_scores out"
            )
        names = frozenset(classes)
        for video in video_ids:
            self._check_scores(video, names)

    def _check_scores(self, video_id: str, classes: frozenset[str]) -> None:
        scores = self._find(video_id)
        if isinstance(scores, Mapping):
            unknown = [name for name in scores if name not in classes]
            if unknown:
                raise ValueError(
                    f"video '{video_id}' in {self.file} has the class '{unknown[0]}', which is "
                    "none of the data set's; rename it in the file or leave video_scores out"
                )
            scores, expected = list(scores.values()), len(scores)
        else:
            expected = len(self.classes)
        try:
            values = [float(score) for score in scores]
        except (TypeError, ValueError):
            values = []
        if len(values) != expected or not all(0 <= value < math.inf for value in values):
            raise ValueError(
                f"video '{video_id}' in {self.file} needs one finite score >= 0 for each of the "
                f"{expected} classes, got {str(scores)[:80]}; logits need a softmax first"
            )

    def _find(self, video_id: str) -> Any:
        other = video_id[2:] if video_id.startswith("v_") else f"v_{video_id}"
        return self.table.get(video_id, self.table.get(other))


def load_cuhk(path: Path) -> VideoScores:
    """Read ``{"class": [names], "results": {video_id: [score of each class]}}``.

    The layout of the CUHK submission to ActivityNet 2017 that the field uses, and, with
    ``classes`` instead of ``class``, of the InternVideo scores.
    """
    content = _read_json(path)
    names = content.get("class") or content["classes"]
    return VideoScores(str(path), tuple(map(str, names)), dict(content["results"]))


def load_tags(path: Path) -> VideoScores:
    """Read ``{video_id: {"class": name, "score": number}}``: the best class of every video.

    The layout of the file that comes with
    `TAGS <https://arxiv.org/abs/2207.07042>`_ for the validation videos of ActivityNet.
    """
    table = {}
    for video, entry in _read_json(path).items():
        if not isinstance(entry, dict) or not isinstance(entry.get("class"), str):
            raise ValueError(
                f"video '{video}' needs {{'class': name, 'score': number}}, got {str(entry)[:80]}"
            )
        table[video] = {entry["class"]: entry.get("score")}
    names = sorted({name for scores in table.values() for name in scores})
    return VideoScores(str(path), tuple(names), table, max_topk=1)


def load_untrimmednet(path: Path) -> VideoScores:
    """Read the array of UntrimmedNet scores of the THUMOS14 test videos.

    float ``[videos, 101]``: the row is the number in ``video_test_0000123`` less one, the column
    the number of the class in UCF-101 less one. The file that BMN and G-TAD use has 1574 rows,
    each of which sums to 2; only the columns of THUMOS14's classes are kept.
    """
    with path.open("rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise ValueError("it is not an array saved by numpy.save")
    array = np.load(path, allow_pickle=False)
    if array.ndim != 2 or array.shape[1] != _UCF101_CLASSES:
        raise ValueError(f"it needs the shape [videos, {_UCF101_CLASSES}], got {array.shape}")
    columns = np.array(list(THUMOS14_CLASS_IDS.values())) - 1
    rows = array[:, columns].astype(np.float64)
    table = {f"video_test_{number:07d}": row for number, row in enumerate(rows, start=1)}
    return VideoScores(str(path), tuple(THUMOS14_CLASS_IDS), table)


# Format -> function from a path to the scores.
LOADERS: dict[str, Callable[[Path], VideoScores]] = {
    "cuhk": load_cuhk,
    "internvideo": load_cuhk,
    "tags": load_tags,
    "untrimmednet": load_untrimmednet,
}


def load_video_scores(file: str | Path, format: str = "cuhk") -> VideoScores:
    """Read the scores of an external video classifier.

    Args:
        file: Path of the file.
        format: One of ``LOADERS``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the format is unknown or the file does not have it.
    """
    if format not in LOADERS:
        raise ValueError(f"the format of video scores is one of {sorted(LOADERS)}, got {format!r}")
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(
            f"the video scores {file} do not exist; put the classifier's file there or change "
            "post_processor.video_scores.file"
        )
    try:
        scores = LOADERS[format](path)
    except KeyError as error:
        raise ValueError(
            f"{file} holds no video scores of format '{format}': it has no key {error}"
        ) from error
    except (OSError, EOFError, zlib.error, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} holds no video scores of format '{format}': {error}") from error
    if not scores.classes:
        raise ValueError(f"{file} names no class")
    if len(set(scores.classes)) < len(scores.classes):
        raise ValueError(f"{file} names a class twice; give every class one score")
    return scores


def _read_json(path: Path) -> dict[str, Any]:
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        content = json.load(file)
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__} instead of an object")
    return content
