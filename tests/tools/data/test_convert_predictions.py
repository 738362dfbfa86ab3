import json
import runpy
import sys
from pathlib import Path

import pytest

from mmtad.evaluation import evaluate_detections

TOOL = Path(__file__).resolve().parents[3] / "tools" / "data" / "convert_predictions.py"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the tool in an empty folder; gives exit status, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", [str(TOOL), *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(TOOL), run_name="__main__")
        streams = capsys.readouterr()
        return ended.value.code, streams.out, streams.err

    return run


def test_help(run):
    status, out, _ = run("--help")
    assert status == 0
    for word in ("examples:", "--proposals", "--reversed", "class_id", "thumos14"):
        assert word in out


def test_detections(run):
    Path("found.txt").write_text("a 1 2 7 0.5\na 3 4 9 0.25\nb 5 4 7 0.1\n")
    status, out, _ = run("found.txt", "out/found.json", "--reversed", "swap")
    assert status == 0
    assert "wrote 3 detections on 2 videos to out/found.json" in out
    assert json.loads(Path("out/found.json").read_text())["results"] == {
        "a": [
            {"segment": [1.0, 2.0], "label": "BaseballPitch", "score": 0.5},
            {"segment": [3.0, 4.0], "label": "BasketballDunk", "score": 0.25},
        ],
        "b": [{"segment": [4.0, 5.0], "label": "BaseballPitch", "score": 0.1}],
    }


def test_own_classes_and_proposals(run):
    Path("found.txt").write_text("a 1 2 1 0.5\n")
    Path("classes.txt").write_text("1 pole vault\n2 run\n")
    assert run("found.txt", "found.json", "--classes", "classes.txt")[0] == 0
    assert json.loads(Path("found.json").read_text())["results"]["a"][0]["label"] == "pole vault"
    Path("proposals.txt").write_text("a 30 60\n")
    Path("gt.json").write_text(json.dumps({"database": {"a": {"fps": 15}}}))
    for rate in ("15", "gt.json"):
        status, out, _ = run("proposals.txt", "p.json", "--proposals", "--fps", rate)
        assert (status, "1 proposals on 1 videos" in out) == (0, True)
        found = json.loads(Path("p.json").read_text())["results"]
        assert found == {"a": [{"segment": [2.0, 4.0], "score": 1.0}]}


def test_real_file(run, shared):
    path = shared / "data/predictions/turn_tap/TURN-FLOW-16_SCNN_thumos14_iou0.7.txt.gz"
    status, out, _ = run(path, "turn.json")
    assert status == 0 and "on 213 videos" in out and "VolleyballSpiking" in out
    annotations = shared / "data/thumos14/actionformer_format/thumos14.json"
    # 212 videos: the detections on the one with nothing but Ambiguous count as false positives.
    result = evaluate_detections(annotations, "turn.json", 0.7, "Test")
    assert 100 * result["mAP"] == pytest.approx(7.43, abs=0.05)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["none.txt", "o.json"], "none.txt does not exist; give the path of a text file"),
        (["found.txt", "o.json"], "found.txt, line 1 has the reversed segment [5.0, 4.0]"),
        (["found.txt", "o.json", "--classes", "x.txt"], "x.txt does not exist; give 'thumos14'"),
        (["found.txt", "o.json", "--classes", "bad.txt"], "bad.txt, line 1 is 'run'; expected"),
        (["found.txt", "o.json", "--classes", "twice.txt"], "line 2 gives the id 1 again"),
        (["found.txt", "o.json", "--fps", "list.json"], "list.json has no key 'database'"),
    ],
)
def test_bad_input(run, arguments, message):
    Path("found.txt").write_text("b 5 4 7 0.1\n")
    Path("bad.txt").write_text("run\n")
    Path("twice.txt").write_text("1 run\n1 jump\n")
    Path("list.json").write_text("[]")
    status, _, error = run(*arguments)
    assert status == 1
    assert message in error and len(error.strip().splitlines()) == 1
    assert not Path("o.json").exists()
