"""The part of a model that its pre-trained file holds already, so that a checkpoint need not."""

import functools
import hashlib
import os.path as osp
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.logging import print_log
from torch import Tensor, nn

from mmtad.checkpoints.safe_load import local_copy
from mmtad.registry import WEIGHT_INITIALIZERS

RECORD = "frozen_part"  # in the `meta` of a checkpoint


class _Recorder:
    """Stands in for a module that is loaded; keeps what would have been loaded."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self.weights: dict[str, Tensor] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def load_state_dict(self, state_dict: Mapping[str, Tensor], strict: bool = True) -> None:
        self.weights.update(state_dict)


@dataclass(frozen=True)
class PretrainedFile:
    """The file from which a part of the model was initialised.

    Attributes:
        prefix: The part, as ``backbone.backbone.``.
        settings: Config of the weight initialiser that reads the file, with ``checkpoint``.
    """

    prefix: str
    settings: Mapping[str, Any]

    @property
    def path(self) -> str:
        """File or address, as the config has it."""
        return str(self.settings["checkpoint"])

    @property
    def source(self) -> str | None:
        """Key table of the project that the file comes from."""
        return self.settings.get("source")

    def read(self, model: nn.Module) -> dict[str, Tensor]:
        """What the initialiser loads from the file, under the model's names; loads nothing."""
        recorder = _Recorder(model.get_submodule(self.prefix.rstrip(".")))
        WEIGHT_INITIALIZERS.build(dict(self.settings))(recorder)
        return {f"{self.prefix}{key}": value for key, value in recorder.weights.items()}


def find_pretrained(model: nn.Module) -> PretrainedFile | None:
    """Find the encoder with a pre-trained backbone in a model; None if there is none."""
    for name, module in model.named_modules():
        settings = getattr(module, "pretrained", None)
        if isinstance(settings, Mapping) and settings.get("checkpoint"):
            if isinstance(getattr(module, "backbone", None), nn.Module):
                return PretrainedFile(f"{name}.backbone." if name else "backbone.", settings)
    return None


def file_sha256(path: str) -> str:
    """SHA-256 of a file (or a downloaded address) in hexadecimal; a file is read once a process.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    file = Path(local_copy(path))
    if not file.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    state = file.stat()
    return _sha256(str(file), state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _sha256(path: str, size: int, modified: int) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def shared_sha256(path: str) -> str:
    """As ``file_sha256``, read by the first process alone; all processes must call it together."""
    found: list[Any] = [None]
    if is_main_process():
        try:
            found = [file_sha256(path)]
        except (OSError, ValueError) as error:
            found = [error]
    broadcast_object_list(found)
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def same_values(ours: Tensor, theirs: Tensor) -> bool:
    """Whether an entry of the model is what loading an entry of a file makes of it."""
    return torch.equal(ours.detach(), theirs.to(ours.device, ours.dtype))


def exactly(keys: Iterable[str]) -> tuple[str, ...]:
    """The ``ignore_missing`` of ``load_report`` for these keys."""
    return tuple(f"^{re.escape(key)}$" for key in keys)


def restore_frozen_part(
    model: nn.Module,
    checkpoint: Any,
    name: str,
    sha256: Callable[[str], str] = file_sha256,
) -> list[str]:
    """Put back what ``SlimCheckpointHook`` left out, into the model and into the checkpoint.

    The weights come from the pre-trained file of the model's config, or where that names none,
    from the one that the checkpoint was trained with. Its content must be the same to the bit.
    A checkpoint that is whole stays as it is.

    Args:
        model: Receives the weights.
        checkpoint: A loaded checkpoint; afterwards a whole one.
        name: Its name, for messages.
        sha256: ``shared_sha256`` where all processes of a run do this together.

    Returns:
        The entries that were put back, none if the checkpoint is whole.

    Raises:
        ValueError: If the file is missing, another one, or does not fit the model.
    """
    meta = checkpoint.get("meta") if isinstance(checkpoint, Mapping) else None
    record = meta.get(RECORD) if isinstance(meta, Mapping) else None
    if meta is None or record is None:
        return []
    file, keys = _recorded_file(model, record, name)
    _verify(file.path, record, name, sha256)
    weights = file.read(model)
    if absent := [key for key in keys if key not in weights]:
        raise ValueError(
            f"checkpoint {name} takes {absent[0]} from {file.path}, which does not have it in the "
            "shape of this model; use the config that the checkpoint was trained with"
        )
    restored = {key: weights[key] for key in keys}
    model.load_state_dict(restored, strict=False)
    checkpoint["state_dict"].update(restored)
    del meta[RECORD]
    print_log(
        f"Frozen weights that {name} leaves out: {len(keys)} entries from {file.path}, SHA-256 "
        f"{record['sha256'][:8]} as in the training",
        "current",
    )
    return keys


def _recorded_file(model: nn.Module, record: Any, name: str) -> tuple[PretrainedFile, list[str]]:
    """The file that has the entries which a checkpoint leaves out, and these."""
    try:
        prefix, path = str(record["prefix"]), str(record["file"])
        keys = [f"{prefix}{entry}" for entry in record["entries"]]
        encoder = model.get_submodule(prefix.removesuffix("backbone.").rstrip("."))
        model.get_submodule(prefix.rstrip("."))
    except (KeyError, TypeError) as error:
        raise ValueError(f"checkpoint {name} is damaged: its meta.{RECORD} is unusable") from error
    except AttributeError as error:
        raise ValueError(
            f"checkpoint {name} belongs to a model with {prefix}*, which this config does not "
            "have; use the config that it was trained with"
        ) from error
    settings = getattr(encoder, "pretrained", None)
    if not (isinstance(settings, Mapping) and settings.get("checkpoint")):
        settings = dict(
            type="mmtad.PretrainedWeights",
            # An address out of a checkpoint is not visited: absolute, it is a file or nothing.
            checkpoint=osp.abspath(path),
            source=record.get("source"),
            min_match=0.0,
            ignore_missing=[r"(^|\.)adapter\."],
        )
    return PretrainedFile(prefix, settings), keys


def _verify(path: str, record: Mapping, name: str, sha256: Callable[[str], str]) -> None:
    """Raise one sentence if the file is not the one of the training."""
    recorded, expected = osp.basename(record["file"]), str(record.get("sha256"))
    try:
        found = sha256(path)
        problem = "" if found == expected else f"is another file (SHA-256 {found[:8]}...)"
    except FileNotFoundError:
        problem = "does not exist"
    if problem:
        raise ValueError(
            f"checkpoint {name} leaves out the frozen backbone, and {path}, from which it should "
            f"come, {problem}: set model.backbone.pretrained to the {recorded} of the training "
            f"(SHA-256 {expected[:8]}...), or take a whole checkpoint written by "
            "tools/export_checkpoint.py"
        )
