import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from mmtad.evaluation import load_ground_truth

TOOL = Path(__file__).resolve().parents[2] / "tools" / "analysis" / "diagnose.py"


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    truth, results = {}, {}
    for video in map(str, range(12)):
        starts = rng.uniform(0, 90, 4).tolist()
        truth[video] = {
            "subset": "test",
            "duration": 100,
            "annotations": [{"segment": [s, s + 5], "label": "run"} for s in starts],
        }
        results[video] = [
            {"segment": [s + float(video) / 4, s + 5], "label": "run", "score": s / 100}
            for s in starts
        ]
    (tmp_path / "gt.json").write_text(json.dumps({"database": truth}))
    (tmp_path / "a.json").write_text(json.dumps({"results": results}))
    (tmp_path / "b.json").write_text(json.dumps({"results": {"0": results["0"]}}))
    return tmp_path


@pytest.fixture
def tool(files, monkeypatch, capsys):
    def run(*arguments):
        arguments = [str(files / a) if a.endswith(".json") or a == "out" else a for a in arguments]
        monkeypatch.setattr(sys, "argv", [str(TOOL), *arguments])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(TOOL), run_name="__main__")
        return stop.value.code, capsys.readouterr()

    return run


def test_compares_two_results(tool, files):
    code, output = tool("gt.json", "a.json", "b.json", "--out", "out", "--num-timelines", "1")
    assert code == 0, output.err
    assert "a.json" in output.out and output.out.endswith("report.html and 6 other files\n")
    numbers = json.loads((files / "out" / "diagnosis.json").read_text())["results"]
    assert list(numbers) == ["a.json", "b.json"]
    assert numbers["b.json"]["missed"] == pytest.approx(11 / 12)
    assert numbers["a.json"]["tiou_thresholds"] == [0.5]
    assert len(list((files / "out").glob("timeline_*.png"))) == 1


def test_options(tool, files):
    code, output = tool(
        *("gt.json", "a.json", "--out", "out", "--bins", "activitynet", "length=0,5,10,inf"),
        *("--names", "mine", "--videos", "7", "0", "--num-bands", "2", "--normalizer", "9"),
        *("--formats", "svg", "--subset", "test"),
    )
    assert code == 0, output.err
    numbers = json.loads((files / "out" / "diagnosis.json").read_text())["results"]["mine"]
    assert len(numbers["tiou_thresholds"]) == 10 and numbers["normalizer"] == 9
    assert numbers["characteristics"]["length"]["intervals"] == ["(0, 5]", "(5, 10]", "(10, ∞)"]
    assert len(numbers["false_positives"]["counts_per_band"]) == 2
    names = {path.name for path in (files / "out").iterdir()}
    assert {"timeline_7.svg", "timeline_0.svg", "missed_pairs.svg"} <= names


def test_timelines_reach_from_bad_to_good(files):
    choose = runpy.run_path(str(TOOL))["choose_videos"]
    truth = load_ground_truth(files / "gt.json")
    results = json.loads((files / "a.json").read_text())["results"]
    # The detections of video v start v / 4 seconds late: the higher the worse.
    assert choose(truth, results, 3) == ["8", "5", "3"]
    assert choose(truth, results, 99) == [str(i) for i in range(11, -1, -1)]
    assert choose(truth, results, 0) == []


def test_result_names():
    names = runpy.run_path(str(TOOL))["result_names"]
    assert names(["x/a.json", "y/b.json"], None) == ["a.json", "b.json"]
    assert names(["x/a.json", "y/a.json"], None) == ["x/a.json", "y/a.json"]
    with pytest.raises(ValueError, match="a name per result file: 1, got 2"):
        names(["a"], ["b", "c"])
    with pytest.raises(ValueError, match="two results have the same name"):
        names(["a", "b"], ["c", "c"])


@pytest.mark.parametrize(
    "arguments,message",
    [
        (["missing.json"], "missing.json does not exist"),
        (["a.json", "--bins", "mine"], "bins 'mine' are not understood"),
        (["a.json", "--tiou", "half"], "--tiou 'half' is not understood"),
        (["a.json", "--tiou", "0.05"], "at most the lowest threshold 0.05"),
        (["a.json", "--videos", "none"], "has no video 'none'"),
        (["a.json", "--subset", "train"], "has no subset 'train'"),
        (["a.json", "--block-list", "nolist"], "nolist"),
        (["a.json"] * 7, "at most 6 results are compared, got 7"),
        (["gt.json"], "has no key 'results'"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message, tool):
    if len(arguments) == 7:
        arguments += ["--names", *"1234567"]
    code, output = tool("gt.json", *arguments, "--out", "out")
    assert code == 1
    assert message in output.err and output.err.startswith("error: ")
    assert output.err.count("\n") == 1
