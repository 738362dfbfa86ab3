"""Every workaround for the installed stack, each with the upstream problem that it answers.

Imported first by ``mmtad``. Importing this module changes nothing that works: each function looks whether the
breakage is there before it acts.
"""

import importlib.metadata
import importlib.util
import os.path as osp
import sys
from types import ModuleType


def stub_missing_drn() -> None:
    """Let ``import mmaction.models`` work with the PyPI wheel of mmaction2 1.2.0.

    The wheel lacks the sub-package ``mmaction.models.localizers.drn`` that its own ``__init__`` imports
    (https://github.com/open-mmlab/mmaction2/issues/2714).
    """
    spec = importlib.util.find_spec("mmaction") if _has("mmcv") else None
    if spec is None or spec.origin is None:
        return
    if osp.exists(osp.join(osp.dirname(spec.origin), "models", "localizers", "drn", "drn.py")):
        return

    class DRN:
        """Stands in for the detector that the installed mmaction2 wheel does not contain."""

        def __init__(self, *args, **kwargs):
            raise ImportError(
                "the installed mmaction2 wheel does not contain DRN; install mmaction2 from source to use it"
            )

    name = "mmaction.models.localizers.drn"
    package, module = ModuleType(name), ModuleType(f"{name}.drn")
    package.__path__ = []
    module.DRN = DRN
    package.drn = module
    sys.modules.setdefault(name, package)
    sys.modules.setdefault(f"{name}.drn", module)


def alias_importlib_metadata() -> None:
    """Provide ``importlib_metadata``, which mmaction2 1.2.0 imports but does not declare."""
    if not _has("importlib_metadata"):
        sys.modules["importlib_metadata"] = importlib.metadata


def _has(module: str) -> bool:
    return module in sys.modules or importlib.util.find_spec(module) is not None


stub_missing_drn()
alias_importlib_metadata()
