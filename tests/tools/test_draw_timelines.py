import json
import runpy
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "analysis" / "draw_timelines.py"


@pytest.fixture
def files(tmp_path):
    truth = {
        "empty": {"subset": "test", "duration": 20, "annotations": []},
        "full": {"duration": 20, "annotations": [{"segment": [1, 5], "label": "jump"}]},
        "train": {"duration": 20, "annotations": [{"segment": [1, 5], "label": "jump"}]},
    }
    predictions = {
        "empty": [],
        "full": [{"segment": [1.5, 5], "label": "jump", "score": 0.8}],
    }
    (tmp_path / "gt.json").write_text(json.dumps({"database": truth}))
    (tmp_path / "pred.json").write_text(json.dumps({"results": predictions}))
    return tmp_path


@pytest.fixture
def tool(files, monkeypatch, capsys):
    def run(*arguments):
        arguments = [str(files / a) if a.endswith((".json", ".png")) else a for a in arguments]
        monkeypatch.setattr(sys, "argv", [str(TOOL), *arguments])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(TOOL), run_name="__main__")
        return stop.value.code, capsys.readouterr()

    return run


def test_draws_the_videos_that_both_files_know(tool, files):
    code, output = tool("gt.json", "pred.json", "--out", "timeline.png")
    assert code == 0 and output.out.endswith("timeline.png: full, empty\n")
    assert (files / "timeline.png").stat().st_size > 1000
    code, output = tool("gt.json", "pred.json", "--out", "one.png", "--videos", "full")
    assert code == 0 and output.out.endswith("one.png: full\n")


def test_pictures_by_tiou_are_one_per_video(tool, files):
    code, output = tool("gt.json", "pred.json", "--by-tiou", "--out", "fit.png")
    assert code == 0 and output.out.endswith("fit.png: full, empty\n")
    assert {path.name for path in files.glob("*.png")} == {"fit_full.png", "fit_empty.png"}
    (files / "other.json").write_text(json.dumps({"results": {"full": []}}))
    arguments = ("gt.json", "pred.json", "other.json", "--videos", "full", "--out", "two.png")
    assert tool(*arguments)[0] == 0 and (files / "two_full.png").stat().st_size > 1000
    code, output = tool("gt.json", "pred.json", "--by-tiou", "--videos", "none", "--out", "a.png")
    assert code == 1 and "video 'none' is not in the ground truth" in output.err


def test_videos_with_actions_come_first():
    choose = runpy.run_path(str(TOOL))["choose_videos"]
    truth = {"a": {"annotations": []}, "b": {"annotations": [1]}, "c": {"annotations": [1]}}
    assert choose(truth, dict.fromkeys("abcd"), 2) == ["b", "c"]
    assert choose(truth, dict.fromkeys("abcd"), 9) == ["b", "c", "a"]
    with pytest.raises(ValueError, match="no video is in both"):
        choose(truth, {"x": []}, 2)


@pytest.mark.parametrize(
    "content,message",
    [
        (None, "does not exist"),
        ("{", "is not JSON"),
        ("{}", "has no key 'results'"),
        ('{"results": {"full": [{"segment": [0, 1], "label": "jump"}]}}', "'full' has the entry"),
        ('{"results": {"unknown": []}}', "no video is in both"),
    ],
)
def test_bad_input_ends_in_one_sentence(tool, files, content, message):
    (files / "pred.json").unlink()
    if content is not None:
        (files / "pred.json").write_text(content)
    code, output = tool("gt.json", "pred.json", "--out", "timeline.png")
    assert code == 1 and message in output.err
    assert len(output.err.strip().splitlines()) == 1
    assert not (files / "timeline.png").exists()
