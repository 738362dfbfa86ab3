"""ActivityNet-1.3: published counts, and the layouts that its annotation is found in."""

from pathlib import Path

from .conversion import Benchmark
from .counts import Published
from .layouts import (
    ACTIVITYNET_STYLE,
    TSP_GROUND_TRUTH,
    each_video,
    first_video,
    has_database,
    parse_database,
)
from .reading import RawFile
from .source import Layout, Source
from .video_info import Columns, read_video_info, table_layout

# An id of YouTube has 11 characters; files and features are often named v_<id>.
_ID_LENGTH = 11


def activitynet_id(video_id: str) -> str:
    """The id without the ``v_`` that names of files carry."""
    if len(video_id) == _ID_LENGTH + 2 and video_id.startswith("v_"):
        return video_id[2:]
    return video_id


def available_ids(path: str | Path) -> set[str]:
    """Ids of the videos that a folder of features or videos holds, or that a file of BMN lists.

    Args:
        path: Folder of files named ``<id>.<suffix>`` or ``v_<id>.<suffix>``, or a file with
            durations.

    Raises:
        FileNotFoundError: If there is neither.
        ValueError: If the folder is empty or the file in no known layout.
    """
    path = Path(path)
    if not path.is_dir():
        return set(read_video_info(path, activitynet_id).videos)
    ids = {activitynet_id(file.stem) for file in path.iterdir() if file.is_file()}
    if not ids:
        raise ValueError(f"the folder {path} holds no file; give one with features or videos")
    return ids


def _is_official(raw: RawFile) -> bool:
    return has_database(raw) and "taxonomy" in raw.content and "url" in first_video(raw)


def _is_bmn(raw: RawFile) -> bool:
    return not has_database(raw) and bool(first_video(raw, "duration_second", "duration_frame"))


def _parse_bmn(raw: RawFile, source: Source) -> None:
    for video_id, info in each_video(raw):
        source.video(
            video_id, duration=info.get("duration_second"), frames=info.get("duration_frame")
        )
        source.add_dicts(video_id, info.get("annotations"))


def _subset_of_file(raw: RawFile) -> str | None:
    """TSP names the subset in the file name only."""
    for part in ("train", "valid", "test"):
        if f"_{part}_" in raw.path.name:
            return part
    return None


def _parse_tsp(raw: RawFile, source: Source) -> None:
    TSP_GROUND_TRUTH.parse(raw, source)
    for video in source.videos.values():
        video.subset = _subset_of_file(raw)


def _parse_tsp_metadata(raw: RawFile, source: Source) -> None:
    _TSP_METADATA.parse(raw, source)
    for video in source.videos.values():
        video.subset = _subset_of_file(raw)


_TSP_METADATA = table_layout(
    "TSP metadata", Columns("filename", "video-duration", "fps", "video-frames")
)

ACTIVITYNET = Benchmark(
    name="ActivityNet-1.3",
    layouts=(
        Layout("official JSON", _is_official, parse_database),
        ACTIVITYNET_STYLE,
        Layout("BMN JSON", _is_bmn, _parse_bmn),
        Layout("TSP ground truth", TSP_GROUND_TRUTH.matches, _parse_tsp),
        Layout("TSP metadata", _TSP_METADATA.matches, _parse_tsp_metadata),
    ),
    subsets={
        "training": ("train",),
        "validation": ("val", "valid"),
        "testing": ("test",),
    },
    published={
        "training": (
            Published(10024, 15410, 200),
            Published(9649, 14859, 200, version="with features of BMN"),
        ),
        "validation": (
            Published(4926, 7654, 200),
            Published(4728, 7293, 200, version="with features of BMN"),
        ),
        "testing": (
            Published(5044, 0, 0),
            Published(4851, 0, 0, version="with features of BMN"),
        ),
    },
    video_id=activitynet_id,
)
