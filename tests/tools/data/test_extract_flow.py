import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mmtad.datasets.flow_files import FlowFile

ROOT = Path(__file__).parents[3]
TOOL = str(ROOT / "tools/data/extract_flow.py")


@pytest.fixture
def run(monkeypatch, capsys):
    """``run(*arguments)``: exit status, stdout and stderr of the tool, run in this process."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", [TOOL, *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(TOOL, run_name="__main__")
        return stop.value.code, *capsys.readouterr()

    return call


@pytest.fixture(scope="module")
def clips(shared):
    return shared / "data/videos"


def test_a_real_clip_and_a_damaged_one(run, clips, tmp_path):
    out = tmp_path / "flow"
    videos = clips / "mmaction2/demo.mp4", clips / "decord/corrupted.mp4"
    code, said, error = run(*videos, "--out", out, "--workers", 1)
    assert code == 1
    assert "1 videos, 99 flow fields in" in said and "fields/s" in said
    assert "no flow: corrupted: the video" in said
    assert error.startswith("error: 1 of 2 videos cannot be read (corrupted); replace")
    assert [path.name for path in out.iterdir()] == ["demo.npz"]
    flow = FlowFile(out / "demo.npz")
    assert flow.info.video_frames == 280 and flow.info.video_fps == 28
    fields = flow.read(np.arange(99))
    assert fields.shape == (99, 112, 112, 2) and fields.std() > 1
    code, said, _ = run(videos[0], "--out", out)
    assert code == 0 and "1 of 1 videos have their flow already" in said
    code, _, error = run(videos[0], "--out", out, "--fps", 5, "--bound", 15)
    assert code == 1
    assert "demo.npz was made with another bound (20.0, here 15.0), fps" in error


def test_killed_in_the_middle(run, clips, tmp_path):
    """No half video is left under its name, and a second run completes what is missing."""
    videos = clips / "mmaction2/part_0.mp4", clips / "mmaction2/test.avi"
    out = tmp_path / "flow"
    options = "--out", out, "--fps", 30, "--size", 256, 320, "--layout", "png", "--workers", 1
    process = subprocess.Popen(
        [sys.executable, TOOL, *map(str, (*videos, *options))], stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not (out / ".test.part/flow_x_00010.png").exists() and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert sorted(path.name for path in out.iterdir()) == [".test.part", "part_0"]
    whole = (out / "part_0/flow.json").stat().st_mtime_ns
    code, said, _ = run(*videos, *options)
    assert code == 0 and "1 of 2 videos have their flow already" in said
    assert sorted(path.name for path in out.iterdir()) == ["part_0", "test"]
    assert (out / "part_0/flow.json").stat().st_mtime_ns == whole
    assert len(FlowFile(out / "test").frames) == 163
    assert FlowFile(out / "test").read(np.array([162])).shape == (1, 256, 320, 2)


@pytest.mark.parametrize(
    "options, message",
    [
        (["--size", "5"], "flow needs frames of at least 12 pixels, got size=(5, 5)"),
        (["--fps", "-3"], "fps must be above 0, got -3.0"),
        (["--fps", "0"], "fps must be above 0, got 0.0"),
        (["--frames", "1"], "frames must be at least 2, got 1"),
        (["--size", "1", "2", "3"], "--size takes one number or two, got 3"),
        (["--fps", "5", "--frames", "9"], "not allowed with argument"),
        (["--method", "raft"], "invalid choice: 'raft'"),
    ],
)
def test_wrong_arguments(options, message, run, clips, tmp_path):
    code, _, error = run(clips / "mmaction2/part_0.mp4", "--out", tmp_path, *options)
    assert code in (1, 2) and message in error and not list(tmp_path.iterdir())


def test_no_video(run, tmp_path):
    assert "does not exist" in run(tmp_path / "gone", "--out", tmp_path)[2]
    assert "has no video" in run(tmp_path, "--out", tmp_path)[2]


def test_help(run):
    code, said, _ = run("--help")
    assert code == 0
    for word in ("LoadFlow", "--method", "--short-side", "opencv-contrib-python", "--force"):
        assert word in said
