import json

import numpy as np
import pytest

from mmtad.evaluation import load_ground_truth, load_predictions, load_proposals

TRUTH = load_ground_truth(
    {"database": {"a": {"annotations": [{"segment": [0, 1], "label": "run"}]}, "b": {}}},
    blocked_videos=["blocked"],
)


def detection(**changes):
    return {"segment": [0.5, 1], "label": "run", "score": 0.5} | changes


def test_arrays():
    results = {"b": [detection(score=1)], "other": [detection()], "a": [detection(label="x")]}
    found = load_predictions({"results": results}, TRUTH)
    assert found.videos.tolist() == [1, -1, 0]
    assert found.labels.tolist() == [0, 0, -1]
    assert found.segments.tolist() == [[0.5, 1]] * 3
    assert found.scores.dtype == np.float64 and found.scores.tolist() == [1, 0.5, 0.5]


def test_empty():
    found = load_predictions({"results": {"a": []}}, TRUTH)
    assert found.segments.shape == (0, 2) and found.scores.shape == found.labels.shape == (0,)


def test_numpy_and_tuples_are_numbers_too():
    odd = detection(segment=(np.float32(0.5), 1), score=np.float64(0.25))
    assert load_predictions({"results": {"a": [odd]}}, TRUTH).scores.tolist() == [0.25]


def test_unknown_labels_are_counted_once_and_ignored_ones_are_not(log):
    items = [detection(label=label) for label in ("x", "x", 3, "Ambiguous", "run")]
    load_predictions({"results": {"a": items, "blocked": items}}, TRUTH)
    assert len(log) == 1
    assert log[0].startswith("3 of 5 detections carry one of 2 labels that the ground truth does")
    assert "'x', '3'" in log[0]


def test_labels_of_another_data_set():
    """Class numbers in place of names would give an mAP of zero."""
    message = (
        r"none of the labels of the predictions \('0', ...\) is among the 1 labels of the ground "
        r"truth \('run', ...\); write labels as the ground truth does"
    )
    with pytest.raises(ValueError, match=message):
        load_predictions({"results": {"a": [detection(label=0)]}}, TRUTH)
    load_predictions({"results": {"a": [detection(label="Ambiguous")]}}, TRUTH)
    database = {"a": {"subset": "val", "annotations": [{"segment": [0, 1], "label": "run"}]}}
    database["b"] = {"subset": "train", "annotations": [{"segment": [0, 1], "label": "jump"}]}
    truth = load_ground_truth({"database": database}, "val")
    found = load_predictions({"results": {"a": [detection(label="jump")]}}, truth)
    assert found.labels.tolist() == [-1]


def test_videos_without_an_entry_are_counted(log):
    action = {"segment": [0, 1], "label": "run"}
    database = {v: {"subset": v[:-1], "annotations": [action]} for v in ("val1", "val2", "test1")}
    database["val3"] = {"subset": "val"}  # nothing can be missed
    found = {"results": {"val1": [detection()]}}
    load_predictions(found, load_ground_truth({"database": database}, "val"))
    assert "no entry for 1 of 3 evaluated videos ('val2', ...), so that" in log[-1]
    assert log[-1].endswith("count as missed")
    load_proposals(found, load_ground_truth({"database": database}))
    assert log[-1].endswith("was one of the subsets test, val meant?")


@pytest.mark.parametrize(
    "bad, message",
    [
        (detection(segment=["0.5", "1"]), r"segment \['0.5', '1'\]; expected .* numbers"),
        (detection(segment=[0.5, "1"]), "expected .* as numbers in seconds"),
        (detection(segment=[1]), "expected .* as numbers in seconds"),
        (detection(segment=[[0, 1], 2]), "expected .* as numbers in seconds"),
        (detection(segment=3.0), "expected .* as numbers in seconds"),
        (detection(segment=None), "expected .* as numbers in seconds"),
        (detection(segment=[float("nan"), 1]), "replace it by finite seconds"),
        (detection(segment=[0, float("inf")]), "replace it by finite seconds"),
        (detection(segment=[2, 1]), r"reversed segment \[2, 1\]; swap"),
        (detection(score=float("nan")), "score nan; expected a finite number"),
        (detection(score="0.5"), "score '0.5'; expected a finite number"),
        (detection(score=None), "score None; expected a finite number"),
        (detection(score=[1]), r"score \[1\]; expected a finite number"),
        (detection(label=None), "the label None; expected a name"),
        (detection(label=["run"]), r"the label \['run'\]; expected a name"),
        ({"segment": [0, 1], "score": 1}, "detection without 'label'"),
        ({"label": "run", "score": 1}, "detection without 'segment'"),
        ({"label": "run", "segment": [0, 1]}, "detection without 'score'"),
        ([0, 1], r"has the detection \[0, 1\]; expected an object"),
    ],
)
def test_bad_detection_names_the_video(bad, message):
    results = {"a": [detection()], "b": [detection(), bad]}
    with pytest.raises(ValueError, match=f"the predictions: video 'b' .*{message}"):
        load_predictions({"results": results}, TRUTH)


def test_bad_layout(tmp_path):
    path = tmp_path / "pred.json"
    for content, message in (
        ({"database": {}}, r"pred\.json has no key 'results' \(keys found: 'database'\)"),
        ({"results": {"a": {}}}, r"pred\.json: video 'a' holds a dict; expected a list"),
    ):
        path.write_text(json.dumps(content))
        with pytest.raises(ValueError, match=message):
            load_predictions(path, TRUTH)


def test_not_a_single_known_video():
    """Ids written in another way would give an mAP of zero without an error."""
    message = (
        r"none of the 2 videos of the predictions \('v_a', ...\) is among the 2 evaluated videos "
        r"of the ground truth \('a', ...\); check the subset and how the ids are written"
    )
    for load in (load_predictions, load_proposals):
        with pytest.raises(ValueError, match=message):
            load({"results": {"v_a": [detection()], "v_b": []}}, TRUTH)
        assert len(load({"results": {"v_a": [], "v_b": []}}, TRUTH).scores) == 0
        assert len(load({"results": {"blocked": [detection()]}}, TRUTH).scores) == 0


def test_proposals_need_no_label():
    bare = {"segment": [0.5, 1], "score": 0.5}
    found = load_proposals({"results": {"b": [bare], "a": [detection(label="x"), bare]}}, TRUTH)
    assert found.videos.tolist() == [1, 0, 0]
    assert found.labels.tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="video 'b' has a detection without 'label'"):
        load_predictions({"results": {"b": [bare]}}, TRUTH)
    with pytest.raises(ValueError, match="video 'b' has the detection 3; .* 'segment', 'score'$"):
        load_proposals({"results": {"b": [3]}}, TRUTH)
