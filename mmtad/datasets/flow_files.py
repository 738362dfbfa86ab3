"""Optical flow on disk: one npz or one folder of pictures per video.

Both tell how the flow was made, and of how many frames: a reader compares that with the video.
"""

import contextlib
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .optical_flow import FlowSpec
from .transforms.loading import VideoReadError

INFO_FILE = "flow.json"
CHUNK = 64  # fields in an array of a npz: a window needs only some of them
# The tool looks at descriptions alone to tell what is there already, hence --force.
_REMEDY = "make it again with tools/data/extract_flow.py --force"
# What reading a damaged npz, or a file that is none, may end in.
_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
)


class FlowReadError(VideoReadError):
    """The flow of a video is missing, damaged or of another video; the message names it."""


class NoFlowError(FlowReadError):
    """A video has no flow on disk."""


@dataclass(frozen=True)
class FlowInfo:
    """What is known of the flow of one video.

    Attributes:
        spec: How it was made.
        video_frames: Frames of the video file.
        video_fps: Its frames per second.
        count: Number of flow fields.
        height: Of the fields, in pixels.
        width: Of the fields, in pixels.
    """

    spec: FlowSpec
    video_frames: int
    video_fps: float
    count: int
    height: int
    width: int

    @property
    def frames(self) -> np.ndarray:
        """Number of the frame at which each flow field begins, int64 ``[count]``."""
        return self.spec.sampled(self.video_frames, self.video_fps)[: self.count]

    def dumps(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def loads(cls, text: str, path: str) -> "FlowInfo":
        """Read JSON.

        Raises:
            FlowReadError: If entries are missing or wrong; it names the file.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            spec = values.pop("spec")
            spec["size"] = spec["size"] and tuple(spec["size"])
            info = cls(spec=FlowSpec(**spec), **values)
            if not info.video_fps > 0:
                raise ValueError(f"{info.video_fps} frames per second")
            expected = max(1, len(info.spec.sampled(info.video_frames, info.video_fps)) - 1)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise FlowReadError(f"{path} does not describe flow ({error}); {_REMEDY}") from error
        if info.count != expected:
            raise FlowReadError(
                f"{path} tells of {info.count} flow fields of a video of {info.video_frames} "
                f"frames, which would give {expected}; {_REMEDY}"
            )
        return info


class FlowFile:
    """Flow of a video from disk.

    Args:
        path: A npz, or a folder of pictures ``flow_x_00000.jpg``, ``flow_y_00000.jpg``, ...

    Attributes:
        info: How it was made.
        frames: Number of the frame at which each flow field begins, int64 ``[N]``.
        height: Of the fields.
        width: Of the fields.

    Raises:
        FlowReadError: If it is damaged or lacks its description.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if self.path.is_dir():
            source = self.path / INFO_FILE
            if not source.is_file():
                raise FlowReadError(
                    f"the flow in {path} has no {INFO_FILE}, which tells how it was made; "
                    "docs/flow.md says what to write into it"
                )
            self.info = FlowInfo.loads(source.read_text(), str(source))
        else:
            with self._errors():
                text = str(self._members(["info"])[0])
            self.info = FlowInfo.loads(text, str(path))
        self.frames = self.info.frames
        self.height, self.width = self.info.height, self.info.width

    def read(self, positions: np.ndarray) -> np.ndarray:
        """Some fields, uint8 ``[n, H, W, 2]`` (x, y).

        Args:
            positions: Of the fields in ``frames``.

        Raises:
            FlowReadError: If one is missing or damaged.
        """
        if self.path.is_dir():
            fields = np.stack([self._pictures(int(number)) for number in positions])
        else:
            numbers = np.unique(positions // CHUNK)
            with self._errors():
                chunks = self._members([chunk_name(number) for number in numbers])
                places = np.searchsorted(numbers, positions // CHUNK)
                fields = np.stack(
                    [chunks[p][n % CHUNK] for p, n in zip(places, positions, strict=True)]
                )
        if fields.shape[1:] != (self.height, self.width, 2) or fields.dtype != np.uint8:
            raise FlowReadError(
                f"the flow in {self.path} is {fields.dtype} {fields.shape[1:]}, where its "
                f"description says uint8 {(self.height, self.width, 2)}; {_REMEDY}"
            )
        return fields

    def _members(self, names: Iterable[str]) -> list[np.ndarray]:
        with np.load(self.path, allow_pickle=False) as archive:
            return [archive[name] for name in names]

    def _pictures(self, number: int) -> np.ndarray:
        pair = []
        for axis in "xy":
            stem = self.path / f"flow_{axis}_{number:05d}"
            file = next((f for f in map(stem.with_suffix, (".jpg", ".png")) if f.is_file()), None)
            if file is None:
                raise FlowReadError(f"the flow field {stem}.jpg (or .png) is missing; {_REMEDY}")
            picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
            if picture is None or picture.shape != (self.height, self.width):
                raise FlowReadError(
                    f"{file} is no picture of {self.height} x {self.width} pixels; {_REMEDY}"
                )
            pair.append(picture)
        return np.stack(pair, axis=-1)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as error:
            raise FlowReadError(
                f"the flow file {self.path} is damaged or holds no flow ({error}); {_REMEDY}"
            ) from error


def find_flow(folder: str | Path, names: Iterable[str]) -> Path | None:
    """The flow of a video, by the first of its names that there is a npz or a folder of."""
    for name in names:
        for path in (Path(folder, f"{name}.npz"), Path(folder, name)):
            if path.exists():
                return path
    return None


def chunk_name(number: int) -> str:
    """Name of an array of a npz."""
    return f"flow_{number * CHUNK:06d}"
