import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image
from mmengine.config import Config

from mmtad.apis.cli import run_cli
from mmtad.datasets.checking import DatasetReport

CONFIG = """
default_scope = "mmtad"
common = dict(
    type="FeatureDataset",
    ann_file="annotations.json",
    data_root={root!r},
    features="{{video_id}}.npy",
    feature_stride=25,
    clip_frames=25,
    window_size=8,
)
train_dataloader = dict(batch_size=2, dataset=dict(**common, subset="train"))
val_dataloader = dict(
    batch_size=1, dataset=dict(**common, subset="val", sampling="whole", test_mode=True)
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type="DetectionMetric", post_processor=dict(type="DetectionPostProcessor", max_per_video=9)
)
test_evaluator = val_evaluator
model = dict(head=dict(type="ActionFormerHead", num_classes=2))
"""


@pytest.fixture
def write(tmp_path):
    """Function that writes a data set of three videos and returns its config."""

    def write(extra=""):
        database = {}
        for name, subset in [("a", "train"), ("b", "train"), ("c", "val")]:
            np.save(tmp_path / f"{name}.npy", np.ones((20, 3), np.float32))
            annotations = [dict(segment=[2, 6], label="jump"), dict(segment=[9, 10], label="run")]
            database[name] = dict(subset=subset, duration=20, fps=25, annotations=annotations)
        (tmp_path / "annotations.json").write_text(json.dumps(dict(database=database)))
        config = tmp_path / "config.py"
        config.write_text(CONFIG.format(root=str(tmp_path)) + extra)
        return config

    return write


@pytest.fixture
def run(run_tool, tmp_path):
    def run(config, *args):
        done = run_tool("data/check_dataset.py", config, "--out", tmp_path / "p" / "x.png", *args)
        return done.returncode, done.stdout, done.stderr

    return run


def test_a_run_that_may_start(write, run, tmp_path):
    status, out, error = run(write(), "--probe", "--per-class")
    assert (status, error) == (0, "")
    rows = {
        line.split("│")[1].strip(): line.split("│")[2:4] for line in out.splitlines() if "│" in line
    }
    assert [cell.strip() for cell in rows["videos"]] == ["2", "1"]
    assert [cell.strip() for cell in rows["jump"]] == ["2", "1"]
    assert [cell.strip() for cell in rows["batches"]] == ["1", "1"]
    # only that no action is long enough for the upper levels
    assert "harm" not in out and "stop" not in out and "levels [2, 3, 4, 5]" in out
    picture = image.imread(tmp_path / "p" / "x.png")
    assert picture.shape[1] > 1500 and picture[..., :3].std() > 0.05


def test_overrides_of_the_config(write, run):
    status, out, _ = run(write(), "--cfg-options", "val_dataloader.dataset.subset=train")
    (videos,) = (line for line in out.splitlines() if line.startswith("│ videos"))
    assert [cell.strip() for cell in videos.split("│")[2:4]] == ["2", "2"]
    assert status == 1 and "2 of 2 videos are in both" in out


def test_a_run_that_would_go_wrong(write, run, tmp_path):
    extra = """
model["head"]["num_classes"] = 20
train_dataloader["dataset"]["min_visible"] = 0.9
train_dataloader["dataset"]["window_size"] = 1
val_evaluator["post_processor"]["video_scores"] = dict(file="none.json", format="cuhk")
"""
    config = write(extra)
    (tmp_path / "b.npy").unlink()
    status, out, _ = run(config)
    text = " ".join(out.replace("│", " ").split())
    assert status == 1
    assert "model.head.num_classes is 20, the data set has 2 classes" in text
    assert "1 of 2 videos lack features" in text
    assert "of 4 actions are never trained on" in text
    assert "val_evaluator: " in text and "none.json" in text


@pytest.fixture
def tool():
    path = Path(__file__).parents[3] / "tools" / "data" / "check_dataset.py"
    spec = importlib.util.spec_from_file_location("check_dataset", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


@pytest.mark.parametrize(
    ("number", "agnostic", "text"),
    [
        (2, False, None),
        (1, True, None),
        (1, False, "is 1, the data set has 2 classes; for one class"),
        (3, True, "is 3, the data set has 2 classes"),
    ],
)
def test_classes_of_the_head(tool, number, agnostic, text):
    pipeline = [dict(type="PackTADInputs", class_agnostic=agnostic)]
    cfg = Config(
        dict(
            model=dict(head=dict(type="AnyHead", num_classes=number)),
            train_dataloader=dict(dataset=dict(type="FeatureDataset", pipeline=pipeline)),
        )
    )
    found = tool.check_head(cfg, DatasetReport("train", classes=["a", "b"]))
    assert [one.level for one in found] == ["stop"] * bool(text)
    assert not text or text in found[0].text


def test_bad_configs_end_in_one_sentence(tool, tmp_path, monkeypatch, capsys):
    config = tmp_path / "bare.py"
    config.write_text("model = dict()\n")
    monkeypatch.setattr(sys, "argv", ["check_dataset.py", str(config)])
    assert run_cli(tool.main) == 1
    assert capsys.readouterr().err == (
        f"error: {config} has none of train_dataloader, val_dataloader, test_dataloader\n"
    )
