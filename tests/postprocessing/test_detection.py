import math

import pytest
import torch
from mmengine.structures import InstanceData

from mmtad.evaluation import DetectionMetric
from mmtad.ops import nms, segment_voting, soft_nms
from mmtad.postprocessing import DetectionPostProcessor
from mmtad.postprocessing.detection import merge_windows
from mmtad.registry import TASK_UTILS

SOFT = {"type": "soft_nms", "sigma": 0.5, "min_score": 0.001}


def window(segments, scores, labels):
    return InstanceData(
        segments=torch.tensor(segments, dtype=torch.float32).reshape(-1, 2),
        scores=torch.tensor(scores, dtype=torch.float32),
        labels=torch.tensor(labels, dtype=torch.int64),
    )


def random_window(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    starts = torch.rand(n, generator=generator) * 50
    widths = torch.rand(n, generator=generator) * 10
    return InstanceData(
        segments=torch.stack([starts, starts + widths], dim=1),
        scores=torch.rand(n, generator=generator),
        labels=torch.randint(3, (n,), generator=generator),
    )


def assert_well_formed(result, n=None):
    assert result.segments.dtype == torch.float32 and result.segments.shape[1:] == (2,)
    assert result.scores.dtype == torch.float32 and result.labels.dtype == torch.int64
    assert len(result.segments) == len(result.scores) == len(result.labels)
    assert result.segments.isfinite().all() and (result.scores.diff() <= 0).all()
    assert n is None or len(result) == n


def test_built_from_a_config():
    config = {"type": "DetectionPostProcessor", "nms": SOFT, "max_per_video": 2000}
    assert isinstance(TASK_UTILS.build(config), DetectionPostProcessor)


def test_windows_are_merged_before_suppression():
    windows = [
        window([[0, 10], [20, 30]], [0.5, 0.4], [0, 1]),
        window([], [], []),
        window([[0, 10], [0, 10]], [0.9, 0.8], [0, 1]),
    ]
    processor = DetectionPostProcessor(nms={"type": "nms", "iou_threshold": 0.5})
    result = processor(windows)
    assert_well_formed(result, 3)
    assert result.scores.tolist() == pytest.approx([0.9, 0.8, 0.4])
    assert result.labels.tolist() == [0, 1, 1]
    processor = DetectionPostProcessor(
        nms={"type": "nms", "iou_threshold": 0.5, "class_agnostic": True}
    )
    assert processor(windows).scores.tolist() == pytest.approx([0.9, 0.4])


@pytest.mark.parametrize("windows", [[], [window([], [], [])], [window([], [], [])] * 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"nms": SOFT},
        {"nms": {**SOFT, "class_agnostic": True}, "voting": {"iou_threshold": 0.5}},
        {"nms": SOFT, "min_duration": 1.0, "pre_nms_topk": 3, "max_per_video": 2},
    ],
)
def test_nothing_in_nothing_out(windows, options):
    assert_well_formed(DetectionPostProcessor(**options)(windows), 0)


def test_everything_filtered_away():
    one = random_window(20)
    assert_well_formed(DetectionPostProcessor(nms=SOFT, min_duration=100.0)([one]), 0)
    assert_well_formed(DetectionPostProcessor(nms={**SOFT, "min_score": 2.0})([one]), 0)


def test_without_nms_only_sorts_and_cuts():
    one = random_window(20)
    result = DetectionPostProcessor(max_per_video=5)([one])
    assert_well_formed(result, 5)
    assert torch.equal(result.scores, one.scores.sort(descending=True).values[:5])


def test_filters_come_before_suppression():
    windows = [window([[0, 10], [0, 0.5], [3, 10], [40, 60]], [0.5, 0.9, 0.6, 0.1], [0, 0, 0, 0])]
    hard = {"type": "nms", "iou_threshold": 0.5}
    result = DetectionPostProcessor(nms=hard, min_duration=0.5)(windows)
    assert result.segments.tolist() == [[3, 10], [40, 60]]
    result = DetectionPostProcessor(nms=hard, pre_nms_topk=2)(windows)
    assert result.segments.tolist() == [[0, 0.5], [3, 10]]


def test_options_reach_the_operators():
    one = random_window(100)
    agnostic = {"class_agnostic": True}
    result = DetectionPostProcessor(nms={**SOFT, **agnostic, "decay": "linear"})([one])
    keep, lowered = soft_nms(one.segments, one.scores, method="linear")
    assert torch.equal(result.segments, one.segments[keep])
    assert torch.equal(result.scores, lowered)
    result = DetectionPostProcessor(nms={"type": "nms", "iou_threshold": 0.2, **agnostic})([one])
    assert torch.equal(result.labels, one.labels[nms(one.segments, one.scores, 0.2)])
    result = DetectionPostProcessor(nms={**SOFT, "max_per_class": 2})([one])
    assert result.labels.bincount().tolist() == [2, 2, 2]
    voting = {"iou_threshold": 0.5, "iou_weighted": True}
    result = DetectionPostProcessor(nms={**SOFT, **agnostic}, voting=voting)([one])
    keep, _ = soft_nms(one.segments, one.scores)
    expected = segment_voting(one.segments[keep], one.segments, one.scores, **voting)
    torch.testing.assert_close(result.segments, expected)


def test_order_of_the_windows_does_not_matter():
    windows = [random_window(50, seed) for seed in range(4)]
    processor = DetectionPostProcessor(nms=SOFT, max_per_video=60)
    result, reversed_result = processor(windows), processor(windows[::-1])
    assert_well_formed(result, 60)
    assert torch.equal(result.segments, reversed_result.segments)
    assert torch.equal(result.scores, reversed_result.scores)


def test_input_is_not_changed_and_double_comes_out_as_float():
    one = random_window(30)
    wide = InstanceData(segments=one.segments.double(), scores=one.scores, labels=one.labels)
    before = wide.segments.clone()
    nms_options = {**SOFT, "class_agnostic": True}
    result = DetectionPostProcessor(nms=nms_options, voting={"iou_threshold": 0.3})([wide])
    assert_well_formed(result)
    assert torch.equal(wide.segments, before)
    assert nms_options == {**SOFT, "class_agnostic": True}


def test_zero_length_segments_with_voting_stay_finite():
    windows = [window([[5, 5], [5, 5], [0, 9]], [0.9, 0.8, 0.7], [0, 1, 2])]
    for weighted in (False, True):
        voting = {"iou_threshold": 0.7, "iou_weighted": weighted}
        result = DetectionPostProcessor(nms={**SOFT, "class_agnostic": True}, voting=voting)(
            windows
        )
        assert_well_formed(result, 3)
        assert result.segments.tolist() == [[5, 5], [5, 5], [0, 9]]


def test_equal_to_public_code_where_it_is_finite(golden):
    _, io, case = golden("nms_opentad")
    inputs = io["inputs"]["n200"]
    one = InstanceData(
        segments=inputs["segs"], scores=inputs["scores"], labels=inputs["labels"].long()
    )
    for name in ("soft_mc_s0.5", "soft_ag_s0.5_vote0.7"):
        setting = case["config"][name]
        agnostic = not setting["multiclass"]
        result = DetectionPostProcessor(
            nms={**SOFT, "class_agnostic": agnostic, "max_per_class": setting["max_seg_num"]},
            voting={"iou_threshold": 0.7} if agnostic else None,
            max_per_video=setting["max_seg_num"],
        )([one])
        theirs = io["out"]["n200"][name]
        torch.testing.assert_close(result.segments, theirs["segs"], atol=1e-5, rtol=2e-7)
        torch.testing.assert_close(result.scores, theirs["scores"], atol=1e-5, rtol=0)
        assert result.labels.tolist() == theirs["labels"].tolist()


def test_finite_where_public_code_gives_nan(golden):
    _, io, _ = golden("actionformer_opentad")
    processor = DetectionPostProcessor(
        nms={**SOFT, "sigma": 0.7, "class_agnostic": True},
        voting={"iou_threshold": 0.7},
        pre_nms_topk=2000,
        max_per_video=200,
    )
    for index, meta in enumerate(io["post"]["metas"]):
        theirs = io["post"]["results"]["soft_agnostic_vote"][meta["video_name"]]
        proposals, scores = (io["batch_eval"][key][index] for key in ("proposals", "scores"))
        chosen, labels = (scores > 0.001).nonzero(as_tuple=True)
        raw = InstanceData(segments=proposals[chosen], scores=scores[chosen, labels], labels=labels)
        result = processor([raw])  # there, too, in grid units: near ties depend on rounding
        assert_well_formed(result, 200)
        finite = theirs["segments"].isfinite().all(dim=1)
        assert 100 < finite.sum() < 200
        assert result.labels.tolist() == theirs["labels"].tolist()
        # rounded there: scores to four decimals, segments (clamped to the video) to two
        torch.testing.assert_close(result.scores, theirs["scores"], atol=5.1e-5, rtol=0)
        frames = result.segments * meta["snippet_stride"] + meta["offset_frames"]
        clamped = (frames / meta["fps"]).clamp(0, meta["duration"])[finite]
        torch.testing.assert_close(clamped, theirs["segments"][finite], atol=5.1e-3, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nms": {"sigma": 0.5}}, "type"),
        ({"nms": {"type": "softnms"}}, "softnms"),
        ({"nms": {**SOFT, "multiclass": True}}, "multiclass"),
        ({"nms": {"type": "nms", "sigma": 0.5}}, "sigma"),
        ({"nms": {**SOFT, "decay": "nms"}}, "decay"),
        ({"nms": {**SOFT, "iou_slope": 0.4}}, "iou_slope"),
        ({"max_per_video": 0}, "max_per_video"),
        ({"pre_nms_topk": -1}, "pre_nms_topk"),
        ({"nms": SOFT, "voting": {"iou_threshold": 0.7}}, "class_agnostic"),
        ({"voting": {"iou_threshold": 0.7}}, "class_agnostic"),
        ({"nms": {**SOFT, "class_agnostic": True}, "voting": {}}, "iou_threshold"),
        ({"nms": SOFT, "voting": {"iou_threshold": 0.7, "weight": 1}}, "weight"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        DetectionPostProcessor(**options)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("options", [{}, {"nms": SOFT}, {"min_duration": 1.0}])
def test_not_finite_predictions_are_refused(bad, options):
    processor = DetectionPostProcessor(**options)
    with pytest.raises(ValueError, match="1 of 2 .* NaN or infinite"):
        processor([window([[0, 1], [bad, 3]], [0.5, 0.4], [0, 0])])
    with pytest.raises(ValueError, match="1 of 2 .* NaN or infinite"):
        processor([window([[0, 1], [2, 3]], [bad, 0.4], [0, 0])])


def test_missing_fields_are_named():
    with pytest.raises(ValueError, match="window 1 lack scores, labels; they have segments"):
        merge_windows([random_window(2), InstanceData(segments=torch.zeros(2, 2))])


def test_segments_end_within_the_video():
    one = window([[-2, 3], [8, 14], [11, 12]], [0.9, 0.8, 0.7], [0, 0, 0])
    assert DetectionPostProcessor()([one]).segments.tolist() == [[-2, 3], [8, 14], [11, 12]]
    limited = [[0, 3], [8, 10], [10, 10]]
    assert DetectionPostProcessor()([one], duration=10).segments.tolist() == limited
    # the length that counts for a filter is that of before, or of after if limited first
    for first, count in ((False, 3), (True, 2)):
        process = DetectionPostProcessor(min_duration=0.5, clamp_first=first)
        assert_well_formed(process([one], duration=10), count)
    for wrong in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"duration of video 'v' must be >= 0, got {wrong}"):
            DetectionPostProcessor()([one], video_id="v", duration=wrong)


def test_the_metric_tells_the_duration():
    nms_options = dict(type="soft_nms", decay="improved_gaussian", class_agnostic=True)
    metric = DetectionMetric(dict(type="DetectionPostProcessor", nms=nms_options))
    annotation = {"segment": [0, 10], "label": "run"}
    truth = {"a": {"subset": "val", "duration": 40.0, "annotations": [annotation]}}
    metric.dataset_meta = dict(classes=["run"], ground_truth={"database": truth})
    metric.process(None, [dict(video_id="a", pred_instances=window([[0, 10]], [0.9], [0]))])
    assert metric.evaluate(1)["mAP"] == 1
    del truth["a"]["duration"]
    metric.process(None, [dict(video_id="a", pred_instances=window([[0, 10]], [0.9], [0]))])
    with pytest.raises(ValueError, match="improved_gaussian needs the duration of the video"):
        metric.evaluate(1)
