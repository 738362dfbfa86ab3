import json
import runpy
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "ensemble.py"


def found(start, end, score, label="run"):
    return {"segment": [start, end], "label": label, "score": score}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, results in {
        "a": {"x": [found(0, 10, 0.8)], "y": []},
        "b": {"x": [found(1, 11, 0.6)], "y": [found(5, 6, 0.5)]},
        "c": {"x": []},
        "verbs": {"x": [found(0, 10, 0.8, "take")], "y": []},
        "broken": {"x": [found(10, 0, 0.8)], "y": []},
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"results": results}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", [str(TOOL), *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(TOOL), run_name="__main__")
        return ended.value.code, *capsys.readouterr()

    return run


def test_help(run):
    code, out, _ = run("--help")
    assert code == 0
    for word in ("--weights", "--method", "fusion", "seconds", "examples:", "--allow-missing"):
        assert word in out


def test_files_are_merged(folder, run):
    code, out, _ = run("a.json", "b.json", "--weights", "1", "1", "--out", "new/out.json")
    assert code == 0
    assert out == "merged 1 + 2 detections of 2 videos into 3, written to new/out.json\n"
    content = json.loads((folder / "new" / "out.json").read_text())
    assert [d["segment"] for d in content["results"]["x"]] == [[0, 10], [1, 11]]
    assert content["results"]["y"] == [found(5, 6, 0.5)]


@pytest.mark.parametrize("method, count", [("soft_nms", 2), ("nms", 1), ("fusion", 1)])
def test_methods(folder, run, method, count):
    options = ["--method", method, "--out", "out.json", "--normalize", "--max-per-video", "5"]
    assert run("a.json", "b.json", *options)[0] == 0
    assert len(json.loads((folder / "out.json").read_text())["results"]["x"]) == count
    options = ["--method", method, "--out", "out.json", "--allow-missing"]
    assert run("a.json", "c.json", *options)[0] == 0


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["a.json"], "two results or more, got 1"),
        (["a.json", "none.json"], "none.json does not exist"),
        (["a.json", "c.json"], "c.json lacks 1 of 2 videos, first 'y', which a.json has"),
        (["a.json", "verbs.json"], "verbs.json and a.json have 0 labels in common"),
        (["a.json", "broken.json"], "broken.json: video 'x' has the detection"),
        (["a.json", "b.json", "--weights", "1"], "2 results need as many positive weights"),
        (["a.json", "b.json", "--iou-threshold", "0.5"], "no effect on soft_nms"),
    ],
)
def test_bad_input_ends_in_one_sentence(folder, run, arguments, message):
    code, _, error = run(*arguments, "--out", "out.json")
    assert code == 1 and message in error
    assert len(error.strip().splitlines()) == 1
    assert not (folder / "out.json").exists()
