import gzip
import json
from math import nan

import numpy as np
import pytest

from mmtad.evaluation import load_ground_truth
from mmtad.evaluation.diagnosis_characteristics import (
    action_characteristics,
    load_durations,
    require_durations,
)


def video(duration, *segments, label="run"):
    entry = {"annotations": [{"segment": list(s), "label": label} for s in segments]}
    return entry | ({} if duration is None else {"duration": duration})


def test_by_hand():
    database = {"database": {"a": video(20, (0, 5), (3, 4)), "b": video(8, (2, 10.5))}}
    truth = load_ground_truth(database)
    values = action_characteristics(truth, load_durations(database, truth))
    assert values["length"].tolist() == [5, 1, 8.5]
    assert values["coverage"].tolist() == [0.25, 0.05, 1]  # longer than its video: all of it
    assert values["num_instances"].tolist() == [2, 2, 1]


@pytest.mark.parametrize("subset,count", [("test", 3358), ("val", 3003)])
def test_every_label_of_the_files_of_detad_on_thumos14(shared, subset, count):
    """All three characteristics of DETAD's own annotation of THUMOS14, action by action."""
    path = shared / f"data/thumos14/detad/thumos14_{subset}_extra_characteristics.json.gz"
    given = json.loads(gzip.decompress(path.read_bytes()))
    bare = {
        key: {
            "duration": entry["annotations"][0]["length"] / entry["annotations"][0]["coverage"],
            "annotations": [
                {"segment": one["segment"], "label": one["label"]} for one in entry["annotations"]
            ],
        }
        for key, entry in given["database"].items()
    }
    expected = [one for entry in given["database"].values() for one in entry["annotations"]]
    truth = load_ground_truth({"database": bare}, drop_duplicates=False)
    assert len(expected) == len(truth.labels) == count
    values = action_characteristics(truth, load_durations({"database": bare}, truth))
    # The two files spell it differently, and count the actions of a video over all classes.
    key = "num-instances" if subset == "test" else "num_instances"
    for ours, name in (("length", "length"), ("num_instances", key)):
        assert values[ours].tolist() == [one[name] for one in expected]
    np.testing.assert_allclose(values["coverage"], [one["coverage"] for one in expected], 1e-12)
    # Their durations can be read back from the files, which hold none.
    durations = load_durations(path, load_ground_truth(path, drop_duplicates=False))
    np.testing.assert_allclose(durations, [entry["duration"] for entry in bare.values()])


def test_the_four_actions_that_detad_lacks_lie_past_the_end_of_their_video(shared):
    path = shared / "data/thumos14/detad/thumos14_val_extra_characteristics.json.gz"
    theirs = json.loads(gzip.decompress(path.read_bytes()))["database"]
    ours = json.loads((shared / "data/thumos14/actionformer_format/thumos14.json").read_text())
    ours = {k: v for k, v in ours["database"].items() if v["subset"] == "Validation"}
    assert ours.keys() == theirs.keys()
    assert sum(len(v["annotations"]) for v in ours.values()) == 3007
    assert sum(len(v["annotations"]) for v in theirs.values()) == 3003

    def actions(entry):
        return {(a["label"], *(round(t, 3) for t in a["segment"])) for a in entry["annotations"]}

    missing = {k: actions(ours[k]) - actions(theirs[k]) for k in ours}
    assert {k: len(v) for k, v in missing.items() if v} == {
        "video_validation_0000364": 2,
        "video_validation_0000856": 2,
    }
    assert all(a[2] > ours[k]["duration"] for k, v in missing.items() for a in v)


def test_durations_may_be_missing_until_they_are_needed():
    database = {"database": {"a": video(None, (0, 5)), "b": video(None), "c": video(9, (1, 2))}}
    truth = load_ground_truth(database)
    durations = load_durations(database, truth)
    assert np.isnan(durations).tolist() == [True, True, False]
    with pytest.raises(ValueError, match="video 'a' and 0 others have no 'duration'"):
        require_durations(truth, durations)
    require_durations(truth, np.array([5, nan, 9]))  # b has no action


@pytest.mark.parametrize("duration", [0, -3, "long", [1], float("inf"), nan])
def test_bad_durations(duration):
    database = {"database": {"a": video(duration, (0, 5))}}
    with pytest.raises(ValueError, match="video 'a' has the duration .* expected positive seconds"):
        load_durations(database, load_ground_truth(database))
