"""Training, resuming and distribution, as a user launches them."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from mmtad.checkpoints import load_checkpoint_safely

TRAIN = Path(__file__).parents[2] / "tools" / "train.py"


def weights(file: Path) -> dict:
    checkpoint = load_checkpoint_safely(str(file))
    ema = {f"ema.{key}": value for key, value in checkpoint["ema_state_dict"].items()}
    return {**checkpoint["state_dict"], **ema}


def load_train():
    spec = importlib.util.spec_from_file_location("train", TRAIN)
    train = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(train)
    return train


@pytest.fixture(scope="module")
def uninterrupted(project, run_tool, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp("uninterrupted")
    done = run_tool("train.py", project / "config.py", "--work-dir", work_dir, "--seed", 3)
    assert done.returncode == 0, done.stderr
    return work_dir, done.stdout + done.stderr


@pytest.mark.parametrize(
    "flags, expected",
    [
        ([], dict(type="AmpOptimWrapper", dtype="float16")),
        (["--amp"], dict(type="AmpOptimWrapper", dtype="float16")),
        (["--no-amp"], dict(type="OptimWrapper")),
    ],
)
def test_precision_flags(monkeypatch, flags, expected):
    train = load_train()
    monkeypatch.setattr(sys, "argv", ["train.py", "config.py", *flags])
    cfg = Config(dict(optim_wrapper=dict(type="AmpOptimWrapper", dtype="float16")))
    assert train.merge(cfg, train.parse_args()).optim_wrapper.to_dict() == expected


@pytest.mark.parametrize(
    "processes, accumulated, told",
    [(1, 1, None), (8, 1, "16 samples (8 processes x 2)"), (1, 2, "(1 processes x 2 x 2 accum")],
)
def test_another_batch_size_is_told(processes, accumulated, told):
    train = load_train()
    cfg = Config(
        dict(
            auto_scale_lr=dict(base_batch_size=2, enable=False),
            train_dataloader=dict(batch_size=2),
            optim_wrapper=dict(accumulative_counts=accumulated),
        )
    )
    messages = []
    logger = SimpleNamespace(warning=messages.append)
    train.check_batch_size(SimpleNamespace(cfg=cfg, world_size=processes, logger=logger))
    assert (told in messages[0]) if told else not messages


def test_log_names_what_is_trained(uninterrupted):
    work_dir, log = uninterrupted
    assert "Trainable parameters: adapter" in log and "mAP" in log
    assert (work_dir / "epoch_2.pth").exists()
    assert list(work_dir.glob("*/vis_data/events.out.tfevents.*"))


def test_resume_is_bit_for_bit(uninterrupted, project, run_tool, tmp_path):
    work_dir, _ = uninterrupted
    (tmp_path / "last_checkpoint").write_text(str(work_dir / "epoch_1.pth"))
    done = run_tool("train.py", project / "config.py", "--work-dir", tmp_path, "--resume")
    assert done.returncode == 0, done.stderr
    assert "resumed epoch: 1" in done.stdout + done.stderr
    once, resumed = weights(work_dir / "epoch_2.pth"), weights(tmp_path / "epoch_2.pth")
    assert once.keys() == resumed.keys()
    different = [key for key in once if not torch.equal(once[key], resumed[key])]
    assert not different


def test_killed_run_goes_on(project, tmp_path):
    command = [sys.executable, str(TRAIN), str(project / "config.py"), "--work-dir", str(tmp_path)]
    # Validation is off and there is no end in sight, so the signal meets an epoch at work.
    command += ["--cfg-options", "train_cfg.max_epochs=500", "train_cfg.val_interval=1000"]
    with open(tmp_path / "log.txt", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.time() + 200
        while not (tmp_path / "last_checkpoint").exists() and time.time() < deadline:
            assert process.poll() is None, (tmp_path / "log.txt").read_text()
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    last = Path((tmp_path / "last_checkpoint").read_text())
    epoch = int(last.stem.removeprefix("epoch_"))
    command[-2] = f"train_cfg.max_epochs={epoch + 1}"
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert f"resumed epoch: {epoch}" in done.stdout + done.stderr
    assert (tmp_path / f"epoch_{epoch + 1}.pth").exists()


def test_two_processes_train_and_test(uninterrupted, project, run_tool, tmp_path):
    done = run_tool(
        "dist_train.sh", project / "config.py", 2, "--work-dir", tmp_path, "--amp",
        "--auto-scale-lr", PORT="29533",
    )  # fmt: skip
    log = done.stdout + done.stderr
    assert done.returncode == 0, log
    assert "bfloat16" in log and "Scaling the original LR by 2.0" in log
    tested = run_tool(
        "dist_test.sh", project / "config.py", tmp_path / "epoch_2.pth", 2, "--work-dir", tmp_path,
        PORT="29534",
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout + tested.stderr
    alone = run_tool(
        "test.py", project / "config.py", tmp_path / "epoch_2.pth", "--work-dir", tmp_path / "one"
    )
    assert alone.returncode == 0, alone.stderr
    one, two = (
        json.loads((folder / "predictions.json").read_text())["results"]["c"]
        for folder in (tmp_path / "one", tmp_path)
    )
    # Windows meet other neighbours in their batch, so the last digits differ.
    scores = [[entry["score"] for entry in results] for results in (one, two)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)


@pytest.mark.parametrize("script", ["dist_train.sh", "dist_test.sh", "slurm_train.sh"])
def test_scripts_say_how_to_call_them(run_tool, script):
    done = run_tool(script)
    assert done.returncode == 2 and f"tools/{script}" in done.stderr
