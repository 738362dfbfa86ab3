"""Features of one video from one or several files, as one sequence."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from .arguments import is_number
from .feature_files import FeatureReadError, open_array, reading, to_numpy

LAYOUTS = ("TC", "CT")
_BMN_MARGIN = 1e-4  # BMN keeps this far from the middles of the first and the last feature


@dataclass(frozen=True)
class FeatureStream:
    """Where the features of one extractor are.

    Args:
        path: File with ``{video_id}`` in its name, or one file that holds all videos by id.
        layout: ``"TC"`` where the files hold ``[T, C]``, ``"CT"`` where they hold ``[C, T]``.
        channels: Number of channels that is expected; None takes that of the first file.
        key: Array to take from a file that holds several.
        feature_stride: Frames between neighbouring features of this stream, if not the dataset's.

    Raises:
        ValueError: If a value is malformed.
    """

    path: str
    layout: str = "TC"
    channels: int | None = None
    key: str | None = None
    feature_stride: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not self.path:
            raise ValueError(f"the path of a feature stream must be text, got {self.path!r}")
        try:
            self.path.format(video_id="")
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(
                f"the path {self.path!r} of a feature stream may have {{video_id}} in braces and "
                "nothing else"
            ) from error
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout must be one of {LAYOUTS}, got {self.layout!r}")
        if self.channels is not None and not (isinstance(self.channels, int) and self.channels > 0):
            raise ValueError(f"channels must be a number above 0, got {self.channels!r}")
        if self.feature_stride is not None and not is_number(self.feature_stride, above=0):
            raise ValueError(
                f"the feature_stride of a stream must be above 0, got {self.feature_stride!r}"
            )

    @property
    def shared(self) -> bool:
        """Whether one file holds all videos."""
        return "{video_id}" not in self.path

    def file(self, video_id: str) -> str:
        """Path of the file of a video."""
        return self.path.format(video_id=video_id)

    def to_dict(self) -> dict[str, Any]:
        """As the dict that it can be made from."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def parse_streams(
    features: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]],
) -> tuple[FeatureStream, ...]:
    """Read what a config says about streams: a path, the arguments of one, or a list of these.

    Raises:
        ValueError: If there is none, or an argument is unknown or malformed.
    """
    entries = [features] if isinstance(features, str | Mapping) else list(features or ())
    if not entries:
        raise ValueError(f"features must name at least one feature file, got {features!r}")
    streams = []
    for entry in entries:
        options = dict(path=entry) if isinstance(entry, str) else dict(entry)
        names = [field.name for field in fields(FeatureStream)]
        if "path" not in options or not set(options) <= set(names):
            raise ValueError(f"a feature stream has {names}, of which path must be, got {options}")
        streams.append(FeatureStream(**options))
    return tuple(streams)


class FeatureSequence:
    """Features of one video, opened but not read.

    The first stream sets the number of steps; a stream of another length is interpolated to it.

    Args:
        streams: Where the features are.
        video_id: The video.

    Attributes:
        length: Steps.
        lengths: Steps of each stream as stored.
        channels: Channels of each stream.

    Raises:
        FeatureReadError: If a file is missing, damaged, empty or has not the expected shape.
    """

    def __init__(self, streams: Sequence[FeatureStream], video_id: str):
        self.video_id = video_id
        self._streams = tuple(streams)
        self._arrays = []
        self.lengths, self.channels = [], []
        for stream in streams:
            array = open_array(stream.file(video_id), video_id, stream.key, stream.shared)
            length, channels = _shape(array, stream, video_id)
            self._arrays.append(array)
            self.lengths.append(length)
            self.channels.append(channels)
        self.length = self.lengths[0]

    @property
    def path(self) -> str:
        """File of the first stream."""
        return self._streams[0].file(self.video_id)

    def read(self, start: int = 0, stop: int | None = None, stride: int = 1) -> np.ndarray:
        """Read steps.

        Args:
            start: First step.
            stop: Step to stop before; None reads to the end.
            stride: Take every n-th step.

        Returns:
            float32 ``[C, T']``, streams one after the other along the channels.

        Raises:
            FeatureReadError: If a file is damaged or holds NaN or infinite values.
        """
        part = slice(start, self.length if stop is None else stop, stride)
        parts = [self._read_stream(index, part) for index in range(len(self._streams))]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _read_stream(self, index: int, part: slice) -> np.ndarray:
        stream, array = self._streams[index], self._arrays[index]
        path = stream.file(self.video_id)
        other = self.lengths[index] != self.length
        with reading(path):
            wanted = slice(None) if other else part
            values = array[wanted] if stream.layout == "TC" else array[:, wanted]
            values = to_numpy(values).astype(np.float32, copy=False)
        if stream.layout == "TC":
            values = values.T
        if not np.isfinite(values).all():
            raise FeatureReadError(
                f"the features of video {self.video_id!r} in {path} are NaN or infinite; "
                "extract them again"
            )
        if other:
            values = interpolate(values, self.length)[:, part]
        # A copy, since files of all videos stay open; torch turns ten times as fast as numpy.
        return torch.from_numpy(values).clone(memory_format=torch.contiguous_format).numpy()


def interpolate(features: np.ndarray, length: int) -> np.ndarray:
    """Stretch or squeeze features linearly, each step standing for the middle of its share.

    Args:
        features: float32 ``[C, T]``.
        length: T'.

    Returns:
        float32 ``[C, T']``.
    """
    tensor = torch.from_numpy(np.ascontiguousarray(features))[None]
    return functional.interpolate(tensor, size=length, mode="linear", align_corners=False)[
        0
    ].numpy()


def roi_align(features: np.ndarray, length: int) -> np.ndarray:
    """Stretch or squeeze features as RoI align does, in which OpenTAD resizes ActivityNet.

    Each new step is the mean of as many values as it has features (rounded up), at equal distances
    within its share and interpolated linearly; a stretch is that of :func:`interpolate`.

    Args:
        features: float32 ``[C, T]``.
        length: T'.

    Returns:
        float32 ``[C, T']``.
    """
    samples = -(-features.shape[1] // length)
    finer = interpolate(features, length * samples)
    return finer.reshape(len(features), length, samples).mean(axis=2)


def average_samples(features: np.ndarray, length: int, samples: int = 3) -> np.ndarray:
    """Stretch or squeeze features as `BMN <https://arxiv.org/abs/1907.09702>`_ does.

    Each new step is the mean of ``samples`` values at equal distances from its first to its last
    moment, interpolated linearly and kept within the middles of the first and the last feature.

    Args:
        features: float32 ``[C, T]``.
        length: T'.
        samples: Values per step.

    Returns:
        float32 ``[C, T']``.
    """
    count = features.shape[1]
    if count == 1:
        return np.repeat(features, length, axis=1)
    borders = np.arange(length + 1) * (count / length) - 0.5  # in steps of the features
    borders = np.clip(borders, _BMN_MARGIN, count - 1 - _BMN_MARGIN)
    where = np.linspace(borders[:-1], borders[1:], samples)  # [samples, T']
    left = np.minimum(where.astype(np.int64), count - 2)
    weight = (where - left).astype(np.float32)
    values = features[:, left] * (1 - weight) + features[:, left + 1] * weight
    return values.mean(axis=1, dtype=np.float64).astype(np.float32)


def _shape(array: Any, stream: FeatureStream, video_id: str) -> tuple[int, int]:
    """Steps and channels of an array, checked."""
    where = f"the features of video {video_id!r} in {stream.file(video_id)}"
    shape = tuple(getattr(array, "shape", ()))
    kind = getattr(array, "dtype", type(array).__name__)
    kind = kind.name if isinstance(kind, np.dtype) else str(kind)  # ">f8" is a float64
    if len(shape) != 2 or not any(name in kind for name in ("float", "int")):
        raise FeatureReadError(
            f"{where} must be numbers in two dimensions, {_spell(stream.layout)}, got "
            f"{kind} of shape {list(shape)}"
        )
    length, channels = shape if stream.layout == "TC" else shape[::-1]
    if stream.channels not in (None, channels):
        turned = stream.channels == length
        other = "CT" if stream.layout == "TC" else "TC"
        remedy = f"set layout='{other}'" if turned else "check the file and the stream's 'channels'"
        raise FeatureReadError(
            f"{where} have {channels} channels instead of {stream.channels} (shape {list(shape)} "
            f"read as {_spell(stream.layout)}); {remedy}"
        )
    if length < 1 or channels < 1:
        raise FeatureReadError(f"{where} are empty, their shape is {list(shape)}")
    return length, channels


def _spell(layout: str) -> str:
    return f"[{layout[0]}, {layout[1]}]"
