"""Classes for class-agnostic detections, from an external classifier of whole videos."""

import gzip
import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

METHODS = ("product", "sqrt")


def fuse_video_scores(
    segments: Tensor,
    scores: Tensor,
    video_scores: Tensor,
    topk: int = 2,
    method: str = "product",
) -> tuple[Tensor, Tensor, Tensor]:
    """Give class-agnostic segments of one video the best classes of the whole video.

    Every segment is repeated for each of the ``topk`` classes that the video scores highest in.

    Args:
        segments: ``[N, 2]`` in any unit.
        scores: ``[N]`` scores of the segments, >= 0.
        video_scores: ``[K]`` scores of the video, >= 0, in the order of the classes.
        topk: Classes of the video to keep, 1 to K.
        method: Fused score: ``"product"`` (OpenTAD with the CUHK file) or ``"sqrt"``, the root of
            the product (ActionFormer). Both rank the detections of one video alike.

    Returns:
        Segments ``[N * topk, 2]``, scores ``[N * topk]`` in falling order and labels int64
        ``[N * topk]``.

    Raises:
        ValueError: If ``topk`` or ``method`` is out of range, or scores are negative or not finite.
    """
    check_fusion(topk, method)
    if topk > len(video_scores):
        raise ValueError(f"topk={topk}, but there are only {len(video_scores)} classes to choose")
    for name, values in (("scores", scores), ("video_scores", video_scores)):
        if not bool((values.isfinite() & (values >= 0)).all()):
            raise ValueError(f"{name} must be finite and not negative to be fused, got {values}")
    best, labels = video_scores.to(scores).sort(descending=True, stable=True)
    fused = (best[:topk, None] * scores).flatten()
    if method == "sqrt":
        fused = fused.sqrt()
    order = fused.argsort(descending=True, stable=True)
    labels = labels[:topk].repeat_interleave(len(scores))
    return segments.repeat(topk, 1)[order], fused[order], labels[order]


def check_fusion(topk: int, method: str) -> None:
    """Check the options of :func:`fuse_video_scores`.

    Raises:
        ValueError: If one is out of range.
    """
    if method not in METHODS:
        raise ValueError(f"the method of score fusion is one of {METHODS}, got {method!r}")
    if not isinstance(topk, int) or topk < 1:
        raise ValueError(f"topk of score fusion must be at least 1, got {topk!r}")


@dataclass(frozen=True)
class VideoScores:
    """What an external classifier says about whole videos.

    Attributes:
        file: Where it comes from, for messages.
        classes: Class names in the order of the scores.
        table: Scores by video id, as many as there are classes.
    """

    file: str
    classes: tuple[str, ...]
    table: Mapping[str, Sequence[float]]

    def look_up(self, video_id: str, classes: Sequence[str]) -> Tensor:
        """Scores of one video in the order of other class names.

        Args:
            video_id: Id of the video, with or without ActivityNet's ``v_`` in front.
            classes: Class names of the data set.

        Returns:
            float32 ``[K]``.

        Raises:
            ValueError: If the file has no such video, not all the classes or malformed scores.
        """
        self.check([video_id], classes)
        scores = self._find(video_id)
        try:
            values = [float(score) for score in scores]
        except (TypeError, ValueError):
            values = []
        if len(values) != len(self.classes) or not all(map(math.isfinite, values)):
            raise ValueError(
                f"video '{video_id}' in {self.file} needs one finite score for each of the "
                f"{len(self.classes)} classes, got {str(scores)[:80]}"
            )
        position = {name: index for index, name in enumerate(self.classes)}
        return torch.tensor([values[position[name]] for name in classes])

    def check(self, video_ids: Collection[str], classes: Sequence[str]) -> None:
        """Check that there are scores for all these videos and classes.

        Raises:
            ValueError: If not; the first missing one is named.
        """
        unknown = [name for name in classes if name not in self.classes]
        if unknown:
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

    def _find(self, video_id: str) -> Any:
        other = video_id[2:] if video_id.startswith("v_") else f"v_{video_id}"
        return self.table.get(video_id, self.table.get(other))


def load_cuhk(path: Path) -> tuple[Sequence[str], Mapping[str, Sequence[float]]]:
    """Read ``{"class": [names], "results": {video_id: [score of each class]}}``.

    The layout of the CUHK submission to ActivityNet 2017 that the field uses, and, with
    ``classes`` instead of ``class``, of the InternVideo scores.
    """
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        content = json.load(file)
    names = content.get("class") or content["classes"]
    return [str(name) for name in names], dict(content["results"])


# Format -> function from a path to class names and scores by video id.
LOADERS: dict[str, Callable[[Path], tuple[Sequence[str], Mapping[str, Sequence[float]]]]] = {
    "cuhk": load_cuhk,
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
        classes, table = LOADERS[format](path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} holds no video scores of format '{format}': {error}") from error
    if not classes:
        raise ValueError(f"{file} names no class")
    return VideoScores(str(file), tuple(classes), table)
