"""Files of external classifiers."""

import csv
import gzip
import json
import math

import numpy as np
import pytest

from mmtad.postprocessing import (
    THUMOS14_CLASS_IDS,
    DetectionPostProcessor,
    VideoScores,
    load_video_scores,
    video_score_formats,
)

CLASSES = ["run", "jump", "swim"]
THUMOS = list(THUMOS14_CLASS_IDS)
IDS = set(THUMOS14_CLASS_IDS.values())


@pytest.fixture
def file(tmp_path):
    """Scores whose classes are in another order than the data set's, one of them unknown to it."""
    path = tmp_path / "cuhk.json"
    content = {
        "class": ["jump", "sleep", "swim", "run"],
        "results": {
            "a": [0.25, 0.0, 0.01, 0.64],
            "v_b": [0.5, 0.0, 0.25, 0.125],
            "c": [1.0, 2.0],
            "logits": [1.0, -2.0, 0.5, 0.1],
            "nan": [1.0, math.nan, 0.5, 0.1],
            "text": [1.0, "high", 0.5, 0.1],
        },
    }
    path.write_text(json.dumps(content))
    return path


def test_look_up_goes_by_name(file):
    table = load_video_scores(file)
    assert table.look_up("a", CLASSES).tolist() == pytest.approx([0.64, 0.25, 0.01])
    for video in ("b", "v_b"):  # ActivityNet's ids come with and without the prefix
        assert table.look_up(video, CLASSES).tolist() == [0.125, 0.5, 0.25]
    assert load_video_scores(file).look_up("v_a", ["swim"]).tolist() == pytest.approx([0.01])


def test_missing_entries_are_named(file):
    table = load_video_scores(file)
    with pytest.raises(ValueError, match="cuhk.json have no entry for video 'x'"):
        table.look_up("x", CLASSES)
    with pytest.raises(ValueError, match="'x' and 1 more"):
        table.check(["a", "x", "y"], CLASSES)
    with pytest.raises(ValueError, match="lack 1 of 2 classes, first 'fly'"):
        table.look_up("a", ["run", "fly"])
    for video in ("c", "logits", "nan", "text"):
        with pytest.raises(ValueError, match=f"video '{video}' in .*cuhk.json needs one finite sc"):
            table.look_up(video, CLASSES)
        with pytest.raises(ValueError, match=f"video '{video}' in .*cuhk.json needs one finite sc"):
            table.check(["a", video], CLASSES)


def test_files(tmp_path, file):
    with pytest.raises(FileNotFoundError, match="none.json do not exist"):
        load_video_scores(tmp_path / "none.json")
    with pytest.raises(ValueError, match="format 'cuhk'|one of"):
        load_video_scores(file, "excel")
    for text in ("[]", "{", '{"results": {}}', '{"class": [], "results": {}, "classes": []}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(ValueError, match="bad.json"):
            load_video_scores(tmp_path / "bad.json")
    packed = tmp_path / "scores.json.gz"
    with gzip.open(packed, "wt") as stream:
        json.dump({"classes": ["run"], "results": {"a": [1.0]}}, stream)
    assert load_video_scores(packed).look_up("a", ["run"]).tolist() == [1.0]


def test_another_format_is_one_function(file, monkeypatch):
    reader = {"rows": lambda path: VideoScores(str(path), ("run",), {"a": [0.5]})}
    monkeypatch.setattr(video_score_formats, "LOADERS", reader)
    assert load_video_scores(file, "rows").look_up("a", ["run"]).tolist() == [0.5]


def test_internvideo_names_its_classes_otherwise(tmp_path):
    path = tmp_path / "internvideo.json"
    path.write_text(json.dumps({"classes": ["jump", "run"], "results": {"v_a": [0.25, 0.5]}}))
    table = load_video_scores(path, "internvideo")
    assert table.look_up("a", ["run", "jump"]).tolist() == [0.5, 0.25]


@pytest.fixture
def tags(tmp_path):
    path = tmp_path / "tags.json"
    path.write_text(
        json.dumps(
            {
                "v_a": {"class": "jump", "score": 0.75},
                "v_b": {"class": "fly", "score": 0.5},
                "v_c": {"class": "run", "score": None},
            }
        )
    )
    return path


def test_tags_know_one_class_of_a_video(tags):
    table = load_video_scores(tags, "tags")
    assert table.look_up("a", CLASSES).tolist() == [0.0, 0.75, 0.0]
    table.check(["a"], CLASSES)  # that 'swim' is the best of no video is no fault
    with pytest.raises(ValueError, match="video 'b' in .*tags.json has the class 'fly'"):
        table.check(["a", "b"], CLASSES)
    with pytest.raises(ValueError, match="video 'c' in .* needs one finite score"):
        table.look_up("c", CLASSES)
    with pytest.raises(ValueError, match="no entry for video 'd'"):
        table.look_up("d", CLASSES)
    options = dict(file=str(tags), format="tags")
    with pytest.raises(ValueError, match="topk=2 .*tags.json tells 1; set video_scores.topk=1"):
        DetectionPostProcessor(video_scores=options)
    DetectionPostProcessor(video_scores=dict(**options, topk=1))


@pytest.mark.parametrize("entry", [3, {"score": 0.5}, {"class": 7, "score": 0.5}])
def test_malformed_tags_are_named(tmp_path, entry):
    path = tmp_path / "tags.json"
    path.write_text(json.dumps({"v_x": entry}))
    with pytest.raises(ValueError, match="tags.json holds no .* 'tags': video 'v_x' needs"):
        load_video_scores(path, "tags")


def test_untrimmednet_rows_are_video_numbers(tmp_path):
    array = np.arange(3 * 101, dtype=np.float32).reshape(3, 101)
    array[2, 8] = np.nan
    np.save(tmp_path / "scores.npy", array)
    table = load_video_scores(tmp_path / "scores.npy", "untrimmednet")
    expected = [101 + 9 - 1, 101 + 7 - 1]
    assert table.look_up("video_test_0000002", THUMOS[1::-1]).tolist() == expected
    with pytest.raises(ValueError, match="no entry for video 'video_test_0000004'"):
        table.look_up("video_test_0000004", THUMOS)
    with pytest.raises(ValueError, match="no entry for video 'video_validation_0000002'"):
        table.look_up("video_validation_0000002", THUMOS)
    with pytest.raises(ValueError, match="video 'video_test_0000003' in .* needs one finite"):
        table.look_up("video_test_0000003", THUMOS)
    with pytest.raises(ValueError, match="lack 1 of 1 classes, first 'Ambiguous'"):
        table.look_up("video_test_0000001", ["Ambiguous"])


def test_wrong_arrays_are_named(tmp_path):
    path = tmp_path / "scores.npy"
    np.save(path, np.zeros((3, 20)))
    with pytest.raises(ValueError, match=r"scores.npy .* shape \[videos, 101\], got \(3, 20\)"):
        load_video_scores(path, "untrimmednet")
    np.save(path, np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="scores.npy holds no video scores"):
        load_video_scores(path, "untrimmednet")
    path.write_text("{}")
    with pytest.raises(ValueError, match="not an array saved by numpy.save"):
        load_video_scores(path, "untrimmednet")


def test_thumos14_class_ids(shared):
    folder = shared / "data" / "thumos14"
    found = {}
    for name in ("val_Annotation.csv", "test_Annotation.csv"):
        with (folder / "gtad" / name).open() as stream:
            found |= {row["type"]: int(row["type_idx"]) for row in csv.DictReader(stream)}
    assert found.pop("Ambiguous") == 0
    assert found == THUMOS14_CLASS_IDS
    lines = (folder / "afsd" / "Class Index_Detection.txt").read_text().split()
    assert dict(zip(lines[1::2], map(int, lines[::2]), strict=True)) == THUMOS14_CLASS_IDS


def test_real_untrimmednet_scores(shared):
    """Rows and columns are right: the best of 101 classes is a true one in 189 of 212 videos."""
    folder = shared / "data" / "thumos14"
    table = load_video_scores(folder / "gtad" / "uNet_test.npy", "untrimmednet")
    assert len(table.table) == 1574
    database = json.loads((folder / "actionformer_format" / "thumos14.json").read_text())
    videos = {
        video: {annotation["label"] for annotation in entry["annotations"]}
        for video, entry in database["database"].items()
        if entry["subset"] == "Test"
    }
    table.check(videos, THUMOS)
    array = np.load(folder / "gtad" / "uNet_test.npy")
    best = {video: int(array[int(video[-7:]) - 1].argmax()) + 1 for video in videos}
    found = {video: THUMOS[table.look_up(video, THUMOS).argmax()] for video in videos}
    assert sum(best[v] in map(THUMOS14_CLASS_IDS.get, videos[v]) for v in videos) == 189
    assert all(THUMOS14_CLASS_IDS[found[v]] == best[v] for v in videos if best[v] in IDS)
    assert sum(found[v] in videos[v] for v in videos) == 195  # of the 20 classes
    assert len(videos) == 212


def test_real_tags_scores(shared):
    folder = shared / "data"
    table = load_video_scores(folder / "predictions" / "tags" / "tags_best_score.json.gz", "tags")
    path = folder / "activitynet" / "official_evaluation" / "sample_detection_prediction.json"
    truth = json.loads(path.read_text())["results"]
    classes = sorted({found["label"] for entries in truth.values() for found in entries})
    table.check(truth, classes)
    hits = 0
    for video, entries in truth.items():
        scores = table.look_up(video, classes)
        assert (scores > 0).sum() == 1
        hits += classes[scores.argmax()] in {found["label"] for found in entries}
    assert len(truth) == 4926 and len(classes) == 200
    assert hits / len(truth) > 0.85


def test_a_cut_file_ends_in_one_sentence(tmp_path):
    path = tmp_path / "scores.json.gz"
    packed = gzip.compress(json.dumps({"results": {str(n): [n] for n in range(999)}}).encode())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(ValueError, match=r"scores.json.gz holds no video .* end-of-stream"):
        load_video_scores(path, "cuhk")


def test_a_class_named_twice_and_a_file_cut_short(tmp_path):
    path = tmp_path / "cuhk.json"
    path.write_text(json.dumps({"class": ["run", "run"], "results": {"a": [0.1, 0.2]}}))
    with pytest.raises(ValueError, match="cuhk.json names a class twice"):
        load_video_scores(path)
    short = tmp_path / "cuhk.json.gz"
    short.write_bytes(gzip.compress(path.read_bytes())[:-12])
    with pytest.raises(ValueError, match="cuhk.json.gz holds no video scores"):
        load_video_scores(short)
