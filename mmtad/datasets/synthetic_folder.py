"""The folder of a generated benchmark: what it was made from, and whether it is whole."""

import dataclasses
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SPEC_FILE, ANNOTATION_FILE = "spec.json", "annotations.json"


def write_json(path: Path, content: dict) -> None:
    """Write a file in one step: whatever interrupts us, it is whole or the old one."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1) + "\n")
    part.replace(path)


def mark(root: Path, spec: Any, version: int, complete: bool) -> None:
    """Write down what a folder is made from; makes the folder.

    Args:
        root: The folder.
        spec: Dataclass of the settings.
        version: Version of the generator.
        complete: Whether all files are there.
    """
    root.mkdir(parents=True, exist_ok=True)
    write_json(root / SPEC_FILE, {"complete": complete, "spec": _plain(spec, version)})


def is_whole(root: str | os.PathLike, spec: Any, version: int, files: Iterable[str]) -> bool:
    """Whether a folder holds the whole benchmark of this spec.

    Args:
        root: The folder.
        spec: Dataclass of the settings.
        version: Version of the generator.
        files: Paths within the folder that must be there beside the annotation.

    Raises:
        FileExistsError: ``root`` holds something else; nothing of it was touched.
    """
    root = Path(root)
    record = root / SPEC_FILE
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        content = json.loads(record.read_text())
    except (OSError, ValueError):
        raise FileExistsError(
            f"{root} exists and is no folder of this program: choose another one"
        ) from None
    if content.get("spec") != _plain(spec, version):
        raise FileExistsError(
            f"{root} holds a benchmark made with other settings (see {record}): "
            "delete that folder or choose another one"
        )
    return content["complete"] and all((root / f).exists() for f in (ANNOTATION_FILE, *files))


def _plain(spec: Any, version: int) -> dict:
    """The spec as it reads back from json."""
    return json.loads(json.dumps({"generator": version, **dataclasses.asdict(spec)}))
