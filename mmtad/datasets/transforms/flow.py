"""Optical flow of the frames of a window, from disk or made on the spot."""

import os.path as osp
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...registry import TRANSFORMS
from ..flow_files import FlowFile, FlowReadError, NoFlowError, find_flow
from ..optical_flow import STILL, FlowSpec, VideoFlow, nearest, open_flow
from .base import Transform
from .clip import ArrayFrames
from .flow_clip import FlowClip, TwoStreamClip
from .spatial import short_side_size

_CHUNK = 64


class FlowFrames:
    """Some flow fields of a video as the source of a :class:`FlowClip`; read when it asks.

    Args:
        flow: Flow of the whole video.
        positions: ``[T]`` of the fields, increasing.
    """

    def __init__(self, flow: FlowFile | VideoFlow, positions: np.ndarray):
        self._flow = flow
        self._positions = positions
        self.shape = (len(positions), flow.height, flow.width)

    def chunks(self) -> Iterator[np.ndarray]:
        """All fields, a few at a time; can be done once."""
        flow, self._flow = self._flow, None
        for start in range(0, len(self._positions), _CHUNK):
            fields = flow.read(self._positions[start : start + _CHUNK])
            if start + _CHUNK >= len(self._positions):
                flow = None  # the threads of a video would go on to decode what nobody asked for
            yield fields


@TRANSFORMS.register_module()
class LoadFlow(Transform):
    """Put the optical flow of the window's frames behind them, as channels 3 (x) and 4 (y).

    Right behind ``DecodeFrames`` it makes ``frames`` a clip of five channels, whose later crops,
    scaling and flips are done to all of them and changes of colour to RGB alone. In the place of
    ``DecodeFrames`` it makes a clip of the flow alone, two channels.

    Each frame gets the flow field that begins nearest to it. Where ``data_prefix`` of the dataset
    has a folder ``flow``, it is read from there (``tools/data/extract_flow.py``, docs/flow.md) and
    has to have been made as the arguments say; elsewhere, as in the inferencer, it is made of the
    video on the spot, with the same result.

    Reads ``frame_inds``, ``total_frames``, ``video_id``, ``video_path``, ``flow_folder`` (optional)
    and ``frames`` (optional).

    Args:
        method: ``"dis"``, ``"farneback"`` or ``"tvl1"``.
        bound: Displacement in pixels that becomes 0 or 255.
        fps: Flow fields per second.
        frames: Instead of ``fps`` (None then), this number of frames over the whole video.
        size: (height, width) of the frames that it is made of, or one number for both.
        short_side: Instead of ``size`` (None then), pixels of their shorter side.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        method: str = "dis",
        bound: float = 20.0,
        fps: float | None = 10.0,
        frames: int | None = None,
        size: int | tuple[int, int] | None = 112,
        short_side: int | None = None,
    ):
        self.spec = FlowSpec(method, bound, fps, frames, size, short_side)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Make ``frames`` a clip with flow.

        Raises:
            FileNotFoundError: If there is no folder of flow.
            ValueError: If the flow was made in another way than the arguments say.
            FlowReadError: If a video has no flow, damaged flow, or that of another video.
        """
        clip = self._clip(results)
        if "frames" in results:
            results["frames"] = TwoStreamClip(results["frames"], clip)
            return results
        results.pop("reader", None)
        results["frames"] = clip
        if results.get("short_side") is not None:
            clip.resize(*short_side_size(clip.height, clip.width, results["short_side"]))
        return results

    def _clip(self, results: dict[str, Any]) -> FlowClip:
        count = len(results["frame_inds"])
        if results.get("error"):  # a black video stands still
            size = self.spec.scaled(3, 4)
            still = np.full((1, *size, 2), STILL, np.uint8)
            return FlowClip(ArrayFrames(still), np.zeros(count, np.int64))
        flow = self._open(results)
        positions = nearest(flow.frames, np.asarray(results["frame_inds"]))
        needed, repeats = np.unique(positions, return_inverse=True)
        plain = np.array_equal(needed, positions)
        return FlowClip(FlowFrames(flow, needed), None if plain else repeats)

    def _open(self, results: dict[str, Any]) -> FlowFile | VideoFlow:
        folder = results.get("flow_folder")
        if folder is None:
            # Not by the reader of the frames, which may scale them in another way.
            return open_flow(results["video_path"], self.spec)
        if not osp.isdir(folder):
            raise FileNotFoundError(
                f"the folder of flow {folder} does not exist; make it with "
                "tools/data/extract_flow.py, or leave flow out of data_prefix to have it made "
                "while loading"
            )
        return self.open_file(
            folder, results["video_id"], results.get("video_path") or "", results["total_frames"]
        )

    def open_file(
        self, folder: str, video_id: str, video_path: str, total_frames: int | None = None
    ) -> FlowFile:
        """Flow of a video from disk, compared with the arguments and the video.

        Args:
            folder: Of the flow of all videos.
            video_id: Its name in the annotation.
            video_path: The video file, whose name the flow may have instead.
            total_frames: Frames of the video; None does not compare them.

        Raises:
            ValueError: If the flow was made in another way than the arguments say.
            FlowReadError: If there is none, or it is damaged or of another video.
        """
        file = Path(video_path or video_id)
        # The tool names flow by the whole name where two files differ in their suffix alone.
        path = find_flow(folder, (video_id, file.stem, file.name))
        if path is None:
            raise NoFlowError(
                f"there is no flow of video {video_id!r} in {folder}; make it with "
                "tools/data/extract_flow.py"
            )
        flow = FlowFile(path)
        different = self.spec.differences(flow.info.spec)
        if different:
            raise ValueError(
                f"the flow in {path} was made with another {', '.join(different)}; give LoadFlow "
                "what it was made with, or make it again"
            )
        if total_frames is not None and flow.info.video_frames != total_frames:
            raise FlowReadError(
                f"the flow in {path} is of a video of {flow.info.video_frames} frames, but video "
                f"{video_id!r} has {total_frames}; make it again with "
                "tools/data/extract_flow.py --force"
            )
        return flow
