"""Reading checkpoint files without running code from them.

``torch.load(weights_only=True)`` knows tensors and plain containers. MMEngine's checkpoints also
hold their log history, a few NumPy scalars and, in old projects, the command line. Those types are
let in here, and nothing else.
"""

import argparse
import contextlib
import os
import os.path as osp
import pickle
import re
from typing import Any
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, print_log
from torch import Tensor

# Where a file keeps its weights, best first. Public TAD code stores averaged weights beside the raw
# ones as `state_dict_ema`. MMEngine's EMAHook swaps on saving: there `state_dict` already holds the
# averaged weights and `ema_state_dict` the raw ones, so the latter is no candidate.
WRAPPERS = ("state_dict_ema", "state_dict", "model", "module")


class _HistoryState(HistoryBuffer):
    """Takes the place of HistoryBuffer while unpickling; leaves a plain HistoryBuffer behind.

    The original lets a file put arbitrary functions into a table of the class.
    """

    def __setstate__(self, state: dict) -> None:
        state = {key: value for key, value in state.items() if key != "statistics_methods"}
        self.__dict__.update(state)
        self._set_default_statistics()
        self.__class__ = HistoryBuffer


def _method_name(owner: Any, name: str) -> str:
    """Take the place of ``getattr``, by which HistoryBuffer refers to its own methods."""
    return name


def _allowed_types() -> list:
    scalars = [np.dtype, np.ndarray]
    scalars += [
        cls
        for cls in vars(np.dtypes).values()
        if isinstance(cls, type) and cls is not np.dtypes.ObjectDType
    ]
    multiarray = getattr(np, "_core", None) or np.core
    functions = [
        (getattr(multiarray.multiarray, name), f"numpy.{core}.multiarray.{name}")
        for core in ("core", "_core")  # before and since NumPy 2
        for name in ("_reconstruct", "scalar")
    ]
    return [
        *scalars,
        *functions,
        (_HistoryState, "mmengine.logging.history_buffer.HistoryBuffer"),
        (_method_name, "builtins.getattr"),
        argparse.Namespace,
    ]


def load_checkpoint_safely(path: str, map_location: Any = "cpu") -> Any:
    """Read a checkpoint file; no code stored in it is ever run.

    Args:
        path: Local file, or a http(s) address that is kept in torch.hub's cache.
        map_location: As in ``torch.load``.

    Returns:
        What the file holds; ``extract_state_dict`` finds the weights in it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, no checkpoint, or holds objects other than data.
    """
    path = local_copy(str(path))
    if not osp.isfile(path):
        raise FileNotFoundError(f"checkpoint {path} does not exist; check the path")
    # Named stand-ins need torch 2.6; before it only plain weights are read.
    allow = contextlib.nullcontext()
    if tuple(int(n) for n in re.findall(r"\d+", torch.__version__)[:2]) >= (2, 6):
        allow = torch.serialization.safe_globals(_allowed_types())
    try:
        with allow:
            return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        foreign = re.search(r"GLOBAL ([\w.]+)", str(error))
        if foreign:
            raise ValueError(
                f"checkpoint {path} holds {foreign.group(1)}, which is not data and could run "
                "code; save its state_dict alone with the project that made it"
            ) from error
        raise ValueError(_damaged(path)) from error
    except Exception as error:  # a damaged file fails anywhere in the unpickler
        raise ValueError(_damaged(path)) from error


def _damaged(path: str) -> str:
    size = osp.getsize(path)
    return (
        f"checkpoint {path} ({size} bytes) cannot be read: it is damaged, incomplete or not a "
        "PyTorch checkpoint; copy or download it again"
    )


def local_copy(path: str) -> str:
    """Download an address once; other paths come back unchanged."""
    if urlparse(path).scheme not in ("http", "https"):
        return path
    file = osp.join(torch.hub.get_dir(), "checkpoints", osp.basename(urlparse(path).path))
    if not osp.isfile(file):
        os.makedirs(osp.dirname(file), exist_ok=True)
        print_log(f"Downloading {path} to {file}", "current")
        try:
            torch.hub.download_url_to_file(path, file, progress=False)
        except OSError as error:
            raise ValueError(
                f"checkpoint {path} cannot be downloaded ({error}); fetch it by hand and give the "
                "local path"
            ) from error
    return file


def extract_state_dict(checkpoint: Any, path: str = "the checkpoint") -> dict[str, Tensor]:
    """Find the weights in a loaded checkpoint, averaged ones first.

    Args:
        checkpoint: What ``load_checkpoint_safely`` returned.
        path: Named in the error.

    Returns:
        The tensors by name; entries that are no tensors are left out.

    Raises:
        ValueError: If there are no tensors.
    """
    found = checkpoint
    for _ in WRAPPERS:
        if isinstance(found, dict):
            inside = (found[key] for key in WRAPPERS if isinstance(found.get(key) or None, dict))
            found = next(inside, found)
    tensors = {}
    if isinstance(found, dict):
        tensors = {key: value for key, value in found.items() if isinstance(value, Tensor)}
    if not tensors:
        keys = ", ".join(map(str, list(checkpoint)[:5])) if isinstance(checkpoint, dict) else "none"
        raise ValueError(
            f"{path} holds no weights (its keys: {keys}); expected a state dict, alone or under "
            f"one of {', '.join(WRAPPERS)}"
        )
    return tensors
