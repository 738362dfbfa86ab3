"""From a slim checkpoint to one file that tests and infers by itself."""

import json
import runpy
import shutil
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmtad.checkpoints import load_checkpoint_safely

TOOLS = Path(__file__).parents[2] / "tools"

SLIM = """
_base_ = {config!r}
model = dict(backbone=dict(pretrained={pretrained!r}))
custom_hooks = [
    dict(type="SeedHook"),
    dict(type="LoadReportHook"),
    dict(type="TrainableEMAHook", momentum=0.01),
    dict(type="SlimCheckpointHook"),
    dict(type="GradientCompressionHook", dtype="float16"),
]
model_wrapper_cfg = dict(
    type="MMDistributedDataParallel", broadcast_buffers=False, static_graph=True
)
"""


@pytest.fixture(scope="module")
def trained(project, run_tool, tmp_path_factory):
    """A run on two processes with a pre-trained backbone and the hooks of the default runtime."""
    from mmengine.registry import DefaultScope

    from mmtad.registry import MODELS

    root = tmp_path_factory.mktemp("export")
    cfg = Config.fromfile(project / "config.py")
    torch.manual_seed(4)
    with DefaultScope.overwrite_default_scope("mmtad"):
        backbone = MODELS.build(dict(cfg.model.backbone.backbone))
    torch.save(dict(state_dict=backbone.state_dict()), root / "backbone.pth")
    config = SLIM.format(config=str(project / "config.py"), pretrained=str(root / "backbone.pth"))
    (root / "config.py").write_text(config)
    done = run_tool(
        "dist_train.sh", root / "config.py", 2, "--work-dir", root / "run", PORT="29541",
        MMTAD_DEBUG="1",
    )  # fmt: skip
    log = done.stdout + done.stderr
    assert done.returncode == 0, log
    assert "Checkpoints leave out" in log and "averaged over the processes in float16" in log
    return root


@pytest.fixture
def tool(monkeypatch, capfd):
    """Run a tool in this process: exit status, and all that it wrote."""

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(TOOLS / name), run_name="__main__")
        return stop.value.code, "".join(capfd.readouterr())

    return run


def predictions(tool, config, checkpoint, work_dir):
    status, log = tool("test.py", config, checkpoint, "--work-dir", work_dir)
    assert status == 0, log
    return json.loads((work_dir / "predictions.json").read_text())["results"], log


def test_export_needs_no_other_file(trained, project, tool, tmp_path):
    config, slim, backbone = (trained / n for n in ("config.py", "run/epoch_2.pth", "backbone.pth"))
    before, log = predictions(tool, config, slim, tmp_path / "slim")
    assert "as in the training" in log and "not needed from the file" in log
    files = [tmp_path / "out" / name for name in ("full.pth", "half.pth")]
    for file, options in zip(files, ([], ["--half"]), strict=True):
        status, log = tool("export_checkpoint.py", config, slim, file, *options)
        assert status == 0, log
        assert "SHA-256" in log and "MiB" in log and "not needed from the file" in log
    full, half = (torch.load(file, weights_only=True) for file in files)
    assert full.keys() == {"meta", "state_dict"} and "frozen_part" not in full["meta"]
    assert full["meta"]["dataset_meta"]["classes"] == ["jump", "run", "turn"]
    assert "TADDetector" in full["meta"]["cfg"]
    assert full["meta"]["encoder"]["placement"] == "inside"
    averaged = load_checkpoint_safely(str(slim))["state_dict"]
    assert all(torch.equal(full["state_dict"][key], averaged[key]) for key in averaged)
    dtypes = {value.dtype for value in half["state_dict"].values()}
    assert torch.float16 in dtypes and torch.float32 not in dtypes

    hidden = shutil.move(backbone, tmp_path / "hidden.pth")
    try:
        after, _ = predictions(tool, config, files[0], tmp_path / "full")
        assert after == before
        video = project / "videos" / "c.mp4"
        for file in files:
            options = ["--out", tmp_path, "--formats", "json", "--device", "cpu"]
            status, log = tool("infer.py", config, file, video, *options)
            assert status == 0, log
        side = config.with_name("side.py")
        side.write_text(
            f"_base_ = {str(config)!r}\nmodel = dict(backbone=dict(type='SideVideoEncoder', "
            "adapter_indices=[0, 1]))\n"
        )
        calls = (("test.py", ["--work-dir", tmp_path]), ("infer.py", [video]))
        for name, more in calls:
            status, log = tool(name, side, files[0], *more)
            assert status == 1 and "were trained inside the backbone, and this config" in log
        for name, more in calls:
            status, log = tool(name, config, slim, *more)
            assert status == 1 and "Traceback" not in log
            assert "epoch_2.pth leaves out the frozen backbone" in log
            assert "backbone.pth, from which it should come, does not exist" in log
    finally:
        shutil.move(hidden, backbone)


def test_wrong_input_in_a_sentence(trained, tool, tmp_path):
    config, slim = trained / "config.py", trained / "run" / "epoch_2.pth"
    status, log = tool("export_checkpoint.py", config, slim, slim)
    assert status == 1 and "is read for the export" in log
    status, log = tool("export_checkpoint.py", config, tmp_path / "no.pth", tmp_path / "out.pth")
    assert status == 1 and "no.pth does not exist" in log
    assert "Traceback" not in log and not (tmp_path / "out.pth").exists()
