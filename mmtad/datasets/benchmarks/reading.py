"""Opening annotation files of any benchmark: JSON, tables and text, compressed or not."""

import csv
import gzip
import io
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DELIMITERS = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True)
class RawFile:
    """An opened file or folder, not yet understood.

    Attributes:
        path: Where it lies.
        kind: ``"json"``, ``"table"``, ``"text"`` or ``"folder"``.
        content: The parsed JSON; rows as dicts by column; lines without blank ones; or the sorted
            paths of the files in the folder and below.
        columns: Columns of a table.
    """

    path: Path
    kind: str
    content: Any
    columns: tuple[str, ...] = ()

    def describe(self) -> str:
        """What is seen at first sight, for messages."""
        if self.kind == "table":
            return f"a table with the columns {', '.join(self.columns)}"
        if self.kind == "folder":
            names = [path.name for path in self.content]
            return f"a folder with {len(names)} files ({', '.join(names[:3])}, ...)"
        if self.kind == "text":
            return f"text that starts with {self.content[0][:60]!r}" if self.content else "empty"
        if isinstance(self.content, Mapping):
            return f"JSON with the keys {', '.join(map(repr, list(self.content)[:5]))}"
        return f"JSON that holds a {type(self.content).__name__}"


def open_raw(path: str | Path) -> RawFile:
    """Open a file by its suffix (``.json``, ``.csv``, ``.tsv``, else text; ``.gz`` on top).

    Raises:
        FileNotFoundError: If there is neither a file nor a folder.
        ValueError: If it cannot be read as what its suffix says.
    """
    path = Path(path)
    if path.is_dir():
        return RawFile(path, "folder", sorted(file for file in path.rglob("*") if file.is_file()))
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; give the path of an annotation file")
    text = read_text(path)
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    if suffix == ".json":
        try:
            return RawFile(path, "json", json.loads(text))
        except json.JSONDecodeError as error:
            raise ValueError(
                f"{path} is not JSON (line {error.lineno}, column {error.colno}: {error.msg}); "
                "download it again"
            ) from error
    if suffix in _DELIMITERS:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=_DELIMITERS[suffix])
        rows = list(reader)
        return RawFile(path, "table", rows, tuple(reader.fieldnames or ()))
    return RawFile(path, "text", [line.strip() for line in text.splitlines() if line.strip()])


def read_text(path: Path) -> str:
    """The text of a file, unpacked if its name ends in ``.gz``.

    Raises:
        ValueError: If it is not text, or damaged.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return raw.decode("utf-8-sig")
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{path} is not a text file or is damaged ({error}); download it again"
        ) from error


def to_number(value: Any) -> float:
    """A float from a number or the text of one; NaN from anything else."""
    if isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def to_integer(value: Any, what: str) -> int:
    """A whole number.

    Args:
        value: A number or the text of one.
        what: Subject of the message, such as ``"the noun of row 3 in train.csv"``.

    Raises:
        ValueError: If it is none.
    """
    number = to_number(value)
    if not math.isfinite(number) or number != round(number):
        raise ValueError(f"{what} must be a whole number, got {value!r}")
    return int(number)


def to_seconds(value: Any, what: str) -> float:
    """Seconds from a number, its text, or ``HH:MM:SS.ss``.

    Args:
        value: Such as ``12.5``, ``"12.5"`` or ``"00:00:12.50"``.
        what: Subject of the message.

    Raises:
        ValueError: If it is none of these.
    """
    parts = value.split(":") if isinstance(value, str) and ":" in value else [value]
    numbers = [to_number(part) for part in parts]
    if len(numbers) not in (1, 3) or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{what} must be a time in seconds or HH:MM:SS.ss, got {value!r}")
    # Whole seconds first: 60 * 60 * h + 60 * m + s in one sum keeps all digits of s.
    return numbers[0] if len(numbers) == 1 else 3600 * numbers[0] + 60 * numbers[1] + numbers[2]
