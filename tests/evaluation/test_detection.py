import copy
import csv
import gzip
import json

import numpy as np
import pytest

from mmtad.evaluation import detection_report, evaluate_detections, read_json
from mmtad.evaluation.detection import format_tiou

ANET_TIOU = [round(0.5 + 0.05 * i, 2) for i in range(10)]


def annotation(*actions, subset="test"):
    return {"subset": subset, "annotations": [{"segment": s, "label": n} for s, n in actions]}


def detections(*items):
    return [{"segment": s, "label": n, "score": p} for s, n, p in items]


GT = {
    "database": {
        "a": annotation(([0, 10], "run"), ([20, 30], "jump")),
        "b": annotation(([5, 9], "run")),
        "c": annotation(),
        "d": annotation(([0, 1], "swim"), subset="train"),
    }
}
PERFECT = {
    "results": {
        "a": detections(([0, 10], "run", 0.9), ([20, 30], "jump", 0.8)),
        "b": detections(([5, 9], "run", 0.7)),
    }
}


def reverse_ties(predictions):
    """The same detections, last first: stable ranking then equals a backwards ranking of ties."""
    items = list(predictions["results"].items())
    return {"results": {video: found[::-1] for video, found in reversed(items)}}


@pytest.mark.parametrize("name", ["tiny", "thumos_like"])
def test_public_evaluators(shared, name):
    """OpenTAD's evaluator; it ranks the ties of `tiny` backwards, we rank them in file order."""
    folder = shared / "goldens" / "map_eval" / name
    expected = json.loads((folder / "results.json").read_text())
    predictions = reverse_ties(read_json(folder / "pred.json.gz"))
    report = detection_report(
        folder / "gt.json.gz", predictions, expected["tiou_all"], subset="validation"
    )
    np.testing.assert_allclose(
        report.ap.mean(axis=0), list(expected["mAP_all"].values()), rtol=0, atol=1e-9
    )
    columns = [expected["activity_index"][label] for label in report.classes]
    ap = np.array(expected["ap_per_class"])[:, columns].T
    np.testing.assert_allclose(report.ap, ap, rtol=0, atol=1e-9)
    assert report.num_instances.sum() == expected["num_gt"]
    for preset in ("thumos", "anet", "epic"):
        wanted = expected[preset]
        result = evaluate_detections(
            folder / "gt.json.gz", predictions, wanted["tiou"], subset="validation"
        )
        assert result["mAP"] == pytest.approx(wanted["average"], abs=1e-9)


def test_tie_order_moves_only_tied_data(shared):
    folder = shared / "goldens" / "map_eval" / "tiny"
    predictions = read_json(folder / "pred.json.gz")
    forward, backward = (
        evaluate_detections(folder / "gt.json.gz", p, ANET_TIOU, subset="validation")["mAP"]
        for p in (predictions, reverse_ties(predictions))
    )
    assert 0 < abs(forward - backward) < 2e-3


def activitynet_validation(shared):
    path = shared / "data/activitynet/tsp/activitynet_v1-3_valid_tsp_groundtruth.csv.gz"
    database = {}
    for row in csv.DictReader(gzip.open(path, "rt")):
        video = database.setdefault(row["video-name"], {"subset": "validation", "annotations": []})
        if row["temporal-region-label"] == "Action":
            video["annotations"].append(
                {"segment": [row["t-start"], row["t-end"]], "label": row["action-label"]}
            )
    return {"database": database}


def test_activitynet_oracle(shared):
    """The annotations as predictions lose the three actions of zero length, and nothing else."""
    oracle = shared / "data/activitynet/official_evaluation/sample_detection_prediction.json"
    report = detection_report(
        activitynet_validation(shared), oracle, ANET_TIOU, drop_duplicates=False
    )
    assert (report.num_videos, len(report.classes)) == (4926, 200)
    assert (100 * report.ap.mean(axis=0)).round(2).tolist() == [99.98] * 10
    lossy = [c for c, ap in zip(report.classes, report.ap, strict=True) if ap.min() < 1]
    assert lossy == ["High jump", "Playing guitarra", "Playing kickball"]


def test_activitynet_oracle_with_videos_outside_the_ground_truth(shared, log):
    oracle = shared / "data/activitynet/official_evaluation/sample_detection_prediction.json"
    bmn = read_json(shared / "data/activitynet/bmn/anet_anno_action.json.gz")
    known = activitynet_validation(shared)["database"]
    database = {video[2:]: info for video, info in bmn.items() if video[2:] in known}
    assert len(database) == 4728
    result = evaluate_detections({"database": database}, oracle, ANET_TIOU, drop_duplicates=False)
    assert {round(100 * value, 2) for value in result.values()} == {97.72}
    assert any("198 of 4926 videos are not in the ground truth" in line for line in log)


def test_keys_and_values():
    result = evaluate_detections(GT, PERFECT, [0.5, 0.75], subset="test")
    assert result == {"mAP@0.50": 1.0, "mAP@0.75": 1.0, "mAP": 1.0}
    assert list(evaluate_detections(GT, PERFECT, subset="test")) == [
        *(f"mAP@0.{i}0" for i in range(3, 8)),
        "mAP",
    ]


def test_per_class():
    report = detection_report(GT, PERFECT, 0.5)
    assert report.per_class() == {
        "jump": {"AP@0.50": 1.0, "AP": 1.0},
        "run": {"AP@0.50": 1.0, "AP": 1.0},
        "swim": {"AP@0.50": 0.0, "AP": 0.0},
    }
    assert report.num_instances.tolist() == [1, 2, 1]


def test_empty_predictions_give_zero():
    for results in ({}, {"a": [], "zzz": []}):
        assert evaluate_detections(GT, {"results": results})["mAP"] == 0


def test_no_annotated_action():
    with pytest.raises(ValueError, match="no annotated action in its 1 evaluated videos"):
        evaluate_detections({"database": {"c": annotation()}}, PERFECT)


def test_unknown_classes_never_become_other_classes():
    """A public evaluator confuses the ids of absent classes with those of present ones."""
    predictions = copy.deepcopy(PERFECT)
    for video, segment in (("a", [0, 10]), ("b", [5, 9]), ("c", [0, 1])):
        predictions["results"].setdefault(video, []).extend(
            detections((segment, "absent", 1.0), (segment, 0, 1.0), (segment, "1", 1.0))
        )
    assert evaluate_detections(GT, predictions, subset="test")["mAP"] == 1


def test_videos_outside_the_ground_truth_are_false_positives():
    predictions = copy.deepcopy(PERFECT)
    predictions["results"]["elsewhere"] = detections(([0, 10], "jump", 1.0))
    report = detection_report(GT, predictions, 0.5, subset="test")
    assert report.per_class()["jump"]["AP"] == 0.5
    assert report.per_class()["run"]["AP"] == 1


def test_a_detector_without_classes_is_told(log):
    """Its label 0 is the name of the first class."""
    found = {"results": {"a": detections(*[([0, 10], "run", i / 9) for i in range(9)])}}
    evaluate_detections(GT, found, subset="test")
    assert any("all 9 detections are of the class 'run', one of 2; a detector" in x for x in log)
    log.clear()
    found["results"]["a"].extend(detections(([0, 10], "jump", 0.5)))
    evaluate_detections(GT, found, subset="test")
    assert not any("are of the class" in line for line in log)


def test_blocked_videos_and_ignored_labels_vanish_on_both_sides():
    blocked = detection_report(GT, PERFECT, 0.5, "test", blocked_videos=["a"])
    assert (blocked.classes, blocked.num_videos, blocked.num_predictions) == (["run"], 2, 1)
    assert blocked.summary()["mAP"] == 1
    assert detection_report(GT, PERFECT, 0.5, "test", ignore_labels=["run"]).classes == ["jump"]


def test_duplicates():
    doubled = {"database": {"a": annotation(([0, 10], "run"), ([0.0005, 10], "run"))}}
    predictions = {"results": {"a": detections(([0, 10], "run", 1.0))}}
    assert evaluate_detections(doubled, predictions)["mAP"] == 1
    assert evaluate_detections(doubled, predictions, drop_duplicates=False)["mAP"] == 0.5


def test_format_tiou():
    assert [format_tiou(t) for t in (0.5, 0.30000000000000004, 0.125)] == ["0.50", "0.30", "0.125"]
