import gzip
import math

import pytest

from mmtad.evaluation import evaluate_detections
from mmtad.postprocessing import THUMOS14_CLASS_IDS, ensemble_results

FUSION = dict(type="fusion", iou_threshold=0.5)


def found(start, end, score, label="run"):
    return {"segment": [start, end], "label": label, "score": score}


A = {"x": [found(0, 10, 0.8), found(50, 60, 0.4, "jump")], "y": []}
B = {"y": [found(5, 6, 0.5)], "x": [found(1, 11, 0.6), found(50, 60, 0.9)]}


def test_union_and_soft_nms_by_hand():
    merged = ensemble_results([A, B])
    assert list(merged) == ["x", "y"]
    assert [d["label"] for d in merged["x"]] == ["run", "run", "jump", "run"]
    assert [d["segment"] for d in merged["x"]] == [[50, 60], [0, 10], [50, 60], [1, 11]]
    decay = math.exp(-((9 / 11) ** 2) / 0.5)
    scores = [d["score"] for d in merged["x"]]
    assert scores == pytest.approx([0.9, 0.8, 0.4, 0.6 * decay], abs=1e-6)
    assert merged["y"] == [found(5, 6, 0.5)]


def test_weights_are_relative():
    options = dict(nms=dict(type="nms", iou_threshold=0.5))
    merged = ensemble_results([A, B], [2, 4], **options)
    assert [d["score"] for d in merged["x"]] == pytest.approx([0.9, 0.6, 0.2])
    assert merged["x"][1]["segment"] == [1, 11]
    assert merged == ensemble_results([A, B], [0.5, 1.0], **options)
    cut = ensemble_results([A, B], [2, 4], max_per_video=1, **options)
    assert [len(cut[v]) for v in "xy"] == [1, 1]


def test_fusion_by_hand():
    merged = ensemble_results([A, B], nms=FUSION)
    assert merged["x"][0]["segment"] == pytest.approx([0.6 / 1.4, 10 + 0.6 / 1.4])
    assert [d["score"] for d in merged["x"]] == pytest.approx([0.7, 0.45, 0.2])
    assert [d["label"] for d in merged["x"]] == ["run", "run", "jump"]


def test_normalized_scores_start_at_one():
    merged = ensemble_results([A, B], nms=dict(type="nms"), normalize=True)
    assert merged["x"][0]["score"] == merged["x"][1]["score"] == 1
    low = {v: [{**d, "score": d["score"] / 100} for d in ds] for v, ds in A.items()}
    again = ensemble_results([low, B], nms=dict(type="nms"), normalize=True)
    for ours, theirs in zip(again["x"], merged["x"], strict=True):
        assert ours["score"] == pytest.approx(theirs["score"])
        assert ours["segment"] == theirs["segment"]


def test_order_of_the_files_does_not_matter():
    for nms in (None, dict(type="nms"), FUSION):
        merged, other = (
            ensemble_results([A, B], [1, 0.5], nms),
            ensemble_results([B, A], [0.5, 1], nms),
        )
        assert {v: merged[v] for v in sorted(merged)} == {v: other[v] for v in sorted(other)}


def test_detections_of_one_file_that_do_not_overlap_keep_full_precision():
    exact = {"x": [found(1234.5678901234, 2345.6789012345, 0.123456789012)]}
    assert ensemble_results([exact, {"x": []}]) == exact


def test_missing_videos():
    with pytest.raises(ValueError, match="b lacks 1 of 2 videos, first 'x', which a has"):
        ensemble_results([A, {"y": B["y"]}], names=["a", "b"])
    merged = ensemble_results([A, {"y": B["y"]}], allow_missing=True)
    assert [len(merged[v]) for v in "xy"] == [2, 1]
    with pytest.raises(ValueError, match="result 2 and result 1 have no video in common"):
        ensemble_results([A, {"v_x": []}], allow_missing=True)
    for pair, number in (([A, {}], 2), ([{}, A], 1)):
        with pytest.raises(ValueError, match=f"result {number} holds no video"):
            ensemble_results(pair, allow_missing=True)


def test_labels_of_another_data_set():
    verbs = {"x": [found(0, 1, 0.5, "take"), found(0, 1, 0.5, "run")], "y": []}
    assert len(ensemble_results([A, verbs])["x"]) == 4  # half of them in common
    verbs["y"] = [found(0, 1, 0.5, "cut"), found(0, 1, 0.5, "Run")]
    with pytest.raises(ValueError, match="b and a have 0 labels in common .a has no 'Run'"):
        ensemble_results([A, {"x": verbs["y"], "y": []}], names="ab")
    assert ensemble_results([A, {"x": [], "y": []}])["x"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"segment": [0, math.nan], "label": "run", "score": 0.5},
        {"segment": ["0", "1"], "label": "run", "score": 0.5},
        {"segment": [3, 1], "label": "run", "score": 0.5},
        {"segment": [1], "label": "run", "score": 0.5},
        {"segment": [0, 1], "label": "run", "score": math.inf},
        {"segment": [0, 1], "label": "run", "score": -0.5},
        {"segment": [0, 1], "label": "run"},
        {"segment": [0, 1], "score": 0.5},
        {"segment": [0, 1], "label": None, "score": 0.5},
        "run",
    ],
)
def test_malformed_detections_are_named(wrong):
    with pytest.raises(ValueError, match="b: video 'y' has the detection .*; expected"):
        ensemble_results([A, {"x": [], "y": [wrong]}], names=["a", "b"])


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(weights=[1]), "2 results need as many positive weights"),
        (dict(weights=[1, 0]), "positive weights"),
        (dict(weights=[1, math.nan]), "positive weights"),
        (dict(nms=dict(type="wbf")), "a type of .*'fusion'"),
        (dict(nms=dict(type="fusion", sigma=1)), "sigma"),
        (dict(nms=dict(type="fusion", iou_threshold=2.0)), "iou_threshold"),
        (dict(nms=dict(type="soft_nms", decay="improved_gaussian")), "duration"),
        (dict(max_per_video=0), "max_per_video"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ensemble_results([A, B], **options)
    with pytest.raises(ValueError, match="two results or more, got 1"):
        ensemble_results([A])
    with pytest.raises(ValueError, match="video 'x' holds a str"):
        ensemble_results([A, {"x": "nothing", "y": []}])


def test_two_real_detectors_are_better_together(shared):
    """CBR and TURN with S-CNN on THUMOS14, both published, neither tuned for the other."""
    names = {number: name for name, number in THUMOS14_CLASS_IDS.items()}

    def read(path):
        results = {}
        with gzip.open(shared / "data" / "predictions" / path, "rt") as stream:
            for line in stream:
                video, start, end, number, score = line.split()
                entries = results.setdefault(video, [])
                if float(start) <= float(end):
                    detection = found(float(start), float(end), float(score), names[int(number)])
                    entries.append(detection)
        return results

    def mean_ap(results):
        truth = shared / "data" / "thumos14" / "actionformer_format" / "thumos14.json"
        return evaluate_detections(truth, {"results": results}, 0.5, subset="Test")["mAP"]

    cbr = read("cbr/CBR_THUMOS-14_IoU0.5.txt.gz")
    turn = read("turn_tap/TURN-FLOW-16_SCNN_thumos14_iou0.5.txt.gz")
    best = max(mean_ap(cbr), mean_ap(turn))
    assert best == pytest.approx(0.3134, abs=1e-3)
    fused = mean_ap(ensemble_results([cbr, turn], nms=FUSION, allow_missing=True))
    assert fused > best + 0.03
    assert mean_ap(ensemble_results([cbr, turn], [1, 0.5], allow_missing=True)) > best + 0.03
