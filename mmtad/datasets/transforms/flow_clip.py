"""Optical flow as a clip, alone or behind the frames that it belongs to."""

from collections.abc import Sequence

import cv2
import numpy as np

from .clip import Clip, FrameSource
from .photometry import ColorOp

_NO_MOTION = 127.5  # the middle of what a uint8 can hold; 255 - x is its mirror image


class FlowClip(Clip):
    """A clip of optical flow, uint8 ``[T, H, W, 2]`` (x, y), see :func:`quantize`.

    What turns the picture turns the displacements in it: a flip replaces x by 255 - x, a rotation
    rotates them. Scaling leaves them, as in public code. Colour operations do nothing.

    Args:
        source: Flow fields as frames of two channels.
        repeats: As in :class:`Clip`.
    """

    channels = 2

    def __init__(self, source: FrameSource, repeats: np.ndarray | None = None):
        super().__init__(source, repeats)
        self._turn = np.eye(2)  # displacement in this clip -> displacement in the source

    def flip(self) -> None:
        """Mirror left and right."""
        super().flip()
        self._turn = self._turn @ np.diag([-1.0, 1.0])

    def warp(self, linear: np.ndarray, shift: Sequence[float] = (0.0, 0.0)) -> None:
        """Move pixels affinely about the centre."""
        super().warp(linear, shift)
        self._turn = self._turn @ np.asarray(linear)

    def color(self, op: ColorOp) -> None:
        """Flow has no colour."""

    def follow(self, frames: Clip) -> None:
        """Take over the geometry of the frames of the same video, which may be of another size.

        Raises:
            ValueError: If the frames are turned already, which their flow has to be with them.
        """
        matrix = frames._matrix
        if not np.array_equal(matrix[:2, :2], np.abs(np.diag(np.diag(matrix[:2, :2])))):
            raise ValueError(
                "the frames are flipped or turned before their flow joins them; put LoadFlow right "
                "behind DecodeFrames"
            )
        height, width = frames._source.shape[1:3]
        scale = np.diag([self.width / width, self.height / height, 1.0])
        self._append(scale @ matrix)
        self.height, self.width = frames.height, frames.width

    def _settle(self) -> np.ndarray:
        frames = super()._settle()
        if not np.array_equal(self._turn, np.eye(2)):
            inverse = np.linalg.inv(self._turn)
            shift = _NO_MOTION - inverse @ np.full(2, _NO_MOTION)
            matrix = np.concatenate([inverse, shift[:, None]], axis=1)
            turned = [cv2.transform(frame, matrix) for frame in frames]
            frames = np.stack(turned) if turned else frames
            self._replace(frames)
            self._turn = np.eye(2)
        return frames


class TwoStreamClip(Clip):
    """Frames and their optical flow, uint8 ``[T, H, W, 5]``; what is done is done to both.

    Args:
        rgb: Frames, not flipped or turned yet.
        flow: As many flow fields of the same video, of any size, nothing done to them yet.

    Raises:
        ValueError: If the lengths differ or the frames are turned.
    """

    channels = 5

    def __init__(self, rgb: Clip, flow: FlowClip):
        if len(rgb) != len(flow):
            raise ValueError(f"{len(rgb)} frames need as many flow fields, got {len(flow)}")
        flow.follow(rgb)
        self._parts = rgb, flow
        self.height, self.width = rgb.height, rgb.width

    def __len__(self) -> int:
        return len(self._parts[0])

    def resize(self, height: int, width: int) -> None:
        """Scale to a size in pixels."""
        for part in self._parts:
            part.resize(height, width)
        self.height, self.width = height, width

    def crop(self, left: float, top: float, width: int, height: int) -> None:
        """Cut out a box, given in pixels of the clip as it is now."""
        for part in self._parts:
            part.crop(left, top, width, height)
        self.height, self.width = height, width

    def flip(self) -> None:
        """Mirror left and right."""
        for part in self._parts:
            part.flip()

    def warp(self, linear: np.ndarray, shift: Sequence[float] = (0.0, 0.0)) -> None:
        """Move pixels affinely about the centre."""
        for part in self._parts:
            part.warp(linear, shift)

    def color(self, op: ColorOp) -> None:
        """Add a colour operation, on the frames alone."""
        self._parts[0].color(op)

    def numpy(self) -> np.ndarray:
        """Do everything that is pending; uint8 ``[T, H, W, 5]``: RGB, flow in x and y.

        Raises:
            VideoReadError: If frames or flow cannot be read.
        """
        rgb, flow = (part.numpy() for part in self._parts)
        return np.concatenate([rgb, flow], axis=-1)
