import json

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from mmtad.evaluation import DetectionMetric
from mmtad.ops import batched_nms, segment_voting
from mmtad.postprocessing import (
    DetectionPostProcessor,
    fuse_video_scores,
    reweigh_by_video_scores,
)

CLASSES = ["run", "jump", "swim"]
SEGMENTS = torch.tensor([[0.0, 2.0], [5.0, 9.0]])


@pytest.fixture
def file(tmp_path):
    """Scores whose classes are in another order than the data set's, one of them unknown to it."""
    path = tmp_path / "cuhk.json"
    content = {
        "class": ["jump", "sleep", "swim", "run"],
        "results": {"a": [0.25, 0.0, 0.01, 0.64], "v_b": [0.5, 0.0, 0.25, 0.125], "c": [1.0, 2.0]},
    }
    path.write_text(json.dumps(content))
    return path


def window(segments=SEGMENTS, scores=(0.5, 0.8), labels=(0, 0)):
    return InstanceData(
        segments=segments, scores=torch.tensor(scores), labels=torch.tensor(labels).long()
    )


def test_product_by_hand():
    video = torch.tensor([0.1, 0.6, 0.3])
    segments, scores, labels = fuse_video_scores(SEGMENTS, torch.tensor([0.5, 0.8]), video)
    assert torch.allclose(scores, torch.tensor([0.48, 0.30, 0.24, 0.15]))
    assert labels.tolist() == [1, 1, 2, 2] and labels.dtype == torch.int64
    assert segments[:, 0].tolist() == [5, 0, 5, 0]


def test_root_by_hand_and_same_ranking():
    video, proposals = torch.tensor([0.09, 0.64]), torch.tensor([0.25, 1.0])
    _, scores, labels = fuse_video_scores(SEGMENTS, proposals, video, topk=2, method="sqrt")
    assert torch.allclose(scores, torch.tensor([0.8, 0.4, 0.3, 0.15]))
    assert torch.equal(labels, fuse_video_scores(SEGMENTS, proposals, video)[2])
    assert len(fuse_video_scores(SEGMENTS, proposals, video, topk=1)[1]) == 2


def test_nothing_to_fuse():
    segments, scores, labels = fuse_video_scores(
        torch.zeros(0, 2), torch.zeros(0), torch.tensor([0.1, 0.9])
    )
    assert segments.shape == (0, 2) and scores.shape == labels.shape == (0,)


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(topk=3), "topk=3"),
        (dict(topk=0), "at least 1"),
        (dict(method="sum"), "'sum'"),
        (dict(video_scores=torch.tensor([-1.0, 1.0])), "video_scores must be finite"),
        (dict(scores=torch.tensor([float("nan"), 1.0])), "^scores must be finite"),
    ],
)
def test_wrong_arguments(options, message):
    arguments = dict(scores=torch.ones(2), video_scores=torch.ones(2))
    with pytest.raises(ValueError, match=message):
        fuse_video_scores(SEGMENTS, **{**arguments, **options})


def test_own_classes_are_weighed_by_hand():
    video, labels = torch.tensor([0.1, 0.6, 0.3]), torch.tensor([0, 1, 2, 1])
    segments = torch.arange(8.0).reshape(4, 2)
    scores = torch.tensor([1.0, 0.5, 0.5, 0.25])
    result = reweigh_by_video_scores(segments, scores, labels, video)
    assert result[0].equal(segments[1:]) and result[2].tolist() == [1, 2, 1]
    assert result[1].tolist() == pytest.approx([0.3, 0.15, 0.15])
    result = reweigh_by_video_scores(segments, scores, labels, video, topk=1, method="sqrt")
    assert result[1].tolist() == pytest.approx([0.3**0.5, 0.15**0.5])
    empty = reweigh_by_video_scores(segments[:0], scores[:0], labels[:0], video)
    assert [len(field) for field in empty] == [0, 0, 0]
    for wrong in (3, -1):
        with pytest.raises(ValueError, match=f"label {wrong} is none of the 3 classes"):
            reweigh_by_video_scores(segments[:1], scores[:1], torch.tensor([wrong]), video)


def test_both_ways_rank_a_head_with_one_class_alike():
    """A head whose class scores are all alike says as much as one without classes."""
    video, scores = torch.tensor([0.1, 0.6, 0.3]), torch.tensor([0.5, 0.8])
    segments, fused, labels = fuse_video_scores(SEGMENTS, scores, video, topk=2)
    result = reweigh_by_video_scores(
        SEGMENTS.repeat(3, 1), scores.repeat(3), torch.arange(3).repeat_interleave(2), video
    )
    order = result[1].argsort(descending=True, stable=True)
    assert torch.equal(result[1][order], fused)
    assert torch.equal(result[0][order], segments) and torch.equal(result[2][order], labels)


def test_post_processor_fuses_after_suppression(file):
    process = DetectionPostProcessor(
        nms=dict(type="soft_nms", sigma=0.7, min_score=0.001, class_agnostic=True),
        max_per_video=1,
        video_scores=dict(file=str(file), format="cuhk", topk=2, method="product"),
    )
    out = process([window()], video_id="a", classes=CLASSES)
    assert out.segments.tolist() == [[5, 9], [5, 9]]
    assert out.scores.tolist() == pytest.approx([0.8 * 0.64, 0.8 * 0.25])
    assert out.labels.tolist() == [0, 1]
    assert len(process([], video_id="a", classes=CLASSES)) == 0
    with pytest.raises(ValueError, match="video_id=... and classes"):
        process([window()])
    with pytest.raises(ValueError, match="predicts class 4"):
        process([window(labels=(0, 4))], video_id="a", classes=CLASSES)


def test_every_window_on_its_own_and_then_all(file):
    """What OpenTAD does with BMN and G-TAD on windows, written down with the operators.

    A window is suppressed, limited to the video and gets its classes; then all that is left of all
    windows is suppressed once more, so that a segment lowers itself in its second class.
    """
    generator = torch.Generator().manual_seed(0)
    windows = []
    for start in (-2.0, 20.0, 42.0):
        segments = (start + 30 * torch.rand(60, 2, generator=generator)).sort(dim=1).values
        scores = torch.rand(60, generator=generator)
        windows.append(window(segments, scores.tolist(), [0] * 60))
    options = dict(sigma=0.3, min_score=0.0001, class_agnostic=True)
    process = DetectionPostProcessor(
        nms=dict(type="soft_nms", **options),
        voting=dict(iou_threshold=0.95),
        max_per_video=40,
        video_scores=dict(file=str(file), topk=2),
        per_window=True,
    )
    out = process(windows, video_id="a", classes=CLASSES, duration=60.0)

    def suppress(segments, scores, labels):
        keep, lowered = batched_nms(segments, scores, labels, max_total=40, **options)
        return segment_voting(segments[keep], segments, scores, 0.95), lowered, labels[keep]

    rows = []
    for one in windows:
        segments, scores, _ = suppress(one.segments, one.scores, one.labels)
        for label, score in ((0, 0.64), (1, 0.25)):
            labels = torch.full((len(scores),), label)
            rows.append((segments.clamp(0, 60), scores * score, labels))
    segments, scores, labels = suppress(*map(torch.cat, zip(*rows, strict=True)))
    torch.testing.assert_close(out.segments, segments.clamp(0, 60))
    torch.testing.assert_close(out.scores, scores)
    assert out.labels.tolist() == labels.tolist() and len(out) == 40
    assert len(process([], video_id="a", classes=CLASSES)) == 0


def test_post_processor_weighs_own_classes_first(file):
    process = DetectionPostProcessor(
        max_per_video=1, video_scores=dict(file=str(file), topk=1, relabel=False)
    )
    # class 1 has the best score, but class 0 is the video's: it must not be lost to the cut
    out = process([window(labels=(0, 1))], video_id="a", classes=CLASSES)
    assert out.labels.tolist() == [0] and out.segments.tolist() == [[0, 2]]
    assert out.scores.tolist() == pytest.approx([0.5 * 0.64])
    assert len(process([window(labels=(2, 1))], video_id="a", classes=CLASSES)) == 0
    assert len(process([], video_id="a", classes=CLASSES)) == 0


def test_post_processor_options(file):
    with pytest.raises(ValueError, match="k"):
        DetectionPostProcessor(video_scores=dict(file=str(file), k=2))
    with pytest.raises(ValueError, match="needs a file"):
        DetectionPostProcessor(video_scores=dict(topk=2))
    with pytest.raises(ValueError, match="topk"):
        DetectionPostProcessor(video_scores=dict(file=str(file), topk=0))
    process = DetectionPostProcessor(video_scores=dict(file=str(file), topk=4))
    with pytest.raises(ValueError, match="topk=4 classes .* tells 3; set video_scores.topk=3"):
        process.check_videos(["a"], CLASSES)


def evaluate(file, videos):
    truth = {
        video: {"subset": "val", "duration": 10.0, "annotations": [annotation]}
        for video, annotation in videos.items()
    }
    post_processor = dict(type="DetectionPostProcessor", video_scores=dict(file=str(file)))
    evaluator = Evaluator(DetectionMetric(post_processor, tiou_thresholds=0.5))
    evaluator.dataset_meta = dict(classes=CLASSES, ground_truth={"database": truth})
    for video in videos:
        evaluator.process([dict(video_id=video, window_index=0, pred_instances=window())], None)
    return evaluator.evaluate(len(videos))


def test_metric_passes_video_and_classes(file):
    videos = {
        "a": {"segment": [5, 9], "label": "run"},
        "b": {"segment": [5, 9], "label": "jump"},
    }
    # Hand-computed: in "run" the true detection scores .8 * .64 before anything else of that class;
    # in "jump" it scores .8 * .5 before all others.
    assert evaluate(file, videos)["mAP"] == 1.0


def test_metric_names_a_missing_video_before_the_first_window(file):
    metric = DetectionMetric(dict(type="DetectionPostProcessor", video_scores=dict(file=str(file))))
    truth = {"database": {"x": {"subset": "val", "duration": 1.0, "annotations": []}}}
    with pytest.raises(ValueError, match="no entry for video 'x'"):
        metric.dataset_meta = dict(classes=CLASSES, ground_truth=truth)
