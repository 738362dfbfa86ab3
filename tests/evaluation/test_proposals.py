import json

import numpy as np
import pytest

from mmtad.evaluation import evaluate_proposals, proposal_report, read_json, read_text_results

GT = {
    "database": {
        "a": {
            "subset": "test",
            "annotations": [
                {"segment": [0, 10], "label": "run"},
                {"segment": [20, 30], "label": "jump"},
            ],
        },
        "b": {"subset": "test", "annotations": [{"segment": [0, 10], "label": "run"}]},
        "none": {"subset": "test", "annotations": []},
        "other": {"subset": "train", "annotations": [{"segment": [0, 10], "label": "run"}]},
    }
}


def proposals(**videos):
    """Proposals (start, end, score) by video, without labels."""
    return {
        "results": {
            video: [{"segment": [start, end], "score": score} for start, end, score in rows]
            for video, rows in videos.items()
        }
    }


@pytest.mark.parametrize("name", ["tiny", "thumos_like"])
def test_public_evaluators(shared, name):
    """Curve, AR and area of the evaluator of OpenTAD, which is that of the ActivityNet kit."""
    folder = shared / "goldens" / "map_eval" / name
    expected = json.loads((folder / "results.json").read_text())["AR_AN"]
    report = proposal_report(
        folder / "gt.json.gz", folder / "pred.json.gz", expected["tiou"], subset="validation"
    )
    np.testing.assert_allclose(report.curve, expected["avg_recall"], rtol=0, atol=1e-9)
    assert report.summary() == pytest.approx(expected["metrics"], abs=1e-9)


def test_by_hand():
    found = proposals(a=[(0, 10, 0.9), (21, 30, 0.8)], b=[(0, 4, 0.5), (0, 10, 0.4)])
    report = proposal_report(GT, found, [0.5, 1.0], "test", max_proposals=2)
    # AN 1: one proposal in each video, finding the first of three actions; AN 2: two in each.
    np.testing.assert_allclose(report.recall, [[1 / 3, 1], [1 / 3, 2 / 3]])
    assert report.summary([1, 2, 5]) == pytest.approx(
        {"AR@1": 1 / 3, "AR@2": 5 / 6, "AUC": (1 / 3 + 5 / 6) / 2 / 2}
    )
    assert report.per_class([2])["jump"]["AR@2"] == 0.5
    assert report.per_class([2])["run"]["AR@2"] == 1
    assert (report.num_videos, report.num_proposals) == (2, 4)
    assert list(evaluate_proposals(GT, found, subset="test")) == [
        *("AR@1", "AR@5", "AR@10", "AR@100"),
        "AUC",
    ]


def test_perfect_proposals():
    found = proposals(a=[(0, 10, 0.9), (20, 30, 0.8)], b=[(0, 10, 0.7)])
    result = evaluate_proposals(GT, found, subset="test")
    assert result["AR@100"] == 1 and 0.98 < result["AUC"] < 0.99


def test_videos_without_annotation_do_not_shrink_the_others(log):
    """Public evaluators divide the budget by all proposals, those of unannotated videos too."""
    rows = [(0, 1, 1 - i / 100) for i in range(99)] + [(0, 10, 0.001), (20, 30, 0.0005)]
    alone = proposals(a=rows, b=rows)
    more = proposals(a=rows, b=rows, none=rows * 5, elsewhere=rows * 5)
    results = [evaluate_proposals(GT, one, 0.5, "test") for one in (alone, more)]
    assert results[0] == results[1]
    assert results[0]["AR@100"] == 2 / 3  # the hundredth proposal counts, the hundred-first not
    assert any("1 of 4 videos are not in the ground truth" in line for line in log)
    assert any("are left out" in line for line in log)


def test_order_and_shift_do_not_matter():
    rng = np.random.default_rng(0)
    rows = {
        video: [
            (*np.sort(rng.uniform(0, 30, 2)).round(2).tolist(), float(score))
            for score in rng.permutation(40)
        ]
        for video in "ab"
    }
    base = evaluate_proposals(GT, proposals(**rows), subset="test")
    mixed = proposals(**{video: rows[video][::-1] for video in "ba"})
    assert evaluate_proposals(GT, mixed, subset="test") == base
    moved_gt = json.loads(json.dumps(GT))
    for info in moved_gt["database"].values():
        for one in info["annotations"]:
            one["segment"] = [t + 64 for t in one["segment"]]
    moved = {v: [(s + 64, e + 64, p) for s, e, p in one] for v, one in rows.items()}
    assert evaluate_proposals(moved_gt, proposals(**moved), subset="test") == pytest.approx(base)
    assert 0 < base["AR@10"] < 1


def test_nothing_found_and_zero_length():
    for found in (proposals(), proposals(a=[]), proposals(a=[(5, 5, 1.0)], b=[(0, 0, 0.5)])):
        result = evaluate_proposals(GT, found, subset="test")
        assert set(result.values()) == {0.0}


def test_bad_input():
    with pytest.raises(ValueError, match="no annotated action .* so average recall is undefined"):
        evaluate_proposals({"database": {"x": {}}}, proposals())
    with pytest.raises(ValueError, match="video 'a' has the segment .*nan"):
        evaluate_proposals(GT, proposals(a=[(0, float("nan"), 1.0)]))
    with pytest.raises(ValueError, match="video 'a' has a detection without 'score'"):
        evaluate_proposals(GT, {"results": {"a": [{"segment": [0, 1]}]}})
    with pytest.raises(ValueError, match="max_proposals must be at least 1, got 0"):
        evaluate_proposals(GT, proposals(), max_proposals=0)
    with pytest.raises(ValueError, match="average_numbers are whole numbers from 1, got"):
        evaluate_proposals(GT, proposals(), average_numbers=[0])


def test_real_proposals(shared):
    """TURN-TAP on THUMOS14 test: frames and no scores; most actions are covered by some."""
    annotations = read_json(shared / "data/thumos14/actionformer_format/thumos14.json")
    rates = {video: info["fps"] for video, info in annotations["database"].items()}
    rates["video_test_0001292"] = 30.0  # annotated as Ambiguous only and left out there
    path = shared / "data/predictions/turn_tap/test_proposals_from_TURN.txt.gz"
    found = read_text_results(path, fps=rates)
    assert (len(found), sum(map(len, found.values()))) == (213, 61_823)
    report = proposal_report(
        annotations, {"results": found}, [0.5, 0.7], "Test", max_proposals=1000
    )
    assert report.recall[0, -1] > report.recall[1, -1] > 0.3
    assert (np.diff(report.curve) >= 0).all()
