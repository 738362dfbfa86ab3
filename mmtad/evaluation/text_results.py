"""Detections and proposals in the text files of the THUMOS14 challenge, as our results.

A line is ``video start end class_id score``; a file of proposals has ``video start end`` or ``video
start end score``. Fields are separated by blanks or tabs.
"""

import gzip
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .files import PathLike

REVERSED = ("error", "swap", "empty", "drop")
Results = dict[str, list[dict[str, Any]]]


def read_text_results(
    path: PathLike,
    class_names: Mapping[int, str] | None = None,
    *,
    fps: float | Mapping[str, float] | None = None,
    reversed_segments: str = "error",
) -> Results:
    """Read a text file of detections or proposals.

    Args:
        path: Text file, compressed if its name ends in ``.gz``.
        class_names: Name of every class id, for a file of detections (five fields); None for
            a file of proposals (three or four fields). Proposals without a score are ranked as in
            the file: the n-th of a video gets ``1 / n``.
        fps: For times in frames: frame rate of the videos, one number or by video id. None for
            times in seconds.
        reversed_segments: What to do with a segment that ends before it starts: ``"error"``;
            ``"swap"`` its ends, as the THUMOS14 evaluation kit does; make it ``"empty"``, a miss at
            its start; ``"drop"`` it.

    Returns:
        ``{video: [{"segment": [start, end], "label": name, "score": float}]}`` in seconds and in
        the order of the file; without ``"label"`` for proposals.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a line has another number of fields, or a time, class id or score is not
            valid (the message names the line), or there is no line.
    """
    if reversed_segments not in REVERSED:
        raise ValueError(
            f"reversed_segments must be one of {', '.join(REVERSED)}, got {reversed_segments!r}"
        )
    results: Results = {}
    for number, line in enumerate(_read_text(Path(path)).splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        video, *fields = line.split()
        _check_fields(fields, class_names, line, where)
        scale = 1.0 if fps is None else 1.0 / _frame_rate(fps, video, where)
        start, end = (scale * _number(text, "time", where) for text in fields[:2])
        if end < start:
            if reversed_segments == "drop":
                results.setdefault(video, [])
                continue
            start, end = _mend(start, end, reversed_segments, where)
        detections = results.setdefault(video, [])
        entry: dict[str, Any] = {"segment": [start, end]}
        if class_names is not None:
            entry["label"] = _class_name(fields[2], class_names, where)
        has_score = len(fields) > 2
        entry["score"] = (
            _number(fields[-1], "score", where) if has_score else 1.0 / (len(detections) + 1)
        )
        detections.append(entry)
    if not results:
        raise ValueError(f"{path} has no line with a detection or proposal; write the file again")
    return results


def _read_text(path: Path) -> str:
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"{path} {what}; give the path of a text file")
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return raw.decode("utf-8")
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a text file ({error})") from error


def _check_fields(
    fields: list[str], class_names: Mapping[int, str] | None, line: str, where: str
) -> None:
    expected = (4,) if class_names is not None else (2, 3)
    if len(fields) in expected:
        return
    layout = (
        "video start end class_id score"
        if class_names is not None
        else "video start end, or video start end score"
    )
    hint = ""
    if class_names is None and len(fields) == 4:
        hint = "; for detections give the names of the classes"
    raise ValueError(f"{where} is {line.strip()!r}; expected {layout}{hint}")


def _number(text: str, what: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{where} has the {what} {text!r}; expected a finite number")
    return value


def _frame_rate(fps: float | Mapping[str, float], video: str, where: str) -> float:
    if isinstance(fps, Mapping):
        if video not in fps:
            raise ValueError(f"{where}: the frame rate of video '{video}' is not known; add it")
        fps = fps[video]
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"{where}: the frame rate of video '{video}' is {fps}; it is above 0")
    return fps


def _mend(start: float, end: float, how: str, where: str) -> tuple[float, float]:
    if how == "error":
        raise ValueError(
            f"{where} has the reversed segment [{start}, {end}]; choose to swap its ends, to make "
            "it empty or to drop it"
        )
    return (end, start) if how == "swap" else (start, start)


def _class_name(text: str, class_names: Mapping[int, str], where: str) -> str:
    try:
        return class_names[int(text)]
    except (ValueError, KeyError) as error:
        known = ", ".join(map(str, sorted(class_names)[:3]))
        raise ValueError(
            f"{where} has the class id {text!r}, which is not among the {len(class_names)} known "
            f"ones ({known}, ...)"
        ) from error
