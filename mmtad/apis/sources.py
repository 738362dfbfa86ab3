"""Which videos a path, a list of paths or a folder stands for, and what they are called."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..datasets.transforms.loading import VideoReader

VIDEO_SUFFIXES = frozenset(
    ".3gp .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .webm .wmv".split()
)


def find_videos(inputs: str | Path | Sequence[str | Path]) -> dict[str, Path]:
    """Name the videos of some input.

    Args:
        inputs: A video file, a folder (its files with a common video suffix, not those of its
            sub-folders), or a list of both. A file named by its path may have any suffix; one that
            is named twice counts once.

    Returns:
        Path per video id, in the order of the list and by name within a folder. An id is the name
        of the file without its suffix; where that is not unique, with the suffix, and with as many
        parent folders as tell the files apart.

    Raises:
        FileNotFoundError: If a path does not exist.
        ValueError: If a folder has no video, or there is no input.
    """
    if isinstance(inputs, str | Path):
        inputs = [inputs]
    files: dict[Path, Path] = {}
    for entry in inputs:
        path = Path(entry)
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist")
        for file in _list_folder(path) if path.is_dir() else [path]:
            files.setdefault(file.resolve(), file)
    if not files:
        raise ValueError("there is no video to look at: give a video file or a folder of videos")
    return dict(zip(_name(list(files)), files.values(), strict=True))


def probe_video(path: str | Path) -> dict[str, Any]:
    """Make what an annotation file says about a video from the file itself.

    Args:
        path: Video file.

    Returns:
        ``video_path``, ``duration`` (seconds), ``fps``, ``frame`` (their number) and no
        ``annotations``.

    Raises:
        VideoReadError: If the file is no video or has no frames.
    """
    path = str(Path(path).resolve())
    reader = VideoReader(path)
    return {
        "video_path": path,
        "duration": len(reader) / reader.fps,
        "fps": reader.fps,
        "frame": len(reader),
        "annotations": [],
    }


def _list_folder(folder: Path) -> list[Path]:
    files = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()
    )
    if not files:
        raise ValueError(
            f"the folder {folder} has no video; files with these suffixes count: "
            + " ".join(sorted(VIDEO_SUFFIXES))
        )
    return files


def _name(paths: list[Path]) -> list[str]:
    """Give each of some different absolute paths the shortest name that no other has."""
    names = [path.stem for path in paths]
    for depth in range(1, max((len(path.parts) for path in paths), default=0)):
        counts = Counter(names)
        if len(counts) == len(paths):
            break
        names = [
            name if counts[name] == 1 else "_".join(path.parts[-depth:])
            for name, path in zip(names, paths, strict=True)
        ]
    # Folder names with underscores can still meet: a_b/c and a/b_c.
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return unique
