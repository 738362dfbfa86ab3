import gzip
import json

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from mmtad.evaluation import DetectionMetric
from mmtad.postprocessing import (
    DetectionPostProcessor,
    VideoScores,
    fuse_video_scores,
    load_video_scores,
    video_score_formats,
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


def test_look_up_goes_by_name(file):
    table = load_video_scores(file)
    assert table.look_up("a", CLASSES).tolist() == pytest.approx([0.64, 0.25, 0.01])
    for video in ("b", "v_b"):  # ActivityNet's ids come with and without the prefix
        assert table.look_up(video, CLASSES).tolist() == [0.125, 0.5, 0.25]
    assert load_video_scores(file).look_up("v_a", ["swim"]).tolist() == pytest.approx([0.01])


def test_missing_entries_are_named(file):
    table = load_video_scores(file)
    with pytest.raises(ValueError, match="cuhk.json have no entry for video 'x'"):
        table.look_up("x", CLASSES)
    with pytest.raises(ValueError, match="'x' and 1 more"):
        table.check(["a", "x", "y"], CLASSES)
    with pytest.raises(ValueError, match="lack 1 of 2 classes, first 'fly'"):
        table.look_up("a", ["run", "fly"])
    with pytest.raises(ValueError, match="video 'c' in .*cuhk.json needs one finite score"):
        table.look_up("c", CLASSES)


def test_files(tmp_path, file):
    with pytest.raises(FileNotFoundError, match="none.json do not exist"):
        load_video_scores(tmp_path / "none.json")
    with pytest.raises(ValueError, match="format 'cuhk'|one of"):
        load_video_scores(file, "excel")
    for text in ("[]", "{", '{"results": {}}', '{"class": [], "results": {}, "classes": []}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(ValueError, match="bad.json"):
            load_video_scores(tmp_path / "bad.json")
    packed = tmp_path / "scores.json.gz"
    with gzip.open(packed, "wt") as stream:
        json.dump({"classes": ["run"], "results": {"a": [1.0]}}, stream)
    assert load_video_scores(packed).look_up("a", ["run"]).tolist() == [1.0]


def test_another_format_is_one_function(file, monkeypatch):
    reader = {"rows": lambda path: VideoScores(str(path), ("run",), {"a": [0.5]})}
    monkeypatch.setattr(video_score_formats, "LOADERS", reader)
    assert load_video_scores(file, "rows").look_up("a", ["run"]).tolist() == [0.5]


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


def test_post_processor_options(file):
    with pytest.raises(ValueError, match="k"):
        DetectionPostProcessor(video_scores=dict(file=str(file), k=2))
    with pytest.raises(ValueError, match="needs a file"):
        DetectionPostProcessor(video_scores=dict(topk=2))
    with pytest.raises(ValueError, match="topk"):
        DetectionPostProcessor(video_scores=dict(file=str(file), topk=0))


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
