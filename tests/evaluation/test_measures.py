import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from mmtad.evaluation import (
    DetectionMetric,
    evaluate_detections,
    evaluate_proposals,
    evaluate_retrieval,
    read_json,
)
from mmtad.registry import METRICS, TASK_UTILS
from mmtad.structures import TADDataSample

GROUND_TRUTH = {
    "database": {
        "a": {
            "duration": 40.0,
            "annotations": [
                {"segment": [0, 10], "label": "run"},
                {"segment": [12, 15], "label": "jump"},
                {"segment": [30, 31], "label": "Ambiguous"},
            ],
        },
        "b": {"duration": 9.0, "annotations": [{"segment": [2, 4], "label": "run"}]},
    }
}
META = {"classes": ["jump", "run"], "ground_truth": GROUND_TRUTH}
ROWS = {
    "a": [(0, 9, 0.9, 1), (30, 31, 0.85, 1), (0, 10, 0.8, 1), (12, 15, 0.7, 0), (20, 22, 0.6, 0)],
    "b": [(2, 4, 0.5, 1), (2, 3, 0.4, 0)],
}


@TASK_UTILS.register_module()
class KeepBest:
    """Keep the best of a video; notes its calls."""

    calls = []

    def __init__(self, count):
        self.count = count

    def __call__(self, windows, video_id, classes, duration):
        KeepBest.calls.append((self.count, video_id, duration))
        joined = InstanceData.cat(windows)
        return joined[joined.scores.argsort(descending=True)[: self.count]]

    def check_videos(self, videos, classes):
        KeepBest.calls.append((self.count, tuple(videos)))


@pytest.fixture(autouse=True)
def no_calls():
    KeepBest.calls = []


def run(**options):
    metric = METRICS.build(Config(dict(m=dict(type="DetectionMetric", **options))).m)
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = META
    for video, rows in ROWS.items():
        sample = TADDataSample(metainfo=dict(video_id=video, window_index=0))
        rows = torch.tensor(rows, dtype=torch.float64)
        sample.pred_instances = InstanceData(
            segments=rows[:, :2], scores=rows[:, 2], labels=rows[:, 3].long()
        )
        evaluator.process([sample])
    return evaluator.evaluate(len(ROWS))


def found(count=None):
    names = META["classes"]
    return {
        "results": {
            video: [
                {"segment": [s, e], "label": names[k], "score": p} for s, e, p, k in rows[:count]
            ]
            for video, rows in ROWS.items()
        }
    }


def test_mean_average_precision_alone_by_default():
    assert run() == evaluate_detections(GROUND_TRUTH, found())


def test_ego4d_reports_both_measures_of_the_benchmark(log):
    thresholds = [0.1, 0.3, 0.5]
    result = run(tiou_thresholds=thresholds, measures=["mAP", "recall@kx"])
    assert result == {
        **evaluate_detections(GROUND_TRUTH, found(), thresholds),
        **evaluate_retrieval(GROUND_TRUTH, found(), thresholds),
    }
    assert "recall@1x" in log[-1] and "mAP" in log[-2]


def test_proposals_with_a_post_processing_of_their_own(tmp_path):
    path = tmp_path / "found.json"
    result = run(
        post_processor=dict(type="KeepBest", count=1),
        measures=["mAP", dict(type="AR", post_processor=dict(type="KeepBest", count=4))],
        output_file=path,
    )
    assert result == {
        **evaluate_detections(GROUND_TRUTH, found(1)),
        **evaluate_proposals(GROUND_TRUTH, found(4)),
    }
    assert len(read_json(path)["results"]["a"]) == 1
    # Videos are checked for both, every post-processor sees every video once.
    assert KeepBest.calls == [
        (1, ("a", "b")),
        (4, ("a", "b")),
        *((count, video, length) for count in (1, 4) for video, length in (("a", 40), ("b", 9))),
    ]


def test_one_post_processing_for_several_measures():
    run(
        post_processor=dict(type="KeepBest", count=2),
        measures=["mAP", "AR", "recall@kx"],
    )
    assert [call[1] for call in KeepBest.calls] == [("a", "b"), "a", "b"]


def test_options():
    result = run(
        measures=[
            dict(type="AR", tiou_thresholds=[0.5], max_proposals=10, average_numbers=[2, 10]),
            dict(type="recall@kx", top_k=[3], average="instance", tiou_thresholds=[0.9]),
        ],
    )
    assert list(result) == ["AR@2", "AR@10", "AUC", "recall@3x@0.90", "recall@3x"]


def test_style():
    result = run(style="thumos")
    assert result == evaluate_detections(GROUND_TRUTH, found(), style="thumos")
    assert result["mAP"] > run()["mAP"]  # a false positive is excused
    assert run(measures=[dict(type="mAP", style="thumos")]) == result


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(measures=[]), r"measures is a list such as .* and not empty, got \[\]"),
        (dict(measures="mAP"), "measures is a list such as .*, got 'mAP'"),
        (dict(measures=["AUC"]), "a measure is one of mAP, AR, recall@kx, got 'AUC'"),
        (dict(measures=["AR", dict(type="AR")]), "a measure is given twice: AR, AR"),
        (dict(measures=[dict(type="AR", topk=5)]), r"the measure AR takes \[.*\], got \['topk'\]"),
        (dict(measures=[dict(type="AR", tiou_thresholds=50)]), "up to 1"),
        (dict(style="voc"), "style must be one of activitynet, thumos, thumos_kit, got 'voc'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        DetectionMetric(**options)
