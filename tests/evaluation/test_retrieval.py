import json

import numpy as np
import pytest

from mmtad.evaluation import evaluate_retrieval, retrieval_report

GT = {
    "database": {
        "a": {
            "subset": "val",
            "annotations": [
                {"segment": [0, 10], "label": "cut"},
                {"segment": [20, 30], "label": "cut"},
                {"segment": [0, 10], "label": "stir"},
            ],
        },
        "b": {"subset": "val", "annotations": [{"segment": [0, 10], "label": "cut"}]},
    }
}


def results(**videos):
    return {
        "results": {
            video: [
                {"segment": [start, end], "label": label, "score": score}
                for start, end, label, score in rows
            ]
            for video, rows in videos.items()
        }
    }


@pytest.mark.parametrize("name", ["tiny", "thumos_like"])
def test_public_evaluators(shared, name):
    """OpenTAD at Ego4D's thresholds, ActionFormer at fourteen."""
    folder = shared / "goldens" / "map_eval" / name
    golden = json.loads((folder / "results.json").read_text())
    files = folder / "gt.json.gz", folder / "pred.json.gz"
    expected = golden["recall_topkx"]
    report = retrieval_report(*files, expected["tiou"], "validation", top_k=expected["top_k"])
    np.testing.assert_allclose(report.mean_recall, expected["mRecall"], rtol=0, atol=1e-9)
    official = golden["actionformer_official"]["mRecall_top1x_top5x"]
    report = retrieval_report(*files, [float(tiou) for tiou in official], "validation")
    np.testing.assert_allclose(report.mean_recall, list(official.values()), rtol=0, atol=1e-9)


def test_by_hand():
    found = results(
        # Two cuts: 1x looks at two detections, 2x at four.
        a=[
            (0, 10, "cut", 0.9),
            (50, 60, "cut", 0.8),
            (21, 30, "cut", 0.7),
            (0, 10, "peel", 1.0),
            (0, 4, "stir", 0.5),
        ],
        b=[(0, 10, "stir", 0.9)],
    )
    report = retrieval_report(GT, found, [0.3, 0.95], top_k=[1, 2])
    assert report.classes == ["cut", "stir"]
    np.testing.assert_allclose(report.recall[0], [[1 / 3, 2 / 3], [1 / 3, 1 / 3]])
    np.testing.assert_allclose(report.recall[1], [[1, 1], [0, 0]])
    assert report.summary() == pytest.approx(
        {
            "recall@1x@0.30": 2 / 3,
            "recall@1x@0.95": 1 / 6,
            "recall@1x": 5 / 12,
            "recall@2x@0.30": 5 / 6,
            "recall@2x@0.95": 1 / 6,
            "recall@2x": 1 / 2,
        }
    )
    assert report.per_class()["stir"]["recall@1x"] == 0.5
    by_instance = evaluate_retrieval(GT, found, [0.3, 0.95], top_k=[1, 2], average="instance")
    assert by_instance["recall@1x@0.30"] == 2 / 4
    assert by_instance["recall@2x@0.30"] == 3 / 4


def test_one_detection_may_find_several_actions():
    overlapping = {
        "database": {
            "a": {
                "annotations": [
                    {"segment": [0, 10], "label": "cut"},
                    {"segment": [1, 11], "label": "cut"},
                ]
            }
        }
    }
    assert evaluate_retrieval(overlapping, results(a=[(0, 11, "cut", 1.0)]))["recall@1x"] == 1


def test_order_does_not_matter_and_unknown_videos_do_not_count(log):
    rows = [(i, i + 10, "cut", 0.5 + i / 100) for i in range(20)]
    forward = evaluate_retrieval(GT, results(a=rows, b=rows[:3]))
    assert evaluate_retrieval(GT, results(b=rows[:3][::-1], a=rows[::-1])) == forward
    assert evaluate_retrieval(GT, results(a=rows, b=rows[:3], z=rows)) == forward
    message = "1 of 3 videos are not in the ground truth; their detections are left out"
    assert any(message in line for line in log)


def test_nothing_found_and_zero_length():
    for found in (results(), results(a=[(5, 5, "cut", 1.0)])):
        assert set(evaluate_retrieval(GT, found).values()) == {0.0}


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(top_k=[0]), r"top_k are whole numbers from 1, got \[0\]"),
        (dict(top_k=[]), "top_k are whole numbers from 1"),
        (dict(average="micro"), "average must be one of class, instance, got 'micro'"),
        (dict(tiou_thresholds=50), "up to 1"),
        (dict(subset="test"), "no subset 'test'"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        evaluate_retrieval(GT, results(), **options)
