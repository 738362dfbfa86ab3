"""Reading and writing the JSON files of an evaluation."""

import gzip
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..version import __version__

PathLike = str | os.PathLike[str]
Source = Mapping[str, Any] | PathLike


def read_json(path: PathLike) -> Any:
    """Read a JSON file, compressed if its name ends in ``.gz``.

    Args:
        path: File to read.

    Returns:
        What the file holds.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not JSON.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"{path} {what}; give the path of a JSON file")
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return json.loads(raw)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path} is not JSON (line {error.lineno}, column {error.colno}: {error.msg}); "
            "write the file again"
        ) from error
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is not JSON text ({error}); write the file again") from error


def read_section(source: Source, key: str, default_name: str) -> tuple[Mapping[str, Any], str]:
    """Take the dict under ``key`` out of a file or of an already loaded dict.

    Args:
        source: Path or dict of the form ``{key: {video_id: ...}}``.
        key: ``"database"`` or ``"results"``.
        default_name: What messages call a source that is not a file.

    Returns:
        The dict by video, and the name of the source for messages.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not JSON, or the key is missing or holds no dict.
    """
    content: Any
    if isinstance(source, Mapping):
        content, name = source, default_name
    else:
        content, name = read_json(source), str(source)
    if not isinstance(content, Mapping):
        raise ValueError(
            f"{name} holds a {type(content).__name__}; expected an object with the key '{key}'"
        )
    if key not in content:
        found = ", ".join(map(repr, list(content)[:5])) or "none"
        raise ValueError(
            f"{name} has no key '{key}' (keys found: {found}); "
            f"expected the ActivityNet layout {{'{key}': {{video_id: ...}}}}"
        )
    if not isinstance(content[key], Mapping):
        raise ValueError(
            f"the key '{key}' of {name} holds a {type(content[key]).__name__}; "
            "expected an object keyed by video id"
        )
    return content[key], name


def write_results(path: PathLike, results: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write detections in the ActivityNet result format; the file appears whole or not at all.

    Args:
        path: File to write; missing folders are made, an existing file is replaced.
        results: ``{video_id: [{"segment": [start, end], "label": name, "score": float}]}`` in
            seconds, written with full precision.

    Raises:
        ValueError: If a number is NaN or infinite, which JSON cannot hold.
    """
    path = Path(path)
    content = {"version": f"mmtad {__version__}", "results": dict(results), "external_data": {}}
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
