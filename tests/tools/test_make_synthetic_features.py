"""The synthetic features from the command line, and the detector that learns them."""

import importlib.util
import json
from pathlib import Path

import pytest

TOOL = "data/make_synthetic_features.py"
ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs/quickstart/dab-detr_synthetic-features.py"


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("features") / "synthetic"


def test_makes_what_the_quickstart_config_trains_on(run_tool, out, tmp_path):
    made = run_tool(TOOL, "--out", out, "--train", "20", "--test", "3")
    assert made.returncode == 0, made.stderr
    assert "23 videos" in made.stdout and "5 classes (lift_after_blue" in made.stdout
    assert len(json.loads((out / "annotations.json").read_text())["database"]) == 23

    options = [f"{name}_dataloader.dataset.data_root={out}" for name in ("train", "val")]
    options += ["train_cfg.max_epochs=1", "train_cfg.val_interval=1"]
    trained = run_tool("train.py", CONFIG, "--work-dir", tmp_path, "--cfg-options", *options)
    assert trained.returncode == 0, trained.stderr
    log = trained.stdout + trained.stderr
    assert "mAP@0.50" in log and "diversity/decoder_4" in log and "nan" not in log.lower()


@pytest.fixture
def tool():
    spec = importlib.util.spec_from_file_location("make_features", ROOT / "tools" / TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_impossible_features_are_refused_by_name(tool, tmp_path, monkeypatch):
    new = tmp_path / "new"
    monkeypatch.setattr("sys.argv", ["", "--out", str(new), "--channels", "3"])
    with pytest.raises(ValueError, match="channels must be at least 11, one per signature, got 3"):
        tool.main()
    assert not new.exists()


def test_help_speaks_to_a_newcomer(tool, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["", "--help"])
    with pytest.raises(SystemExit) as end:
        tool.main()
    assert end.value.code == 0 and "cue far away" in capsys.readouterr().out
