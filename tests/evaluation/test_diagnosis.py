import csv
import gzip
import json
import time

import numpy as np
import pytest

from mmtad.evaluation import evaluate_detections
from mmtad.evaluation.diagnosis import diagnose
from mmtad.evaluation.diagnosis_bins import Bins

TIOUS = (0.5, 0.75)


def make_files(seed=0, num_videos=30):
    """Annotation and results with actions in every bin of ActivityNet's coverage and length."""
    rng = np.random.default_rng(seed)
    database, results = {}, {}
    for video in map(str, range(num_videos)):
        duration = float(rng.uniform(60, 300))
        actions, found = [], []
        for label in rng.choice(["run", "jump", "swim"], rng.integers(1, 10)):
            length = duration * float(rng.uniform(0.05, 0.95))
            start = float(rng.uniform(0, duration - length))
            actions.append({"segment": [start, start + length], "label": str(label)})
            shift = rng.normal(0, length / 6, 2)
            segment = sorted([start + float(shift[0]), start + length + float(shift[1])])
            for score in rng.random(2):
                found.append({"segment": segment, "label": str(label), "score": float(score)})
        database[video] = {"subset": "test", "duration": duration, "annotations": actions}
        results[video] = found
    return {"database": database}, {"results": results}


def oracle(truth):
    return {
        "results": {
            video: [{**action, "score": 1.0} for action in entry["annotations"]]
            for video, entry in truth["database"].items()
        }
    }


def test_perfect_detections():
    truth, _ = make_files()
    result = diagnose(truth, oracle(truth), TIOUS, bins="activitynet")
    assert result.map_n == result.mean_ap == 1 and result.missed == 0
    for one in result.characteristics:
        full = one.counts > 0
        assert (one.map_n[full] == 1).all() and (one.missed[full] == 0).all()
        assert np.isnan(one.map_n[~full]).all()
        assert one.shares.sum() == pytest.approx(1) and one.counts.sum() == result.num_actions
    assert result.false_positives.shares[0].tolist() == [1, 0, 0, 0, 0, 0]
    assert not result.false_positives.impact.any()


def test_average_map_is_that_of_the_evaluation():
    truth, results = make_files()
    result = diagnose(truth, results, TIOUS, "test", bins="activitynet")
    assert result.mean_ap == pytest.approx(evaluate_detections(truth, results, TIOUS)["mAP"])
    assert 0.1 < result.map_n < 0.9
    assert all(pair.counts.sum() == result.num_actions for pair in result.pairs)
    for pair in result.pairs:  # the pairs add up to the whole
        missed = np.nansum(pair.missed * pair.counts) / result.num_actions
        assert missed == pytest.approx(result.missed)


def test_the_order_of_videos_and_detections_does_not_matter():
    truth, results = make_files()
    other = {"results": {v: found[::-1] for v, found in reversed(list(results["results"].items()))}}
    turned = {"database": dict(reversed(list(truth["database"].items())))}
    first = diagnose(truth, results, TIOUS, bins="activitynet").as_dict()
    second = diagnose(turned, other, TIOUS, bins="activitynet").as_dict()
    assert json.dumps(first) != "" and flat(first) == pytest.approx(flat(second), nan_ok=True)


def flat(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for one in value for number in flat(one)]
    return [float("nan") if value is None else value] if not isinstance(value, str) else []


def test_empty_bins_and_no_detections():
    truth, _ = make_files()
    bins = [Bins("length", (0, 1e-3, 1e4)), "num_instances=0,1,2,3,4,5,6,7,8,1000"]
    result = diagnose(truth, {"results": {}}, bins=bins)
    length, instances = result.characteristics
    assert length.counts[0] == 0 and np.isnan(length.map_n[0]) and length.map_n[1] == 0
    assert len(instances.bins.names) == 9 and result.missed == 1 and result.map_n == 0
    assert np.isnan(result.relative_change(length)).all()
    text = json.dumps(result.as_dict(), allow_nan=False)  # no NaN in what is written
    assert json.loads(text)["characteristics"]["length"]["mAP_N"] == [None, 0]


def test_one_class_and_one_action():
    truth = {"database": {"a": {"duration": 9, "annotations": [{"segment": [1, 4], "label": "x"}]}}}
    found = {"results": {"a": [{"segment": [1, 4.1], "label": "x", "score": -3}]}}
    result = diagnose(truth, found, bins=["thumos14", "ltp"])
    assert result.map_n == 1 and result.normalizer == 1
    assert [one.bins.closed for one in result.characteristics] == ["left", "right", "right"]


def test_a_fixed_n_compares_sets():
    """With DETAD's own N the numbers are DETAD's: Python 2 rounded it down."""
    truth, results = make_files()
    low = diagnose(truth, results, bins="activitynet", normalizer=5).map_n
    high = diagnose(truth, results, bins="activitynet", normalizer=50).map_n
    assert low < high


CBR = {
    # Average over the 20 classes at tIoU 0.5, THUMOS14 test without Ambiguous, 212 videos.
    "coverage": ([2384, 657, 166, 61, 90], [32.66, 37.00, 37.51, 30.38, 17.44]),
    "length": ([1626, 851, 730, 114, 37], [19.20, 38.53, 41.65, 25.72, 2.30]),
    "num_instances": ([15, 2203, 727, 413], [23.18, 32.95, 36.62, 20.54]),
}


@pytest.fixture(scope="module")
def cbr(shared):
    names = (shared / "data/thumos14/afsd/Class Index_Detection.txt").read_text().split("\n")
    names = dict(line.split() for line in names if line.strip())
    results = {}
    for line in gzip.open(shared / "data/predictions/cbr/CBR_THUMOS-14_IoU0.5.txt.gz", "rt"):
        video, start, end, label, score = line.split()
        segment = [float(start), max(float(start), float(end))]
        results.setdefault(video, []).append(
            {"segment": segment, "label": names[label], "score": float(score)}
        )
    return {"results": results}


def test_published_detections_on_thumos14(shared, cbr):
    truth = shared / "data/thumos14/actionformer_format/thumos14.json"
    diagnose(truth, cbr, 0.5, "Test")  # compiled
    start = time.process_time()
    result = diagnose(truth, cbr, 0.5, "Test")
    assert time.process_time() - start < 3
    # The golden value of the result file, and our own numbers, kept from drifting.
    assert round(100 * result.mean_ap, 2) == 31.33
    assert round(100 * result.map_n, 2) == 33.28
    for one in result.characteristics:
        counts, map_n = CBR[one.bins.characteristic]
        assert one.counts.tolist() == counts
        assert np.round(100 * one.map_n, 2).tolist() == map_n
    # DETAD's annotation of the same actions, whose durations differ by 0.005 s at most.
    path = shared / "data/thumos14/detad/thumos14_test_extra_characteristics.json.gz"
    theirs = diagnose(path, cbr, 0.5, "testing")
    for one, other in zip(result.characteristics, theirs.characteristics, strict=True):
        np.testing.assert_allclose(one.map_n, other.map_n)
        assert one.counts.tolist() == other.counts.tolist()


def test_the_oracle_of_activitynet(shared):
    """The official sample submission is the annotation: 1 in every bin, ties apart."""
    folder = shared / "data/activitynet"
    lines = gzip.open(folder / "tsp/activitynet_v1-3_valid_tsp_groundtruth.csv.gz", "rt")
    database = {}
    for row in csv.DictReader(lines):
        video = row["video-name"]
        entry = database.setdefault(
            video, {"duration": float(row["video-duration"]), "annotations": []}
        )
        if row["action-label"]:
            segment = [float(row["t-start"]), float(row["t-end"])]
            entry["annotations"].append({"segment": segment, "label": row["action-label"]})
    path = folder / "official_evaluation/sample_detection_prediction.json"
    tious = [0.5, 0.75, 0.95]
    truth = {"database": database}
    result = diagnose(truth, path, tious, bins="activitynet", drop_duplicates=False)
    assert result.num_videos == 4926 and result.num_actions == 7651  # 3 have no length
    assert round(100 * result.mean_ap, 2) == 99.98
    for one in result.characteristics:
        assert one.map_n.min() > 0.999 and one.missed.max() == 0
        assert one.counts.sum() == 7651


@pytest.mark.parametrize(
    "change,message",
    [
        ({"normalizer": 0}, "normaliser of the precision must be above 0, got 0"),
        ({"normalizer": float("nan")}, "must be above 0"),
        ({"bins": "length=5,6"}, "actions lie in no bin of length"),
        ({"bins": "mine"}, "bins 'mine' are not understood"),
        ({"tiou_thresholds": 0.05}, "at most the lowest threshold 0.05, got 0.1"),
        ({"tiou_thresholds": 1.5}, "fractions above 0 and up to 1"),
        ({"subset": "train"}, "has no subset 'train'"),
        ({"ignore_labels": ["run", "jump", "swim"]}, "so mAP_N is undefined"),
        ({"num_bands": 0}, "one band of ranks"),
    ],
)
def test_bad_input(change, message):
    truth, results = make_files(num_videos=3)
    arguments = {"tiou_thresholds": 0.5, "bins": "activitynet", **change}
    with pytest.raises(ValueError, match=message):
        diagnose(truth, results, **arguments)


def test_coverage_needs_durations():
    truth, results = make_files(num_videos=3)
    del truth["database"]["1"]["duration"]
    with pytest.raises(ValueError, match="video '1' and 0 others have no 'duration'"):
        diagnose(truth, results, bins="ltp")
    assert diagnose(truth, results, bins="length=0,60,inf").num_videos == 3
