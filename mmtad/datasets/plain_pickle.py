"""Unpickling of arrays, tensors and plain containers, which never runs code of the file."""

import importlib.util
import io
import pickle
from typing import Any

import torch

# What a pickle of arrays or tensors refers to. Each rebuilds data from data; none of them imports,
# opens or calls what the file names.
_ALLOWED = {
    "numpy": ("ndarray", "dtype"),
    "numpy._core.multiarray": ("_reconstruct", "scalar"),
    "numpy._core.numeric": ("_frombuffer",),
    "_codecs": ("encode",),  # bytes in old protocols
    "collections": ("OrderedDict",),
    "torch._utils": ("_rebuild_tensor", "_rebuild_tensor_v2"),
}
_RENAMED = {  # numpy 1 wrote the old names
    "numpy.core.multiarray": "numpy._core.multiarray",
    "numpy.core.numeric": "numpy._core.numeric",
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        module = _RENAMED.get(module, module)
        if (module, name) == ("torch.storage", "_load_from_bytes"):
            return _load_storage
        if name not in _ALLOWED.get(module, ()):
            raise pickle.UnpicklingError(
                f"it refers to {module}.{name}, and only arrays, tensors and plain containers are "
                "read from a pickle, since anything else may run code"
            )
        if module.startswith("numpy._core"):
            module = "numpy._core" if _numpy_has_core() else "numpy.core"
            module += ".numeric" if name == "_frombuffer" else ".multiarray"
        return getattr(importlib.import_module(module), name)


def _load_storage(content: bytes) -> Any:
    """A tensor's memory; torch's own function of this name would run code of the file."""
    return torch.load(io.BytesIO(content), weights_only=True)


def _numpy_has_core() -> bool:
    return importlib.util.find_spec("numpy._core") is not None


def load_plain_pickle(path: str) -> Any:
    """Read a pickle that holds arrays, tensors, numbers, text, dicts, lists and tuples.

    Args:
        path: ``.pkl`` file of Python 3 or, with its text as Latin-1, of Python 2.

    Raises:
        OSError: If the file cannot be read.
        pickle.UnpicklingError: If the file is damaged or refers to anything else; nothing of it has
            been run then.
    """
    with open(path, "rb") as file:
        try:
            return _PlainUnpickler(file, encoding="latin1").load()
        except (EOFError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise pickle.UnpicklingError(
                f"it is damaged or no pickle ({type(error).__name__}: {error})"
            ) from error
