"""A query-based detector, as a user trains, resumes and tests it on generated features."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mmtad.checkpoints import load_checkpoint_safely
from mmtad.datasets.synthetic_features import SyntheticFeatureSpec, make_dataset

QUICKSTART = Path(__file__).parents[2] / "configs/quickstart/dab-detr_synthetic-features.py"
CONFIG = """
_base_ = {base!r}
train_dataloader = dict(batch_size=4)
train_cfg = dict(max_epochs=2, val_interval=2)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=1, max_keep_ckpts=2))
"""


@pytest.fixture
def data(tmp_path):
    spec = replace(SyntheticFeatureSpec(), train_videos=6, test_videos=3, steps=(48, 64))
    make_dataset(tmp_path / "data", spec)
    (tmp_path / "config.py").write_text(CONFIG.format(base=str(QUICKSTART)))
    return tmp_path


def test_train_resume_and_test(data, run_tool):
    environment = dict(MMTAD_SYNTHETIC_FEATURES=str(data / "data"))
    once, again = data / "once", data / "again"
    done = run_tool("train.py", data / "config.py", "--work-dir", once, **environment)
    log = done.stdout + done.stderr
    assert done.returncode == 0, log
    assert "d0.loss_cls" in log and "unmatched_instances: 0.0000" in log and "mAP" in log

    again.mkdir()
    (again / "last_checkpoint").write_text(str(once / "epoch_1.pth"))
    arguments = (data / "config.py", "--work-dir", again)
    done = run_tool("train.py", *arguments, "--resume", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "resumed epoch: 1" in done.stdout + done.stderr
    first, second = (
        load_checkpoint_safely(str(folder / "epoch_2.pth"))["state_dict"]
        for folder in (once, again)
    )
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)

    tested = run_tool(
        "test.py", data / "config.py", again / "epoch_2.pth", *arguments[1:], **environment
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
    results = json.loads((again / "predictions.json").read_text())["results"]
    assert len(results) == 3 and all(results.values())
    for folder in ("epoch_2", "test"):
        diversity = json.loads((again / "attention" / folder / "diversity.json").read_text())
        layers = {kind: len(values) for kind, values in diversity["diversity"].items()}
        assert layers == dict(encoder=2, decoder=4, cross=4)
