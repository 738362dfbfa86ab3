"""Mistakes of a user end in one sentence and a non-zero exit status, never in a traceback."""

import json
import os
import runpy
import sys
from pathlib import Path

import pytest
import torch
from mmengine.logging import MMLogger

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def call(monkeypatch, capfd, tmp_path):
    """Run a tool in this process; returns its exit status and its error line."""

    def run(name: str, *args) -> tuple[int, str]:
        MMLogger._instance_dict.clear()  # its handler holds the stream of an earlier test
        monkeypatch.setattr(sys, "argv", [name, *map(str, args), "--work-dir", str(tmp_path)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(TOOLS / name), run_name="__main__")
        text = capfd.readouterr().err
        assert "Traceback" not in text
        said = [line for line in text.splitlines() if line.startswith("error:")]
        return ended.value.code, said[-1] if said else ""  # decord's own lines may come later

    return run


def options(**kwargs) -> list:
    return ["--cfg-options", *[f"{key}={value}" for key, value in kwargs.items()]]


def test_config_does_not_exist(call):
    assert call("train.py", "no.py") == (
        1,
        "error: the config no.py does not exist; configs/ lists what there is",
    )


def test_unknown_type(call, project):
    status, error = call("train.py", project / "config.py", *options(**{"model.head.type": "Foo"}))
    assert status == 1 and "Foo is not in the mmtad::model registry" in error


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "does not exist"),
        ("[1, 2", "JSON"),
        ('{"videos": {}}', "database"),
    ],
)
def test_annotation_file(call, project, tmp_path, content, message):
    file = tmp_path / "anno.json"
    if content is not None:
        file.write_text(content)
    status, error = call(
        "train.py", project / "config.py", *options(**{"train_dataloader.dataset.ann_file": file})
    )
    assert status == 1 and "anno.json" in error and message in error


def test_unknown_subset(call, project):
    status, error = call(
        "train.py", project / "config.py", *options(**{"train_dataloader.dataset.subset": "trian"})
    )
    assert status == 1 and "trian" in error and "train" in error


def test_data_without_an_action(call, project, tmp_path):
    database = json.loads((project / "annotations.json").read_text())["database"]
    for video in database.values():
        video["annotations"] = []
    file = tmp_path / "empty.json"
    file.write_text(json.dumps({"database": database}))
    status, error = call(
        "train.py", project / "config.py", *options(**{"train_dataloader.dataset.ann_file": file})
    )
    assert status == 1 and "action" in error


def test_no_video_can_be_read(call, project, tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.mp4").write_bytes(b"no video")
    prefix = {"train_dataloader.dataset.data_prefix.video": tmp_path}
    status, error = call("train.py", project / "config.py", *options(**prefix))
    assert status == 1
    assert error.startswith("error: none of the 2 videos can be read") and ".mp4" in error


def test_checkpoint_missing(call, project):
    status, error = call("test.py", project / "config.py", "no.pth")
    assert status == 1 and "no.pth" in error


def test_checkpoint_corrupt(call, project, tmp_path):
    file = tmp_path / "broken.pth"
    file.write_bytes(os.urandom(100))
    status, error = call("test.py", project / "config.py", file)
    assert status == 1 and "broken.pth" in error


def test_checkpoint_of_another_architecture(call, project, tmp_path):
    file = tmp_path / "other.pth"
    torch.save({"state_dict": {"backbone.conv1.weight": torch.ones(3)}}, file)
    status, error = call("test.py", project / "config.py", file)
    assert status == 1 and "other.pth" in error and "matched 0" in error


def test_scaling_without_a_base(call, project):
    status, error = call(
        "train.py", project / "config.py", "--auto-scale-lr", *options(auto_scale_lr="{}")
    )
    assert status == 1 and "base_batch_size" in error
