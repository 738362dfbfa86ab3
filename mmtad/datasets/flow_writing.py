"""Writing optical flow: whole videos, never half of one."""

import os
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from .flow_files import CHUNK, INFO_FILE, FlowInfo, chunk_name

LAYOUTS = ("npz", "jpg", "png")
_JPEG_QUALITY = 95


def write_flow(
    folder: str | Path, name: str, layout: str, info: FlowInfo, chunks: Iterable[np.ndarray]
) -> Path:
    """Write the flow of a video, under its name only once it is whole.

    Args:
        folder: Where it goes.
        name: Of the video.
        layout: ``"npz"``, ``"jpg"`` or ``"png"``. JPEG is not exact.
        info: How it was made.
        chunks: uint8 ``[n, H, W, 2]``, ``info.count`` fields together.

    Returns:
        The npz or the folder of pictures.

    Raises:
        ValueError: If the layout is unknown, there are more or fewer fields, or a folder of this
            name holds something else.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"the layout of flow is one of {LAYOUTS}, got {layout!r}")
    places = Path(folder, f"{name}.npz"), Path(folder, name)
    target = places[0 if layout == "npz" else 1]
    aside = target.with_name(f".{target.name}.part")
    for place in places:
        check_replaceable(place)
    _remove(aside)
    aside.parent.mkdir(parents=True, exist_ok=True)
    try:
        if layout == "npz":
            count = _write_npz(aside, info, chunks)
        else:
            count = _write_pictures(aside, layout, info, chunks)
        if count != info.count:
            raise ValueError(f"{count} flow fields were made for {name}, not {info.count}")
        for place in places:  # flow of another layout would be read in its stead
            if place != target or layout != "npz":
                _remove(place)
        os.replace(aside, target)
    finally:
        _remove(aside)
    return target


def check_replaceable(path: Path) -> None:
    """Raise a ValueError if there is a folder of this name that holds something else than flow."""
    if path.is_dir() and not (path / INFO_FILE).is_file():
        raise ValueError(
            f"{path} is a folder, but of no flow that was made here: it has no {INFO_FILE}; name "
            "another folder to write flow into"
        )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write_npz(path: Path, info: FlowInfo, chunks: Iterable[np.ndarray]) -> int:
    count, pending = 0, np.empty((0, info.height, info.width, 2), np.uint8)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:

        def put(name: str, array: np.ndarray) -> None:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)

        put("info", np.array(info.dumps()))
        for chunk in chunks:
            pending = np.concatenate([pending, chunk])
            while len(pending) >= CHUNK:
                put(chunk_name(count // CHUNK), pending[:CHUNK])
                count, pending = count + CHUNK, pending[CHUNK:]
        if len(pending):
            put(chunk_name(count // CHUNK), pending)
    return count + len(pending)


def _write_pictures(path: Path, layout: str, info: FlowInfo, chunks: Iterable[np.ndarray]) -> int:
    path.mkdir()
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if layout == "jpg" else []
    count = 0
    for chunk in chunks:
        for field in chunk:
            for axis, values in zip("xy", np.moveaxis(field, -1, 0), strict=True):
                file = path / f"flow_{axis}_{count:05d}.{layout}"
                if not cv2.imwrite(str(file), np.ascontiguousarray(values), options):
                    raise OSError(f"cannot write {file}; is the disk full?")
            count += 1
    (path / INFO_FILE).write_text(info.dumps())
    return count
