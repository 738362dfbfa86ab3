"""The breakages that ``mmtad.compat`` absorbs; every test fails without its workaround."""

import pickle
import subprocess
import sys

import pytest
import torch
from torch import nn

import mmtad  # noqa: F401
from mmtad import compat


def run_python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


def test_mmaction_models_import_with_the_pypi_wheel():
    pytest.importorskip("mmaction")
    done = run_python("import mmtad, mmaction.models; print(mmaction.models.VisionTransformer)")
    assert "VisionTransformer" in done.stdout, done.stderr


def test_absent_drn_says_what_to_do():
    pytest.importorskip("mmaction")
    from mmaction.models.localizers import DRN

    if DRN.__module__ != "mmtad.compat":
        pytest.skip("this mmaction2 is complete")
    with pytest.raises(ImportError, match="from source"):
        DRN()


def test_importlib_metadata_is_there_for_mmaction():
    pytest.importorskip("mmaction")
    import importlib_metadata

    assert importlib_metadata.version("mmaction2")


def test_is_installed_needs_no_pkg_resources():
    from mmengine.utils import get_installed_path, is_installed

    assert is_installed("mmengine")
    assert not is_installed("no-such-package")
    assert get_installed_path("mmengine").endswith("mmengine")


def test_package2module():
    pytest.importorskip("mmaction")
    assert compat.package2module("mmaction2") == "mmaction"
    assert compat.get_installed_path("mmaction2").endswith("mmaction")


def test_bases_of_other_packages():
    pytest.importorskip("mmaction")
    from mmengine.config import Config

    cfg = Config.fromstring("_base_ = ['mmaction::_base_/default_runtime.py']", ".py")
    assert cfg.default_scope == "mmaction"


def test_bases_of_this_package():
    from mmengine.config import Config

    cfg = Config.fromstring("_base_ = ['mmtad::_base_/default_runtime.py']", ".py")
    assert cfg.default_scope == "mmtad"


def test_mmengine_checkpoint_with_history_loads(tmp_path):
    from mmengine.logging import HistoryBuffer
    from mmengine.runner import CheckpointLoader

    file = tmp_path / "epoch_1.pth"
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    torch.save({"state_dict": {}, "message_hub": {"log_scalars": {"loss": history}}}, file)
    loaded = CheckpointLoader.load_checkpoint(str(file))
    assert loaded["message_hub"]["log_scalars"]["loss"].mean() == 1.5


class Payload:
    """Would run code if it were unpickled freely."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('code of the checkpoint was run')",))


def test_checkpoint_never_runs_code(tmp_path):
    from mmengine.runner import CheckpointLoader

    file = tmp_path / "evil.pth"
    torch.save({"state_dict": {}, "meta": Payload()}, file)
    with pytest.raises((ValueError, pickle.UnpicklingError)):
        CheckpointLoader.load_checkpoint(str(file))


@pytest.mark.skipif(torch.cuda.is_available(), reason="about machines without a GPU")
def test_amp_on_cpu_is_bfloat16_autocast():
    from mmengine.optim import AmpOptimWrapper

    model = nn.Linear(4, 1)
    wrapper = AmpOptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    before = model.weight.detach().clone()
    with wrapper.optim_context(model):
        out = model(torch.ones(2, 4))
    assert out.dtype == torch.bfloat16
    wrapper.update_params(out.float().sum())
    assert not torch.equal(before, model.weight)
    wrapper.load_state_dict(wrapper.state_dict())


DDP = """
import os, torch, mmtad
from mmengine.dist import init_dist
from mmengine.model import MMDistributedDataParallel, BaseModel
os.environ.update(RANK="0", LOCAL_RANK="0", WORLD_SIZE="1")
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29517")
init_dist("pytorch", backend="nccl")
class Model(BaseModel):
    def __init__(self):
        super().__init__(); self.linear = torch.nn.Linear(2, 1)
    def forward(self, x): return self.linear(x)
model = MMDistributedDataParallel(module=Model(), device_ids=[0])
print(torch.distributed.get_backend(), model(torch.ones(1, 2)).shape)
"""


@pytest.mark.skipif(torch.cuda.is_available(), reason="about machines without a GPU")
def test_ddp_on_cpu_uses_gloo():
    done = run_python(DDP)
    assert "gloo torch.Size([1, 1])" in done.stdout, done.stderr


def test_import_without_mmaction():
    code = (
        "import sys; sys.modules['mmaction'] = None; sys.modules['mmcv'] = None\n"
        "import mmtad, mmtad.ops, mmtad.evaluation, mmtad.structures, mmtad.models\n"
        "from mmtad.registry import MODELS\n"
        "print(MODELS.parent.scope)"
    )
    done = run_python(code)
    assert done.stdout.strip() == "mmengine", done.stderr
