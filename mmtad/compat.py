"""Every workaround for the installed stack, each with the upstream problem that it answers.

``mmtad`` imports this module first. Every function looks whether its breakage is there before it
acts, so nothing changes on a stack that is whole.
"""

import functools
import importlib.metadata
import importlib.util
import os.path as osp
import sys
from types import ModuleType

import torch
import torch.distributed as dist


def _has(module: str) -> bool:
    return module in sys.modules or importlib.util.find_spec(module) is not None


def _has_accelerator() -> bool:
    from mmengine.device import get_device

    return get_device() not in ("cpu", "mps")


def stub_missing_drn() -> None:
    """Let ``import mmaction.models`` work with the PyPI wheel of mmaction2 1.2.0.

    The wheel lacks the sub-package ``mmaction.models.localizers.drn`` that its own ``__init__``
    imports (https://github.com/open-mmlab/mmaction2/issues/2714).
    """
    spec = importlib.util.find_spec("mmaction")
    if spec is None or spec.origin is None:
        return
    localizers = osp.join(osp.dirname(spec.origin), "models", "localizers")
    if osp.exists(osp.join(localizers, "drn", "drn.py")):
        return

    class DRN:
        """Stands in for the detector that the installed mmaction2 wheel does not contain."""

        def __init__(self, *args, **kwargs):
            raise ImportError(
                "this mmaction2 wheel lacks DRN; install mmaction2 from source for it"
            )

    name = "mmaction.models.localizers.drn"
    package, module = ModuleType(name), ModuleType(f"{name}.drn")
    package.__path__ = []  # type: ignore[attr-defined]
    module.DRN = DRN  # type: ignore[attr-defined]
    package.drn = module  # type: ignore[attr-defined]
    sys.modules.setdefault(name, package)
    sys.modules.setdefault(f"{name}.drn", module)


def alias_importlib_metadata() -> None:
    """Provide ``importlib_metadata``, which mmaction2 1.2.0 imports but does not declare."""
    if not _has("importlib_metadata"):
        sys.modules["importlib_metadata"] = importlib.metadata


def is_installed(package: str) -> bool:
    """Whether a distribution or a module of this name is installed.

    Replaces the function of mmengine 0.10.7, which needs ``pkg_resources``; setuptools >= 82 has
    none (mended upstream after it, https://github.com/open-mmlab/mmengine/pull/1676).
    """
    try:
        importlib.metadata.distribution(package)
        return True
    except importlib.metadata.PackageNotFoundError:
        spec = importlib.util.find_spec(package)
        return spec is not None and spec.origin is not None


def package2module(package: str) -> str:
    """Name of the top-level module of a distribution (``mmaction2`` -> ``mmaction``).

    Raises:
        ValueError: If the distribution does not say.
    """
    top_level = importlib.metadata.distribution(package).read_text("top_level.txt")
    if not top_level:
        raise ValueError(f"can not infer the module name of {package}")
    return top_level.split()[0]


def get_installed_path(package: str) -> str:
    """Folder of the installed module of a distribution or module name.

    Raises:
        importlib.metadata.PackageNotFoundError: If nothing of this name is installed.
    """
    try:
        module = package2module(package)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        module = package
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise importlib.metadata.PackageNotFoundError(package)
    return osp.dirname(spec.origin)


def replace_pkg_resources() -> None:
    """Put the three functions above in place of mmengine's where ``pkg_resources`` is missing."""
    from mmengine.utils import package_utils

    uses = "pkg_resources" in package_utils.is_installed.__code__.co_names + (
        package_utils.is_installed.__code__.co_varnames
    )
    if not uses or _has("pkg_resources"):
        return
    for ours in (is_installed, package2module, get_installed_path):
        theirs = getattr(package_utils, ours.__name__)
        for module in list(sys.modules.values()):
            name = getattr(module, "__name__", "")
            if name.startswith("mm") and getattr(module, ours.__name__, None) is theirs:
                setattr(module, ours.__name__, ours)


def register_config_package() -> None:
    """Let ``_base_ = "mmtad::..."`` find our configs: mmengine knows a closed list of packages."""
    from mmengine.config.utils import MODULE2PACKAGE

    MODULE2PACKAGE.setdefault("mmtad", "mmtad")


def load_checkpoints_safely() -> None:
    """Let MMEngine read local checkpoints without running code from them.

    Its 0.10.7 cannot resume its own checkpoints on torch >= 2.6
    (https://github.com/open-mmlab/mmengine/issues/1655), its 0.11 release candidates resume but
    unpickle every file unsafely. Ours allows the few harmless types that a checkpoint holds.
    """
    from mmengine.runner.checkpoint import CheckpointLoader

    def load_from_local(filename: str, map_location=None):
        from mmtad.checkpoints import load_checkpoint_safely

        return load_checkpoint_safely(filename, map_location=map_location)

    CheckpointLoader.register_scheme(prefixes="", loader=load_from_local, force=True)


def allow_amp_on_cpu() -> None:
    """Let a config with mixed precision run where there is no accelerator, as bf16 autocast.

    MMEngine's ``AmpOptimWrapper`` asserts an accelerator.
    """
    from mmengine.logging import print_log
    from mmengine.optim import AmpOptimWrapper, OptimWrapper

    original = AmpOptimWrapper.__init__

    @functools.wraps(original)
    def __init__(self, loss_scale="dynamic", dtype=None, use_fsdp=False, **kwargs):
        if _has_accelerator():
            original(self, loss_scale=loss_scale, dtype=dtype, use_fsdp=use_fsdp, **kwargs)
            return
        print_log("No GPU: mixed precision runs as bfloat16 autocast on the CPU.", "current")
        OptimWrapper.__init__(self, **kwargs)
        self._scale_update_param = None
        self.loss_scaler = torch.amp.GradScaler("cpu", enabled=False)
        self.cast_dtype = torch.bfloat16

    AmpOptimWrapper.__init__ = __init__


def allow_ddp_on_cpu() -> None:
    """Let ``--launcher pytorch`` run on the CPU with gloo.

    MMEngine calls ``torch.cuda.set_device`` and gives DDP a device id unconditionally.
    """
    from mmengine.dist import utils
    from mmengine.model import MMDistributedDataParallel

    init_process_group = utils._init_dist_pytorch

    @functools.wraps(init_process_group)
    def _init_dist_pytorch(backend, init_backend="torch", **kwargs):
        if _has_accelerator():
            return init_process_group(backend, init_backend=init_backend, **kwargs)
        return dist.init_process_group(backend="gloo", **kwargs)

    original = MMDistributedDataParallel.__init__

    @functools.wraps(original)
    def __init__(self, module, *args, **kwargs):
        if not _has_accelerator():
            kwargs.pop("device_ids", None)
        original(self, module, *args, **kwargs)

    utils._init_dist_pytorch = _init_dist_pytorch
    MMDistributedDataParallel.__init__ = __init__


def quieten_known_warnings() -> None:
    """Silence what the stack says about itself on every start and no user can act upon."""
    import warnings

    warnings.filterwarnings("ignore", message="Fail to import ``MultiScaleDeformableAttention``")
    warnings.filterwarnings("ignore", category=FutureWarning, module="mmengine")


def apply() -> None:
    """Apply every workaround; once a process."""
    quieten_known_warnings()
    stub_missing_drn()
    alias_importlib_metadata()
    replace_pkg_resources()
    register_config_package()
    load_checkpoints_safely()
    allow_amp_on_cpu()
    allow_ddp_on_cpu()


apply()
