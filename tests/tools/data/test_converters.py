"""Each converter of annotations, run on real files."""

import json
import runpy
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[3] / "tools" / "data"
NAMES = ["thumos14", "multithumos", "activitynet", "epic_kitchens", "ego4d"]


@pytest.fixture
def run_converter(monkeypatch, capsys, tmp_path):
    """``run("thumos14", *arguments)`` -> exit status, what was printed, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "240")

    def run(name, *arguments):
        script = str(TOOLS / f"convert_{name}.py")
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(script, run_name="__main__")
        return ended.value.code, *capsys.readouterr()

    return run


def read(path):
    content = json.loads(Path(path).read_text())
    return content, content["database"]


def test_thumos14(run_converter, shared):
    folder = shared / "data/thumos14"
    info = [folder / "ssn" / f"th14_{part}_durations.txt" for part in ("val", "test")]
    code, out, err = run_converter("thumos14", folder / "original_txt", "--video-info", *info)
    assert (code, err) == (0, "")
    assert "| Test       |    213 |   3,358 |      20 |        99 |" in out
    assert "thumos14_213" in out and "DIFFERS" not in out
    content, database = read("data/thumos14/annotations/thumos14.json")
    assert len(database) == 413 and len(content["classes"]) == 20
    labels = {one["label"] for info in database.values() for one in info["annotations"]}
    assert "Ambiguous" in labels


def test_counts_that_differ_end_in_an_error_status(run_converter, shared):
    folder = shared / "data/thumos14"
    detad = folder / "detad/thumos14_val_extra_characteristics.json.gz"
    arguments = [
        detad,
        "--durations",
        folder / "tsp/thumos14_valid_metadata.csv",
        "--out",
        "a.json",
    ]
    code, out, err = run_converter("thumos14", *arguments)
    assert code == 1 and "DIFFERS" in out and not Path("a.json").exists()
    assert err.startswith("error: the counts of THUMOS14 Validation differ from the published ones")
    code, out, err = run_converter("thumos14", *arguments, "--allow-other-counts")
    assert (code, err) == (0, "") and len(read("a.json")[1]) == 200


def test_multithumos(run_converter, shared):
    file = shared / "data/multithumos/super_events/multithumos.json"
    code, out, err = run_converter("multithumos", file)
    assert (code, err) == (0, "") and "| testing  |    213 |  20,208 |      65 |" in out
    assert len(read("data/multithumos/annotations/multithumos.json")[1]) == 413


def test_activitynet(run_converter, shared):
    folder = shared / "data/activitynet"
    tsp = "tsp/activitynet_v1-3_valid_tsp_groundtruth.csv.gz"
    bmn = folder / "bmn/anet_anno_action.json.gz"
    code, out, err = run_converter("activitynet", folder / tsp, "--available", bmn)
    assert (code, err) == (0, "") and "4,926 / 7,654 / 200" in out
    unavailable = Path("data/activitynet/annotations/unavailable.txt").read_text().split()
    assert len(unavailable) == 4926 - 4728
    assert f"{len(unavailable)} of 4,926 videos are not there" in out


def test_epic_kitchens(run_converter, shared):
    folder = shared / "data/epic_kitchens100/official"
    code, out, err = run_converter(
        "epic_kitchens",
        *(folder / "EPIC_100_validation.csv.gz", folder / "EPIC_100_test_timestamps.csv.gz"),
        *("--verb-classes", folder / "EPIC_100_verb_classes.csv"),
        *("--noun-classes", folder / "EPIC_100_noun_classes.csv"),
        *("--video-info", folder / "EPIC_100_video_info.csv"),
    )
    assert (code, err) == (0, "") and out.count("| val    |    138 |   9,668 |") == 3
    assert "no instance in train" not in out  # there is no train to look at
    for target, classes in [("verb", 97), ("noun", 300), ("action", 1352)]:
        content, database = read(f"data/epic_kitchens100/annotations/epic_{target}.json")
        assert (len(content["classes"]), len(database)) == (classes, 138 + 67)


def test_epic_kitchens_names_nouns_that_are_never_trained(run_converter, shared):
    folder = shared / "data/epic_kitchens100"
    code, out, err = run_converter(
        "epic_kitchens",
        folder / "official/EPIC_100_uda_source_train.csv.gz",
        *("--verb-classes", folder / "official/EPIC_100_verb_classes.csv"),
        *("--noun-classes", folder / "official/EPIC_100_noun_classes.csv"),
        *("--video-info", folder / "official/EPIC_100_video_info.csv", "--allow-other-counts"),
    )
    assert (code, err) == (0, "")
    assert "81 of 300 noun classes have no instance in train: blender, juicer, fish" in out


def test_ego4d(run_converter, shared):
    goalstep = shared / "data/ego4d/goalstep/goalstep_valid.json.gz"
    code, out, err = run_converter("ego4d", "--task", "goalstep", goalstep, "--levels", "steps")
    assert (code, err) == (0, "") and "134 / 3,349 / 355 (steps)" in out
    code, _, err = run_converter("ego4d", goalstep)
    assert code == 1 and "in no layout of Ego4D Moment Queries that is known" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_help(run_converter, name):
    code, out, _ = run_converter(name, "--help")
    assert code == 0
    for word in ("[SUBSET=]PATH", "--video-info", "--videos", "--allow-other-counts", "example"):
        assert word in out


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_ends_in_one_sentence(run_converter, name):
    classes = ["--verb-classes", "none.csv", "--noun-classes", "none.csv"]
    code, _, err = run_converter(name, "none.json", *(classes if name == "epic_kitchens" else []))
    assert code == 1 and len(err.strip().splitlines()) == 1
    assert err.startswith("error: none.") and "does not exist" in err
