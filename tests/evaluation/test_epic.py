import copy
import csv
import gzip

import pytest

from mmtad.evaluation import epic_reports, evaluate_detections, evaluate_epic
from mmtad.evaluation.epic import split_action_annotations

VERBS, NOUNS = {1: "put", 5: "wash"}, {0: "tap", 7: "pan"}


def annotation(start, end, verb, noun):
    label = f"{VERBS[verb]} {NOUNS[noun]}"
    return {"segment": [start, end], "label": label, "verb": verb, "noun": noun}


GT = {
    "database": {
        "P01": {
            "subset": "val",
            "annotations": [annotation(0, 10, 1, 0), annotation(20, 30, 5, 7)],
        },
        "P02": {"subset": "val", "annotations": [annotation(5, 9, 1, 7)]},
        "P03": {"subset": "train", "annotations": [annotation(5, 9, 5, 0)]},
    }
}


def results(position):
    """The annotations as detections: of verbs (0), nouns (1) or actions (None)."""
    found = {}
    for video in ("P01", "P02"):
        found[video] = [
            {
                "segment": one["segment"],
                "label": one["label"] if position is None else one["label"].split()[position],
                "score": 0.9 - 0.1 * i,
            }
            for i, one in enumerate(GT["database"][video]["annotations"])
        ]
    return {"results": found}


def challenge(**extra):
    """The same as a submission of the challenge."""
    found = {
        video: [
            {
                "verb": one["verb"],
                "noun": one["noun"],
                "action": f"{one['verb']},{one['noun']}",
                "score": 0.9 - 0.1 * i,
                "segment": one["segment"],
            }
            for i, one in enumerate(GT["database"][video]["annotations"])
        ]
        for video in ("P01", "P02")
    }
    return {"version": "0.2", "results": found, **extra}


def test_keys_and_perfect_results():
    expected = {
        f"{task}/{key}": 1.0
        for task in ("verb", "noun", "action")
        for key in (*(f"mAP@0.{i}0" for i in range(1, 6)), "mAP")
    }
    assert evaluate_epic(GT, verb=results(0), noun=results(1)) == expected
    assert evaluate_epic(GT, action=results(None)) == expected
    assert evaluate_epic(GT, action=challenge()) == expected


def test_each_task_has_its_own_classes():
    reports = epic_reports(GT, verb=results(0), noun=results(1))
    assert {task: report.classes for task, report in reports.items()} == {
        "verb": ["put", "wash"],
        "noun": ["pan", "tap"],
        "action": ["put pan", "put tap", "wash pan"],
    }


def test_own_results_of_verbs_beside_those_of_actions():
    worse = {"results": {"P01": results(0)["results"]["P01"]}}
    numbers = evaluate_epic(GT, verb=worse, action=results(None))
    assert (numbers["verb/mAP"], numbers["noun/mAP"]) == (0.75, 1.0)


def test_verbs_alone_equal_plain_evaluation():
    numbers = evaluate_epic(GT, verb=results(0), noun=results(1), tiou_thresholds=[0.1, 0.5])
    verbs = split_action_annotations(GT)["verb"]
    plain = evaluate_detections(verbs, results(0), [0.1, 0.5], "val")
    assert {f"verb/{key}": value for key, value in plain.items()}.items() <= numbers.items()


def test_ids_absent_from_the_ground_truth_never_become_other_classes(log):
    """A public evaluator numbers the present ids {1: 0, 5: 1}; a predicted 0 is then taken for 1.

    Its mAP falls by predictions of absent classes, which ours leaves out: five confident ones of
    verb 0 in front of two hits give AP 2 / 7 for "put" instead of 1.
    """
    confused = challenge()
    confused["results"]["P01"][:0] = [
        {"verb": 0, "noun": 3, "action": "0,3", "score": 1.0, "segment": [100 + i, 101 + i]}
        for i in range(5)
    ]
    numbers = evaluate_epic(GT, action=confused)
    assert set(numbers.values()) == {1.0}
    assert any("5 of 8 detections carry one of 1 labels" in line for line in log)
    # The same confusion, brought about on purpose.
    mixed = copy.deepcopy(confused)
    for detection in mixed["results"]["P01"]:
        detection["verb"] = {0: 1}.get(detection["verb"], detection["verb"])
    wrong = evaluate_epic(GT, action=mixed)["verb/mAP"]
    assert wrong == pytest.approx((2 / 7 + 1) / 2)


def test_official_validation_annotation(shared):
    """The annotations of all 9,668 actions as a submission: every task is perfect."""
    path = shared / "data/epic_kitchens100/official/EPIC_100_validation.csv.gz"
    database, found = {}, {}
    for row in csv.DictReader(gzip.open(path, "rt")):
        segment = [
            sum(60**i * float(part) for i, part in enumerate(row[key].split(":")[::-1]))
            for key in ("start_timestamp", "stop_timestamp")
        ]
        verb, noun = int(row["verb_class"]), int(row["noun_class"])
        info = database.setdefault(row["video_id"], {"subset": "val", "annotations": []})
        info["annotations"].append(
            {"segment": segment, "label": f"v{verb} n{noun}", "verb": verb, "noun": noun}
        )
        found.setdefault(row["video_id"], []).append(
            {"verb": verb, "noun": noun, "score": 1.0, "segment": segment}
        )
    reports = epic_reports({"database": database}, action={"results": found}, drop_duplicates=False)
    counts = {task: (len(r.classes), int(r.num_instances.sum())) for task, r in reports.items()}
    assert counts == {"verb": (78, 9668), "noun": (211, 9668), "action": (1352, 9668)}
    for report in reports.values():
        assert report.summary()["mAP"] == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    "given, message",
    [
        (dict(), "needs the results of verbs and of nouns, or those of actions; got nothing"),
        (dict(verb=results(0)), "or those of actions; got verbs"),
        (dict(action=results(0)), "the label 'put'; expected '<verb> <noun>'"),
        (
            dict(action={"results": {"P01": [{"segment": [0, 1], "score": 1, "verb": "put"}]}}),
            "expected a 'label' \"<verb> <noun>\", or whole numbers as 'verb' and 'noun'",
        ),
        (dict(verb=results(0), noun=results(1), pairing=dict(iou_threshold=2)), "iou_threshold"),
    ],
)
def test_bad_input(given, message):
    with pytest.raises(ValueError, match=message):
        evaluate_epic(GT, **given)


def test_ground_truth_without_ids():
    bare = copy.deepcopy(GT)
    for info in bare["database"].values():
        for one in info["annotations"]:
            del one["verb"]
    assert evaluate_epic(bare, action=results(None))["action/mAP"] == 1
    with pytest.raises(ValueError, match="without the id of its verb, so results with ids can not"):
        evaluate_epic(bare, action=challenge())
