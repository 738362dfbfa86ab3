import json
import runpy
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "make_submission.py"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the tool in a folder with results; gives exit status, output and errors."""
    monkeypatch.chdir(tmp_path)
    for name, label in (("run", "run"), ("verbs", "take"), ("nouns", "cup"), ("acts", "take cup")):
        found = {"results": {"a": [{"segment": [0, 1], "label": label, "score": 0.25}]}}
        Path(f"{name}.json").write_text(json.dumps(found))
    subsets = {"a": "test", "b": "test", "c": "val"}
    database = {video: {"subset": s, "annotations": []} for video, s in subsets.items()}
    Path("gt.json").write_text(json.dumps({"database": database}))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", [str(TOOL), *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(TOOL), run_name="__main__")
        streams = capsys.readouterr()
        return ended.value.code, streams.out, streams.err

    return run


@pytest.fixture
def epic(shared):
    folder = shared / "data/epic_kitchens100/official"
    verbs, nouns = (folder / f"EPIC_100_{task}_classes.csv" for task in ("verb", "noun"))
    return ["--sls", "2", "3", "4", "--verb-classes", verbs, "--noun-classes", nouns]


def read(path):
    return json.loads(Path(path).read_text())


def test_help(run):
    status, out, _ = run("--help")
    assert status == 0
    for word in ("examples:", "--sls", "--videos", "activitynet", "ego4d", "VERBS NOUNS"):
        assert word in out


def test_activitynet(run):
    options = ("--videos", "gt.json", "--subset", "test", "--external-data", "Kinetics")
    status, out, _ = run("activitynet", "run.json", "--out", "out/sub.json", *options)
    assert status == 0 and "results: 1 detections on 2 videos" in out
    content = read("out/sub.json")
    assert content["results"] == {
        "a": [{"label": "run", "score": 0.25, "segment": [0, 1]}],
        "b": [],
    }
    assert content["external_data"] == {"used": True, "details": "Kinetics"}


@pytest.mark.parametrize("files", [["verbs.json", "nouns.json"], ["acts.json"]])
def test_epic(run, epic, files):
    status, _, error = run("epic", *files, "--out", "sub.json", *epic)
    assert status == 0, error
    assert read("sub.json") == {
        "version": "0.2",
        "challenge": "action_detection",
        **dict(sls_pt=2, sls_tl=3, sls_td=4),
        "results": {
            "a": [{"verb": 0, "noun": 13, "action": "0,13", "score": 0.25, "segment": [0, 1]}]
        },
    }


def test_ego4d(run):
    status, out, _ = run("ego4d", "run.json", "acts.json", "--out", "sub.json")
    assert status == 0 and "retrieve_results: 1 detections on 1 videos" in out
    content = read("sub.json")
    assert content["detect_results"]["a"][0]["label"] == "run"
    assert content["retrieve_results"]["a"][0]["label"] == "take cup"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["activitynet", "none.json"], "error: none.json does not exist"),
        (
            ["ego4d", "run.json", "--videos", "gt.json", "--subset", "val"],
            "1 of 1 videos are not in the subset of the challenge ('a', ...)",
        ),
        (
            ["epic", "acts.json", *("--sls 1 1 1 --verb-classes x.csv --noun-classes x").split()],
            "x.csv does not exist; give the official table of classes",
        ),
        (
            ["epic", "acts.json", *("--sls 1 1 1 --verb-classes t.csv --noun-classes x").split()],
            "the ids of t.csv are not 0, 1, 2, ...",
        ),
    ],
)
def test_bad_input(run, arguments, message):
    Path("t.csv").write_text("id,key\n1,take\n")
    status, _, error = run(*arguments, "--out", "sub.json")
    assert status == 1
    assert message in error and len(error.strip().splitlines()) == 1
    assert not Path("sub.json").exists()


def test_bad_levels_and_arguments(run, epic):
    epic[1] = "9"
    status, _, error = run("epic", "acts.json", "--out", "sub.json", *epic)
    assert (status, "'sls_pt' of the EPIC-Kitchens submission is a level" in error) == (1, True)
    status, _, error = run("epic", "acts.json", "--out", "sub.json")
    assert (status, "epic needs --verb-classes" in error) == (2, True)
    status, _, error = run("ego4d", "run.json", "--out", "sub.json", "--sls", "1", "1", "1")
    assert (status, "ego4d takes no --sls" in error) == (2, True)
    status, _, error = run("activitynet", "run.json", "run.json", "--out", "sub.json")
    assert (status, "activitynet takes fewer result files than 2" in error) == (2, True)
