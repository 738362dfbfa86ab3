import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "evaluate.py"
GT = {
    "database": {
        "a": {
            "subset": "test",
            "annotations": [
                {"segment": [0, 10], "label": "run"},
                {"segment": [20, 30], "label": "jump"},
                {"segment": [40, 41], "label": "Ambiguous"},
            ],
        },
        "b": {"subset": "train", "annotations": [{"segment": [0, 1], "label": "run"}]},
        "c": {"subset": "test", "annotations": [{"segment": [0, 1], "label": "run"}]},
    }
}
FOUND = {"results": {"a": [{"segment": [0, 8], "label": "run", "score": 0.9}]}}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "gt.json").write_text(json.dumps(GT))
    (tmp_path / "pred.json").write_text(json.dumps(FOUND))
    return tmp_path


def evaluate(folder, *arguments):
    return subprocess.run(
        [sys.executable, str(TOOL), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_help():
    done = evaluate(None, "--help")
    assert done.returncode == 0
    for word in ("--tiou", "--subset", "--per-class", "seconds", "examples:", "0.3:0.7:0.1"):
        assert word in done.stdout


def test_table(files):
    (files / "block.txt").write_text("c\n\n")
    done = evaluate(
        files,
        "gt.json",
        "pred.json",
        *("--tiou", "0.5:0.9:0.2", "--subset", "test", "--per-class"),
        *("--block-list", "block.txt"),
    )
    assert done.returncode == 0, done.stderr
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in done.stdout.splitlines()
        if line.startswith("| ")
    ]
    assert rows == [
        ["tIoU", "actions", "0.50", "0.70", "0.90", "average"],
        ["mAP", "2", "50.00", "50.00", "0.00", "33.33"],
        ["jump", "1", "0.00", "0.00", "0.00", "0.00"],
        ["run", "1", "100.00", "100.00", "0.00", "66.67"],
    ]


def test_bad_input_ends_in_one_sentence_and_an_error_status(files):
    done = evaluate(files, "missing.json", "pred.json")
    assert done.returncode == 1
    assert done.stderr.startswith("error: missing.json does not exist; give the path")
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["gt.json", "gt.json"], "gt.json has no key 'results'"),
        (["gt.json", "broken.json"], "broken.json is not JSON"),
        (["gt.json", "pred.json", "--subset", "val"], "no subset 'val'; choose one of 'test', 'tr"),
        (["gt.json", "pred.json", "--tiou", "0.5:x"], "--tiou '0.5:x' is not understood"),
        (["gt.json", "pred.json", "--tiou", "0.7:0.3:0.1"], "--tiou '0.7:0.3:0.1' is not"),
        (["gt.json", "pred.json", "--tiou", "50"], "up to 1, got [50.0]"),
        (["gt.json", "pred.json", "--block-list", "none.txt"], "none.txt"),
    ],
)
def test_bad_input(files, monkeypatch, capsys, arguments, message):
    (files / "broken.json").write_text('{"results": ')
    monkeypatch.chdir(files)
    monkeypatch.setattr(sys, "argv", [str(TOOL), *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(TOOL), run_name="__main__")
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1


def test_tiou_ranges_end_exactly():
    parse_tiou = runpy.run_path(str(TOOL))["parse_tiou"]
    assert parse_tiou("0.3:0.7:0.1") == [0.3, 0.4, 0.5, 0.6, 0.7]
    assert parse_tiou("0.5:0.95:0.05") == [round(0.5 + 0.05 * i, 2) for i in range(10)]
    assert parse_tiou("0.5,0.75") == [0.5, 0.75]
    assert parse_tiou("0.5") == [0.5]


def test_epic_takes_no_option_that_it_would_pass_over(files):
    done = evaluate(files, "gt.json", "pred.json", "--epic", "--style", "thumos")
    assert done.returncode == 2
    assert "--epic has its own measures and takes no --style" in done.stderr


def test_several_results_are_compared(files):
    done = evaluate(files, "gt.json", "pred.json", "./pred.json")
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ") and ".json" in line]
    assert len(rows) == 2
    assert rows[0].split("|")[2:] == rows[1].split("|")[2:]


@pytest.fixture
def run(files, monkeypatch, capsys):
    """Run the tool in this process; gives its output."""

    def run(*arguments):
        monkeypatch.chdir(files)
        monkeypatch.setattr(sys, "argv", [str(TOOL), *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(TOOL), run_name="__main__")
        streams = capsys.readouterr()
        assert ended.value.code == 0, streams.err
        return streams.out

    return run


def cells(text):
    lines = (line for line in text.splitlines() if line.startswith("| "))
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def test_recall_measures_and_output(run, files):
    out = run(
        *("gt.json", "pred.json", "--subset", "test"),
        *("--measure", "mAP", "AR", "recall@kx", "--per-class", "--output", "out/numbers.json"),
        *("--max-proposals", "10", "--top-k", "3", "--average", "instance"),
    )
    rows = cells(out)
    assert ["run", "2", "50.00", "50.00", "50.00", "50.00", "50.00", "50.00"] in rows
    assert ["AR", "3", "23.33", "23.33", "23.33", "21.00"] in rows
    assert ["recall@3x", "3", *["33.33"] * 6] in rows
    content = json.loads((files / "out" / "numbers.json").read_text())
    numbers = content["results"]["pred.json"]
    assert numbers["mAP@0.50"] == 0.25 and numbers["recall@3x@0.10"] == pytest.approx(1 / 3)
    assert numbers["AR@10"] == pytest.approx(7 / 30)
    assert set(numbers["per_class"]["run"]) >= {"AP", "AR@10", "AUC", "recall@3x"}
    assert content["settings"]["subset"] == "test"


def test_style_and_named_block_list(run, files):
    found = {"results": {"a": [{"segment": [40, 41], "label": "run", "score": 1.0}]}}
    found["results"]["a"].append({"segment": [0, 10], "label": "run", "score": 0.5})
    (files / "pred.json").write_text(json.dumps(found))
    arguments = ("gt.json", "pred.json", "--subset", "test", "--tiou", "0.5", "--per-class")
    assert ["run", "2", "25.00", "25.00"] in cells(run(*arguments))
    assert ["run", "2", "50.00", "50.00"] in cells(run(*arguments, "--style", "thumos"))
    blocked = run(*arguments, "--block-list", "thumos14_212")
    assert ["run", "2", "25.00", "25.00"] in cells(blocked)


def test_epic(run, files):
    actions = [
        {"segment": [0, 10], "label": "take cup", "verb": 0, "noun": 13},
        {"segment": [20, 30], "label": "put cup", "verb": 1, "noun": 13},
    ]
    database = {"P01": {"subset": "val", "annotations": actions}}
    (files / "epic_action.json").write_text(json.dumps({"database": database}))
    for name, position in (("verbs", 0), ("nouns", 1)):
        found = [{**one, "label": one["label"].split()[position], "score": 0.5} for one in actions]
        (files / f"{name}.json").write_text(json.dumps({"results": {"P01": found}}))
    out = run("epic_action.json", "verbs.json", "nouns.json", "--epic", "--output", "out.json")
    assert cells(out)[1:] == [
        ["verb", "2", "2", "2", *["100.00"] * 6],
        ["noun", "1", "2", "2", *["100.00"] * 6],
        ["action", "2", "2", "2", *["100.00"] * 6],
    ]
    assert json.loads((files / "out.json").read_text())["results"]["action"]["mAP"] == 1
    submission = [{k: v for k, v in one.items() if k != "label"} | {"score": 1} for one in actions]
    (files / "challenge.json").write_text(json.dumps({"results": {"P01": submission[:1]}}))
    out = run("epic_action.json", "challenge.json", "--epic", "--per-class")
    assert ["action", "2", "2", "1", *["50.00"] * 6] in cells(out)
    assert ["take cup", "1", *["100.00"] * 6] in cells(out)
