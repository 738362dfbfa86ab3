import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mmtad.apis import TADInferencer
from mmtad.datasets.synthetic import write_video

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "infer.py"
CONFIG = ROOT / "tests" / "apis" / "tiny_config.py"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Folder with a good video, a bad one, and random weights."""
    pytest.importorskip("mmaction")
    root = tmp_path_factory.mktemp("infer")
    frames = np.random.default_rng(0).integers(0, 255, (50, 64, 64, 3), dtype=np.uint8)
    write_video(root / "videos" / "good.mp4", frames, 64, 10)
    (root / "videos" / "bad.mp4").write_text("no video")
    torch.manual_seed(0)
    model = TADInferencer(CONFIG, device="cpu").model
    torch.save({"state_dict": model.state_dict(), "meta": {}}, root / "weights.pth")
    return root


@pytest.fixture
def tool(files, monkeypatch, capfd):
    """Run the tool in this process: exit status, stdout and stderr."""

    def run(*arguments):
        arguments = [str(CONFIG) if a == "CONFIG" else a for a in arguments]
        arguments = [a.replace("ROOT", str(files)) for a in arguments]
        monkeypatch.setattr(sys, "argv", [str(TOOL), *arguments])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(TOOL), run_name="__main__")
        return stop.value.code, *capfd.readouterr()

    return run


def test_one_video_from_the_command_line(files):
    out = files / "one"
    command = [sys.executable, str(TOOL), str(CONFIG), "weights.pth", "videos/good.mp4"]
    options = ["--out", str(out), "--formats", "json,srt,png", "--min-score", "0.2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *options, "--device", "cpu"],
        cwd=files,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.iterdir()} == {"predictions.json", "good.srt", "good.png"}
    detections = json.loads((out / "predictions.json").read_text())["results"]["good"]
    assert detections and min(item["score"] for item in detections) >= 0.2
    assert (out / "good.srt").read_text().count("-->") == len(detections)


def test_a_bad_video_in_a_folder_is_reported(tool, files):
    code, out, err = tool("CONFIG", "ROOT/weights.pth", "ROOT/videos", "--out", "ROOT/folder")
    assert code == 1
    assert "error: 1 of 2 videos could not be read" in err and "bad.mp4" in err
    assert "Traceback" not in err
    assert (files / "folder" / "good.srt").is_file()
    results = json.loads((files / "folder" / "predictions.json").read_text())["results"]
    assert list(results) == ["good"]


def test_progress_is_shown_when_asked_for(tool):
    arguments = ["CONFIG", "ROOT/weights.pth", "ROOT/videos/good.mp4", "--formats", "json"]
    code, _, err = tool(*arguments, "--out", "ROOT/p", "--progress")
    assert code == 0 and "windows" in err
    code, _, err = tool(*arguments, "--out", "ROOT/p")
    assert code == 0 and err == ""


@pytest.mark.parametrize(
    "arguments,message",
    [
        (["ROOT/none.py", "ROOT/weights.pth", "ROOT/videos"], "none.py does not exist"),
        (["CONFIG", "ROOT/none.pth", "ROOT/videos"], "none.pth does not exist"),
        (["CONFIG", "ROOT/videos/bad.mp4", "ROOT/videos"], "not a PyTorch checkpoint"),
        (["CONFIG", "ROOT/weights.pth", "ROOT/none.mp4"], "none.mp4 does not exist"),
        (["CONFIG", "ROOT/weights.pth", "ROOT/videos/bad.mp4"], "not a readable video"),
        (["CONFIG", "ROOT/weights.pth", "ROOT/empty"], "empty has no video"),
        (["CONFIG", "ROOT/weights.pth", "ROOT/videos", "--formats", "mp4"], "json, srt, png"),
        (["ROOT/untested.py", "ROOT/weights.pth", "ROOT/videos"], "has no test_dataloader"),
    ],
)
def test_bad_input_ends_in_one_sentence(tool, files, arguments, message):
    (files / "empty").mkdir(exist_ok=True)
    (files / "untested.py").write_text("model = dict(type='TADDetector')")
    code, _, err = tool(*arguments, "--out", "ROOT/bad")
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert code == 1 and len(lines) == 1 and message in lines[0]
    assert "Traceback" not in err
    assert not (files / "bad").exists()
