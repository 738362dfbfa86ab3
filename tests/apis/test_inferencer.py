import copy
import json

import pytest
import torch
from mmengine.runner import Runner

from mmtad.apis import TADInferencer
from mmtad.datasets.transforms import VideoReadError

VIDEOS = ["long", "middle", "short"]


@pytest.fixture(scope="module")
def inferencer(request, checkpoint):
    config = request.path.parent / "tiny_config.py"
    return TADInferencer(config, checkpoint, "cpu")


def test_equals_the_test_of_the_runner(video_root, checkpoint, config, inferencer, tmp_path):
    cfg = copy.deepcopy(config)
    cfg.work_dir = str(tmp_path)
    cfg.load_from = str(checkpoint)
    cfg.test_dataloader.dataset.data_root = str(video_root)
    cfg.test_evaluator.output_file = str(tmp_path / "predictions.json")
    Runner.from_cfg(cfg).test()
    expected = json.loads((tmp_path / "predictions.json").read_text())["results"]

    results = inferencer(video_root / "videos")
    assert list(results) == VIDEOS and set(expected) == set(VIDEOS)
    for video, detections in results.items():
        assert len(detections) == len(expected[video]) > 10
        for ours, theirs in zip(detections, expected[video], strict=True):
            assert ours["label"] == theirs["label"]
            assert ours["score"] == pytest.approx(theirs["score"], abs=1e-6)
            assert ours["segment"] == pytest.approx(theirs["segment"], abs=1e-6)
    assert inferencer.durations == {"long": 9.0, "middle": 5.0, "short": 2.0}
    assert inferencer.failures == {}


def test_classes_from_video_scores(video_root, checkpoint, config, tmp_path):
    file = tmp_path / "scores.json"
    names = ["turn", "jump", "run"]
    file.write_text(json.dumps({"class": names, "results": {"middle": [0.1, 0.2, 0.7]}}))
    config.test_evaluator.post_processor.video_scores = dict(file=str(file))
    found = TADInferencer(config, checkpoint, "cpu")
    classifier = found.model.head.cls_out  # of three classes, made one of a single class
    classifier.weight.data, classifier.bias.data = (
        classifier.weight.data[:1],
        classifier.bias.data[:1],
    )
    (detections,) = found(video_root / "videos" / "middle.mp4").values()
    assert {d["label"] for d in detections} == {"run", "jump"}
    assert detections[0]["label"] == "run"
    with pytest.raises(ValueError, match="scores.json have no entry for video 'short'"):
        found(video_root / "videos" / "short.mp4")


def test_batches_and_workers_change_nothing(video_root, checkpoint, config, inferencer):
    expected = inferencer(video_root / "videos" / "long.mp4")
    config.test_dataloader.update(batch_size=3, num_workers=2, persistent_workers=True)
    results = TADInferencer(config.to_dict(), checkpoint, "cpu")(
        str(video_root / "videos" / "long.mp4")
    )
    for ours, theirs in zip(results["long"], expected["long"], strict=True):
        assert ours["segment"] == pytest.approx(theirs["segment"], abs=1e-4)


def test_windows_are_streamed(video_root, inferencer, monkeypatch):
    """No more than a batch of windows is in memory, and nothing is learnt from them."""
    sizes = []
    step = inferencer.model.test_step

    def watch(batch):
        assert torch.is_inference_mode_enabled()
        sizes.append(len(batch["inputs"]))
        return step(batch)

    monkeypatch.setattr(inferencer.model, "test_step", watch)
    inferencer([video_root / "videos" / "long.mp4"])
    assert sizes == [2, 2, 1]


def test_one_bad_video_does_not_stop_the_others(video_root, inferencer, tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("no video")
    whole = (video_root / "videos" / "long.mp4").read_bytes()
    (tmp_path / "good.mp4").write_bytes(whole)
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    results = inferencer(tmp_path)
    assert list(results) == ["good"] and inferencer.durations == {"good": 9.0}
    assert {path.rsplit("/", 1)[1] for path in inferencer.failures} == {
        "cut.mp4",
        "empty.mp4",
        "text.mp4",
    }
    for path, reason in inferencer.failures.items():
        assert path in reason and "\n" not in reason
    (tmp_path / "good.mp4").unlink()
    with pytest.raises(ValueError, match="cut.mp4 .*; 2 more videos"):
        inferencer(tmp_path)


def test_windows_that_cannot_be_read_are_left_out(video_root, inferencer, monkeypatch):
    from mmtad.datasets.transforms import loading

    read = loading.VideoReader.read

    def broken_after(limit):
        def fail(self, indices):
            if indices[0] >= limit:
                raise VideoReadError("damaged in the middle")
            return read(self, indices)

        monkeypatch.setattr(loading.VideoReader, "read", fail)

    everything = inferencer(video_root / "videos" / "long.mp4")["long"]
    broken_after(30)
    some = inferencer(video_root / "videos" / "long.mp4")["long"]
    last = [max(item["segment"][1] for item in items) for items in (some, everything)]
    assert last[0] <= 4.8 < last[1]  # the second window, the last readable one, ends at 4.8 s
    broken_after(0)
    with pytest.raises(ValueError, match="5 of 5 windows .* damaged in the middle"):
        inferencer(video_root / "videos" / "long.mp4")


def test_class_names_come_from_the_checkpoint_first(video_root, checkpoint, config, tmp_path):
    content = torch.load(checkpoint)
    content["meta"]["dataset_meta"] = {"classes": ["a", "b", "c"]}
    torch.save(content, tmp_path / "named.pth")
    named = TADInferencer(config, tmp_path / "named.pth", "cpu")
    assert named.classes == ("a", "b", "c")
    labels = {item["label"] for item in named(video_root / "videos" / "short.mp4")["short"]}
    assert labels <= {"a", "b", "c"}
    config.test_dataloader.dataset.pop("classes")
    with pytest.raises(ValueError, match="neither the checkpoint nor the config names the classes"):
        TADInferencer(config, checkpoint, "cpu")
    config.test_dataloader.dataset.metainfo = dict(classes=["x"])
    with pytest.raises(ValueError, match="only 1 class names"):
        TADInferencer(config, checkpoint, "cpu")(video_root / "videos" / "short.mp4")


def test_saves_every_format(video_root, inferencer, tmp_path):
    results = inferencer(video_root / "videos" / "short.mp4")
    files = inferencer.save(results, tmp_path / "out", ["json", "srt", "png"])
    assert [file.name for file in files] == ["predictions.json", "short.srt", "short.png"]
    assert json.loads(files[0].read_text())["results"] == results
    starts = [line for line in files[1].read_text().splitlines() if "-->" in line]
    assert starts and starts == sorted(starts)


@pytest.mark.parametrize("key", ["model", "test_dataloader", "test_evaluator"])
def test_a_config_without_a_test_is_refused(config, key):
    config.pop(key)
    with pytest.raises(ValueError, match=f"has no {key}"):
        TADInferencer(config, None, "cpu")


def test_a_config_based_on_features_is_refused(config):
    config.test_dataloader.dataset.type = "FeatureDataset"
    with pytest.raises(ValueError, match="sees features, not videos; .* use tools/test.py"):
        TADInferencer(config)


def test_bad_weights_are_refused(config, checkpoint, tmp_path):
    with pytest.raises(FileNotFoundError, match="none.pth does not exist"):
        TADInferencer(config, tmp_path / "none.pth", "cpu")
    (tmp_path / "corrupt.pth").write_bytes(checkpoint.read_bytes()[:5000])
    with pytest.raises(ValueError, match="damaged, incomplete"):
        TADInferencer(config, tmp_path / "corrupt.pth", "cpu")
    torch.save({"state_dict": {"other.weight": torch.zeros(3)}}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="matched 0/"):
        TADInferencer(config, tmp_path / "other.pth", "cpu")


def test_an_absent_device_is_named(config, checkpoint):
    with pytest.raises(ValueError, match="the device 'nonsense' is not available"):
        TADInferencer(config, checkpoint, "nonsense")
