"""Opening feature files of every common format, without reading more of them than is asked for."""

import os
import os.path as osp
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from .plain_pickle import load_plain_pickle
from .transforms.loading import VideoReadError

# Files of all videos stay open, one per path. They do not survive a fork: see `_forget`.
_OPEN: dict[str, Any] = {}


class FeatureReadError(VideoReadError):
    """The features of a video are missing, damaged or do not fit; the message says which."""


def open_array(path: str, video_id: str, key: str | None = None, shared: bool = False) -> Any:
    """Open the features of one video as something that has a shape and can be sliced.

    ``.npy`` and ``.pt`` files are mapped into memory, ``.h5`` data sets are read by the slice;
    ``.npz``, ``.pkl`` and ``.csv`` files are read whole. Nothing in a file is executed: ``.pt``
    files are read with ``weights_only=True``, pickles by :func:`load_plain_pickle`.

    Args:
        path: The file.
        video_id: Names the array in a file that holds several, with or without the ``v_`` that
            ActivityNet's files put in front.
        key: Name of the array instead; in HDF5 it may be a path.
        shared: The file holds all videos: it is kept open, and the id must be in it.

    Returns:
        A numpy array (perhaps mapped), a tensor or an HDF5 data set.

    Raises:
        FeatureReadError: If there is no such file or array, or the format is unknown.
    """
    with _errors(path):
        content = _open_shared(path) if shared else _open(path)
        if not _is_container(content):
            if shared:
                raise FeatureReadError(_one_array(path))
            return content
        return _choose(content, path, video_id, key, shared)


def to_numpy(part: Any) -> np.ndarray:
    """A slice of what :func:`open_array` returned, as an array in memory."""
    if isinstance(part, torch.Tensor):
        part = part.detach()
        return (part.float() if part.dtype == torch.bfloat16 else part).numpy()
    return np.asarray(part)


def missing_from(path: str, video_ids: list[str]) -> list[str]:
    """Ids that a file of all videos lacks.

    Raises:
        FeatureReadError: If the file cannot be read or holds a single array.
    """
    with _errors(path):
        content = _open_shared(path)
        if not _is_container(content):
            raise FeatureReadError(_one_array(path))
        names = set(content)
    return [one for one in video_ids if not names.intersection(_names_of(one))]


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Turn what a damaged file raises while it is read into one sentence.

    Raises:
        FeatureReadError: Instead of any error of the readers.
    """
    with _errors(path):
        yield


@contextmanager
def _errors(path: str) -> Iterator[None]:
    try:
        yield
    except FeatureReadError:
        raise
    except FileNotFoundError as error:
        raise FeatureReadError(f"the feature file {path} does not exist") from error
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        RuntimeError,
        zipfile.BadZipFile,
        pickle.UnpicklingError,
    ) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise FeatureReadError(f"the feature file {path} cannot be read: {lines[0]}") from error


def _open(path: str) -> Any:
    if not osp.isfile(path):
        raise FileNotFoundError(path)
    if osp.getsize(path) == 0:
        raise FeatureReadError(f"the feature file {path} is empty (0 bytes)")
    suffix = osp.splitext(path)[1].lower()
    if suffix not in _OPENERS:
        raise FeatureReadError(
            f"the feature file {path} has none of the suffixes {', '.join(_OPENERS)}; convert it "
            "to .npy"
        )
    return _OPENERS[suffix](path)


def _open_npz(path: str) -> Any:
    return np.load(path, allow_pickle=False)


def _open_npy(path: str) -> Any:
    # "c": changes stay in memory; torch warns of arrays that cannot be written to
    return np.load(path, mmap_mode="c", allow_pickle=False)


def _open_pt(path: str) -> Any:
    try:
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # the format of torch before 1.6 cannot be mapped
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise pickle.UnpicklingError(
            "it is damaged, or holds more than tensors and plain containers and is not read since "
            "that may run code; save a tensor"
        ) from error


def _open_h5(path: str) -> Any:
    import h5py

    return h5py.File(path, "r")


def _open_csv(path: str) -> Any:
    """Numbers by comma; a first line that holds anything else is a header (BMN's files)."""
    with open(path, encoding="utf-8") as file:
        first = file.readline()
        try:
            [float(value) for value in first.split(",")]
        except ValueError:
            first = ""
        rows = np.loadtxt([first, *file] if first else file, dtype=np.float32, delimiter=",")
    return rows.reshape(len(rows), -1) if rows.size else rows


_OPENERS = {
    ".npy": _open_npy,
    ".npz": _open_npz,
    ".pt": _open_pt,
    ".pth": _open_pt,
    ".pkl": load_plain_pickle,
    ".pickle": load_plain_pickle,
    ".h5": _open_h5,
    ".hdf5": _open_h5,
    ".csv": _open_csv,
}


def _open_shared(path: str) -> Any:
    if path not in _OPEN:
        _OPEN[path] = _open(path)
    return _OPEN[path]


def _forget() -> None:
    """Close the files of all videos: a process and its child must not share their positions."""
    for content in _OPEN.values():
        if hasattr(content, "close"):
            content.close()
    _OPEN.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_forget)


def _one_array(path: str) -> str:
    return (
        f"the feature file {path} holds one array instead of one per video; put {{video_id}} in "
        "the path if there is a file per video"
    )


def _is_container(content: Any) -> bool:
    return isinstance(content, Mapping) or hasattr(content, "keys")


def _names_of(video_id: str) -> tuple[str, ...]:
    """What the array of a video may be called."""
    return (video_id, f"v_{video_id}", video_id.removeprefix("v_"))


def _choose(content: Any, path: str, video_id: str, key: str | None, shared: bool) -> Any:
    """The array of a video among several."""
    node = content
    if shared:
        name = next((one for one in _names_of(video_id) if one in content), None)
        if name is None:
            raise FeatureReadError(
                f"the feature file {path} has no video {video_id!r} among its {len(content)} "
                f"(first {next(iter(content), 'none')!r})"
            )
        node = content[name]
        if not _is_container(node):
            return node
        path = f"{path}:{name}"
    names = list(node)
    if key is None:
        key = next((one for one in _names_of(video_id) if one in node), None)
        key = names[0] if key is None and len(names) == 1 else key
        problem = "several arrays"
    else:
        problem = f"no array {key!r}"
    if key is not None and key in node:
        return node[key]
    listed = ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
    raise FeatureReadError(
        f"the feature file {path} holds {problem if names else 'nothing'} ({listed}); name the "
        "array to take by the stream's 'key'"
    )
