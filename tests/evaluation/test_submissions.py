import copy

import pytest

from mmtad.evaluation import (
    check_activitynet_submission,
    check_ego4d_submission,
    check_epic_submission,
    evaluate_detections,
    make_activitynet_submission,
    make_ego4d_submission,
    make_epic_submission,
    read_json,
)

VERBS = [f"verb{i}" for i in range(97)]
NOUNS = [f"noun{i}" for i in range(300)]
LEVELS = dict(sls_pt=2, sls_tl=3, sls_td=4)


def found(label, video="a"):
    return {"results": {video: [{"segment": [0, 1.5], "label": label, "score": 0.5, "x": 1}]}}


def test_activitynet():
    content = make_activitynet_submission(found("run", "v_abc"), ["abc", "def"])
    assert content == {
        "version": "VERSION 1.3",
        "results": {"abc": [{"label": "run", "score": 0.5, "segment": [0, 1.5]}], "def": []},
        "external_data": {"used": False, "details": ""},
    }
    content = make_activitynet_submission(found("run"), external_data="Kinetics-400")
    assert content["external_data"] == {"used": True, "details": "Kinetics-400"}


def test_official_sample_of_activitynet_passes(shared):
    path = shared / "data/activitynet/official_evaluation/sample_detection_prediction.json"
    sample = read_json(path)
    check_activitynet_submission(sample)
    made = make_activitynet_submission(path)
    assert made["version"] == sample["version"]
    assert made["results"] == sample["results"]
    assert made.keys() == sample.keys()
    assert made["external_data"].keys() == sample["external_data"].keys()


def test_epic():
    content = make_epic_submission(found("verb5 noun299"), VERBS, NOUNS, **LEVELS)
    assert content == {
        "version": "0.2",
        "challenge": "action_detection",
        "sls_pt": 2,
        "sls_tl": 3,
        "sls_td": 4,
        "results": {
            "a": [{"verb": 5, "noun": 299, "action": "5,299", "score": 0.5, "segment": [0, 1.5]}]
        },
    }


def test_ego4d():
    content = make_ego4d_submission(found("cut"), found("stir"), ["a", "b"])
    assert content["version"] == "1.0"
    assert content["challenge"] == "ego4d_moment_queries"
    assert content["detect_results"]["a"][0] == {"label": "cut", "score": 0.5, "segment": [0, 1.5]}
    assert content["retrieve_results"]["a"][0]["label"] == "stir"
    assert content["detect_results"]["b"] == content["retrieve_results"]["b"] == []
    same = make_ego4d_submission(found("cut"))
    assert same["detect_results"] == same["retrieve_results"]


def test_a_submission_evaluates_like_its_results():
    ground_truth = {"database": {"a": {"annotations": [{"segment": [0, 2], "label": "run"}]}}}
    expected = evaluate_detections(ground_truth, found("run"))
    assert evaluate_detections(ground_truth, make_activitynet_submission(found("run"))) == expected
    assert 0 < expected["mAP"]


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda c: c.pop("sls_tl"), "the EPIC-Kitchens submission lacks 'sls_tl'; add it"),
        (lambda c: c.update(version="0.1"), "'version' of .* must be '0.2', got '0.1'"),
        (lambda c: c.update(challenge="x"), "'challenge' of .* must be 'action_detection'"),
        (lambda c: c.update(sls_td=6), "'sls_td' of .* is a level from 0 to 5, got 6"),
        (lambda c: c["results"]["a"][0].pop("verb"), "a detection of .* lacks 'verb'"),
        (lambda c: c["results"]["a"][0].update(noun=300), "noun 300; ids run from 0 to 299"),
        (lambda c: c["results"]["a"][0].update(action="5"), "the action '5'; expected '5,299'"),
        (lambda c: c["results"]["a"][0].update(score=float("nan")), "video 'a' has the score nan"),
        (lambda c: c["results"]["a"][0].update(segment=[2, 1]), "the reversed segment"),
    ],
)
def test_check_epic(change, message):
    content = copy.deepcopy(make_epic_submission(found("verb5 noun299"), VERBS, NOUNS, **LEVELS))
    check_epic_submission(content)
    change(content)
    with pytest.raises(ValueError, match=message):
        check_epic_submission(content)


def test_check_the_others():
    with pytest.raises(ValueError, match="the Ego4D submission lacks 'retrieve_results'"):
        check_ego4d_submission({"version": "1.0", "challenge": "", "detect_results": {}})
    content = make_ego4d_submission(found("cut"))
    with pytest.raises(ValueError, match="'challenge' of the Ego4D submission must be"):
        check_ego4d_submission({**content, "challenge": "nlq"})
    with pytest.raises(ValueError, match="the ActivityNet submission lacks 'external_data'"):
        check_activitynet_submission({"version": "", "results": {}})


def test_bad_results():
    with pytest.raises(ValueError, match="1 of 1 videos are not in the subset .* \\('a', ...\\)"):
        make_activitynet_submission(found("run"), ["b"])
    for make in (make_activitynet_submission, make_ego4d_submission):
        make(found("run"), labels=["run", "jump"])
        with pytest.raises(ValueError, match="video 'a' has the label 'run', .* none of the 1 of"):
            make(found("run"), labels=["jump"])
    with pytest.raises(ValueError, match="video 'a' has the label 'verb5 sink', which is not a"):
        make_epic_submission(found("verb5 sink"), VERBS, NOUNS, **LEVELS)
    with pytest.raises(ValueError, match="a detection without 'label'"):
        make_ego4d_submission({"results": {"a": [{"segment": [0, 1], "score": 1}]}})
