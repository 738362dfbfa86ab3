import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "data" / "make_synthetic.py"
TINY = "--train 2 --test 1 --clips 2 --val-clips 1 --size 32 --seconds 3 4".split()


@pytest.fixture(scope="module")
def main():
    spec = importlib.util.spec_from_file_location("make_synthetic", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return lambda *args: tool.main([str(arg) for arg in args])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("make") / "synthetic"
    command = [sys.executable, str(TOOL), "--out", str(out), *TINY, "--workers", "2"]
    return out, subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_makes_the_benchmark_and_counts(made):
    out, result = made
    assert result.returncode == 0, result.stderr
    assert "2 training and 1 test videos" in result.stdout
    assert "2 + 1 clips" in result.stdout
    assert len(json.loads((out / "annotations.json").read_text())["database"]) == 3


def test_finished_folder_is_used_again(made, main, capsys):
    assert main("--out", made[0], *TINY) == 0
    assert "holds this benchmark already" in capsys.readouterr().out


def test_number_of_workers_changes_nothing(made, main, tmp_path):
    assert main("--out", tmp_path, *TINY, "--workers", 1) == 0
    for file in made[0].rglob("*.mp4"):
        assert file.read_bytes() == (tmp_path / file.relative_to(made[0])).read_bytes()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([*TINY, "--seed", 3], "other settings"),
        (["--out", "new", "--size", 7], "size must be an even number"),
        (["--out", "new", "--clip-classes", "juggle"], "juggle"),
        (["--out", TOOL, *TINY], "choose another"),
    ],
)
def test_bad_input_is_one_sentence(made, main, capsys, tmp_path, monkeypatch, args, words):
    monkeypatch.chdir(tmp_path)
    assert main("--out", made[0], *args) == 1
    message = capsys.readouterr().err
    assert words in message
    assert message.startswith("error: ") and len(message.splitlines()) == 1
    assert not (tmp_path / "new").exists()


def test_help_speaks_to_a_newcomer(main, capsys):
    with pytest.raises(SystemExit) as end:
        main("--help")
    assert end.value.code == 0
    message = capsys.readouterr().out
    assert "untrimmed videos" in message and "circle_clockwise" in message
