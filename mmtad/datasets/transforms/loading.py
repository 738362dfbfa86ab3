"""Opening and decoding videos with decord, in the process that uses the frames."""

import contextlib
import os.path as osp
import re
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from ...registry import TRANSFORMS
from .base import Transform
from .clip import Clip
from .spatial import short_side_size

# Below this ratio of file to wanted size, frames are decoded as they are: one resampling in the
# clip is cheaper and sharper than two.
_SCALE_WHILE_DECODING_FROM = 1.5
# Decoding a few frames at a time keeps them in the cache and memory small.
_CHUNK_FRAMES = 64
_CHUNK_BYTES = 16 * 2**20

_DECORD_PREFIX = re.compile(r"\[[\d:]+\] \S+:\d+: ")  # time, source file and line


class VideoReadError(RuntimeError):
    """A video is missing, empty, damaged or no video; the message names it and the reason."""


class VideoReader:
    """Frames of a video file by number, as uint8 RGB arrays.

    A reader does not survive a fork: open it in the worker that uses it.

    Args:
        path: Video file.
        short_side: Pixels that the shorter side shall get. Far larger frames are scaled while they
            are decoded; others keep their size. None keeps the size in any case.
        num_threads: Decoding threads; 0 for as many as the machine has.

    Attributes:
        fps: Frames per second of the file.

    Raises:
        VideoReadError: If the file cannot be opened as a video.
    """

    def __init__(self, path: str, short_side: int | None = None, num_threads: int = 1):
        import decord

        decord.logging.set_level(decord.logging.QUIET)
        self.path = path
        if not osp.isfile(path):
            raise VideoReadError(f"the video {path} does not exist")
        if osp.getsize(path) == 0:
            raise VideoReadError(f"the video {path} is empty (0 bytes)")
        height, width = _decoding_size(path, short_side)
        with self._errors("is not a readable video"):
            self._reader = decord.VideoReader(
                path, ctx=decord.cpu(0), width=width, height=height, num_threads=num_threads
            )
            self._length = len(self._reader)
            self.fps = float(self._reader.get_avg_fps())
        if self._length < 1 or not 0 < self.fps < float("inf"):
            raise VideoReadError(
                f"the video {path} has {self._length} frames at {self.fps} frames per second"
            )

    def __len__(self) -> int:
        return self._length

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Decode frames.

        Args:
            indices: ``[T]`` numbers of frames; increasing is fastest.

        Returns:
            uint8 ``[T, H, W, 3]``.

        Raises:
            VideoReadError: If a frame cannot be decoded.
        """
        from torch.utils.dlpack import from_dlpack

        with self._errors(f"cannot be decoded between frames {indices[0]} and {indices[-1]}"):
            batch = self._reader.get_batch(indices)
        return from_dlpack(batch.to_dlpack()).numpy()  # decord's own asnumpy() copies

    @contextlib.contextmanager
    def _errors(self, what: str):
        from decord import DECORDError

        try:
            yield
        except (DECORDError, RuntimeError, OSError, IndexError) as error:
            reason = _DECORD_PREFIX.sub("", str(error)).strip().splitlines()
            reason = reason[0] if reason else type(error).__name__
            raise VideoReadError(f"the video {self.path} {what}: {reason}") from error


def probe_video(path: str) -> tuple[float, int]:
    """Frames per second and number of frames of a video file.

    Raises:
        VideoReadError: If it is no readable video.
    """
    reader = VideoReader(path)
    return reader.fps, len(reader)


class BlankReader:
    """Stands in for a video that cannot be read: black frames.

    Args:
        short_side: Height of the frames; they are 4:3.
        fps: Frames per second.
        total_frames: Length.
    """

    def __init__(self, short_side: int | None, fps: float, total_frames: int):
        self.fps = fps
        self._length = total_frames
        self._height = short_side or 240

    def __len__(self) -> int:
        return self._length

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Black frames, uint8 ``[T, H, W, 3]``."""
        return np.zeros((len(indices), self._height, self._height * 4 // 3, 3), dtype=np.uint8)


class VideoFrames:
    """Some frames of a video as the source of a :class:`Clip`; decoded when the clip asks.

    Args:
        reader: Open video.
        indices: ``[T]`` numbers of frames, increasing.
    """

    def __init__(self, reader: VideoReader | BlankReader, indices: np.ndarray):
        self._reader = reader
        self._indices = indices
        self._first = reader.read(indices[:1])  # only a decoded frame tells the size
        self.shape = (len(indices), *self._first.shape[1:3])

    def chunks(self) -> Iterator[np.ndarray]:
        """Decode the frames; can be done once."""
        reader, self._reader = self._reader, None
        yield self._first
        step = max(1, min(_CHUNK_FRAMES, _CHUNK_BYTES // self._first.nbytes))
        for start in range(1, len(self._indices), step):
            chunk = reader.read(self._indices[start : start + step])
            if start + step >= len(self._indices):
                reader = None  # its threads would go on to decode what nobody asked for
            yield chunk


@TRANSFORMS.register_module()
class OpenVideo(Transform):
    """Open the file and take its own frame rate and length, which win over the annotation's.

    Reads ``video_path``; sets ``reader``, ``fps``, ``total_frames`` and ``short_side``. Where the
    annotation disagrees by more than 1 %, ``warning`` says so.

    Args:
        short_side: Pixels that the shorter side of the frames shall get, as early as possible: far
            larger videos are scaled while they are decoded. None keeps the size.
        num_threads: Decoding threads; more than 1 pays only without loader workers.
    """

    def __init__(self, short_side: int | None = None, num_threads: int = 1):
        if short_side is not None and short_side < 1:
            raise ValueError(f"short_side is a number of pixels above 0, got {short_side}")
        self.short_side = short_side
        self.num_threads = num_threads

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Open ``video_path``, or stand in for it if ``error`` is set.

        Raises:
            VideoReadError: If the file is no readable video.
        """
        if results.get("error"):
            reader = self._blank(results)
        else:
            reader = VideoReader(results["video_path"], self.short_side, self.num_threads)
            results["warning"] = _disagreement(results, reader)
        results.update(
            reader=reader, fps=reader.fps, total_frames=len(reader), short_side=self.short_side
        )
        return results

    def _blank(self, results: dict[str, Any]) -> BlankReader:
        fps = results.get("fps") or 25.0
        frames = results.get("total_frames") or max(1, round(results["duration"] * fps))
        return BlankReader(self.short_side, fps, frames)


@TRANSFORMS.register_module()
class DecodeFrames(Transform):
    """Decode the frames of the chosen window, each only once.

    Reads ``reader``, ``frame_inds`` and ``short_side``; sets ``frames``, a :class:`Clip` that
    decodes when it is packed, so that crops and scaling are done on the fly.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace ``reader`` by ``frames``."""
        indices, repeats = np.unique(results["frame_inds"], return_inverse=True)
        plain = np.array_equal(indices, results["frame_inds"])
        source = VideoFrames(results.pop("reader"), indices)
        clip = results["frames"] = Clip(source, None if plain else repeats)
        if results["short_side"] is not None:
            clip.resize(*short_side_size(clip.height, clip.width, results["short_side"]))
        return results


def _decoding_size(path: str, short_side: int | None) -> tuple[int, int]:
    """Height and width for the decoder to scale to, (-1, -1) for the size of the file."""
    if short_side is None:
        return -1, -1
    capture = cv2.VideoCapture(path)
    # As stored: decord does not turn frames that a phone marks as rotated.
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
    height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    capture.release()
    if min(height, width) <= _SCALE_WHILE_DECODING_FROM * short_side:  # also if unreadable
        return -1, -1
    return short_side_size(height, width, short_side)


def _disagreement(results: dict[str, Any], reader: VideoReader) -> str | None:
    pairs = {
        "frames per second": (results.get("fps"), reader.fps),
        "frames": (results.get("total_frames"), len(reader)),
    }
    texts = [
        f"{said:g} {unit} where the file has {found:g}"
        for unit, (said, found) in pairs.items()
        if said and abs(said - found) > 0.01 * found
    ]
    if not texts:
        return None
    return (
        f"the annotation of video {results['video_id']!r} says {' and '.join(texts)}; "
        "times follow the file"
    )
