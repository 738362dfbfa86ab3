import copy
import json
import random
import shutil

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from mmtad.datasets import TADDataset
from mmtad.registry import DATASETS


@pytest.fixture
def build(videos, database, train_pipeline, test_pipeline):
    def build(test_mode=False, **kwargs):
        options = dict(
            database=database,
            data_prefix=dict(video=str(videos)),
            window_size=16,
            sampling="sliding" if test_mode else "random",
            test_mode=test_mode,
            pipeline=test_pipeline if test_mode else train_pipeline,
            seed=0,
        )
        return TADDataset(**{**options, **kwargs})

    return build


def same(first, second):
    return torch.equal(first["inputs"], second["inputs"]) and torch.equal(
        first["data_samples"].gt_instances.segments, second["data_samples"].gt_instances.segments
    )


def test_training_sample(build):
    dataset = build()
    assert len(dataset) == 3
    assert dataset.metainfo["classes"] == ["jump", "run"]
    assert "ground_truth" not in dataset.metainfo  # it would travel with every checkpoint
    sample = dataset[1]
    assert sample["inputs"].shape == (3, 16, 32, 32) and sample["inputs"].dtype == torch.uint8
    assert sample["masks"].shape == (16,) and sample["masks"].dtype == torch.bool
    data = sample["data_samples"]
    assert data.video_id == "v1" and data.grid.length == 16 and data.grid.step == 1 / 25
    assert len(data.gt_instances.labels) >= 1
    seconds = data.grid.to_seconds(data.gt_instances.segments)
    assert (seconds >= 0).all() and (seconds <= 2).all()


def test_test_samples_cover_each_video(build):
    dataset = build(test_mode=True)
    windows = [dataset[index] for index in range(len(dataset))]
    ids = [(w["data_samples"].video_id, w["data_samples"].window_index) for w in windows]
    assert ids == [("v0", i) for i in range(4)] + [("v1", i) for i in range(6)] + [
        ("v2", i) for i in range(7)
    ]
    truth = dataset.metainfo["ground_truth"]["database"]
    assert list(truth) == ["v0", "v1", "v2"] and len(truth["v1"]["annotations"]) == 2


def test_the_evaluation_gets_the_annotation_as_it_was_written(build, database):
    written = [[-0.5, 0.5], [1.9, 3.0], [2.5, 3.5]]  # the video lasts 2 s
    fine = [[0.1 * second, 1.5] for second in range(10)]  # few of many segments may be wrong
    database["v1"]["annotations"] = [dict(segment=one, label="run") for one in [*written, *fine]]
    dataset = build(test_mode=True)
    truth = dataset.metainfo["ground_truth"]["database"]["v1"]["annotations"]
    assert [one["segment"] for one in truth] == [*written, *fine]
    segments = dataset.get_data_info(4)["gt_segments"]
    assert segments.tolist() == [[0.0, 0.5], [1.9, 2.0], *fine]


def test_annotation_file(build, database, tmp_path, videos):
    (tmp_path / "ann.json").write_text(json.dumps(dict(database=database)))
    dataset = build(database=None, ann_file="ann.json", data_root=str(tmp_path), subset="train")
    assert len(dataset) == 3
    assert dataset.data_prefix["video"] == str(videos)  # absolute paths stay


def test_registered(database, videos):
    with DefaultScope.overwrite_default_scope("mmtad"):
        dataset = DATASETS.build(
            dict(
                type="TADDataset",
                database=database,
                data_prefix=dict(video=str(videos)),
                window_size=8,
            )
        )
    assert isinstance(dataset, TADDataset)


def test_draws_depend_on_seed_epoch_and_item(build):
    first, second, other = build(), build(), build(seed=1)
    assert same(first[0], second[0])
    assert not same(first[0], second[2])
    assert not same(build()[0], other[0])
    epochs = [build() for _ in range(2)]
    for number, dataset in enumerate(epochs):
        dataset.set_epoch(number)
    assert not same(epochs[0][0], epochs[1][0])
    # A resumed run does not depend on what was drawn before.
    fresh, used = build(), build()
    used[0], used[1], used[0]
    torch.rand(3)
    for dataset in (fresh, used):
        dataset.set_epoch(5)
    assert same(fresh[0], used[0])


def test_without_epochs_draws_still_differ(build):
    dataset = build()
    assert not same(dataset[0], dataset[0])


def test_global_generators_are_left_alone(build):
    dataset = build()
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
    dataset[0], build(test_mode=True)[0]
    after = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
    assert torch.equal(before[0], after[0]) and before[1] == after[1]
    assert np.array_equal(before[2][1], after[2][1])


def test_filters(build, database):
    assert build(block_list=["v1"])._metainfo["classes"] == ["jump", "run"]
    assert [i["video_id"] for i in map(build(block_list=["v1"]).get_data_info, (0, 1))] == [
        "v0",
        "v2",
    ]
    database["v0"]["annotations"] = []
    assert build().video_ids == ["v1", "v2"]
    assert build(drop_empty=False).video_ids == ["v0", "v1", "v2"]
    assert build(test_mode=True).video_ids == ["v0", "v1", "v2"]
    dataset = build(classes=["run"], ignore_labels=["jump"])
    assert dataset.get_data_info(0)["gt_labels"].tolist() == [0]


def test_other_suffix_and_own_path(build, database, videos, tmp_path):
    shutil.copy(videos / "v0.mp4", tmp_path / "v0.avi")
    shutil.copy(videos / "v1.mp4", tmp_path / "elsewhere.mp4")
    database["v1"]["video_path"] = "elsewhere.mp4"
    del database["v2"]
    dataset = build(data_prefix=dict(video=str(tmp_path)))
    paths = [dataset.get_data_info(index)["video_path"] for index in range(2)]
    assert paths == [str(tmp_path / "v0.avi"), str(tmp_path / "elsewhere.mp4")]


@pytest.mark.parametrize(
    "change, error, message",
    [
        (dict(database=None), ValueError, "needs ann_file or database"),
        (dict(block_list=["v_v1"]), ValueError, "names 'v_v1', but the given database .* 'v1'"),
        (
            dict(database=None, ann_file="/no/a.json"),
            FileNotFoundError,
            "/no/a.json does not exist",
        ),
        (dict(subset="test"), ValueError, r"no subset 'test'; it has \['train'\]"),
        (dict(block_list=["v0", "v1", "v2"]), ValueError, "no video is left of the 3"),
        (dict(classes=["run"]), ValueError, "label 'jump', which is not one of the 1 classes"),
        (dict(ignore_labels=["run", "jump"]), ValueError, "there is no action to train on"),
        (dict(data_prefix=dict(video="/no")), FileNotFoundError, "none of the 3 videos was found"),
        (dict(window_size=0), ValueError, "window_size must be"),
        (dict(sampling="sliding", window_size=1, min_visible=1), ValueError, "no window of the 3"),
    ],
)
def test_wrong_arguments_are_named(build, change, error, message):
    with pytest.raises(error, match=message):
        build(**change)


@pytest.fixture
def broken(videos, tmp_path, shared):
    """Folder in which v0 is sound and the others are not."""
    shutil.copy(videos / "v0.mp4", tmp_path)
    sound = (videos / "v1.mp4").read_bytes()
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("not a video " * 100)
    (tmp_path / "truncated.mp4").write_bytes(sound[: len(sound) // 2])
    shutil.copy(shared / "data/videos/decord/corrupted.mp4", tmp_path)
    return tmp_path


BROKEN = ["empty", "text", "truncated", "corrupted", "missing"]


def test_training_goes_on_without_broken_videos(build, broken, database, logged):
    entry = database["v1"]
    videos = {"v0": database["v0"], **{name: copy.deepcopy(entry) for name in BROKEN}}
    datasets = [
        build(
            database=videos,
            data_prefix=dict(video=str(broken)),
            min_visible=0,
            window_size=64,
            crop_ratio=None,  # the whole video, with its damaged part
        )
        for _ in range(2)
    ]
    for index in range(len(videos)):
        samples = [dataset[index] for dataset in datasets]
        assert samples[0]["data_samples"].video_id == "v0"
        assert same(*samples)
    assert sorted(datasets[0].unreadable_videos) == sorted(BROKEN)
    skipped = [text for text in logged if "training goes on without it" in text]
    assert len(skipped) == 2 * len(BROKEN)  # once per video and dataset
    assert any("missing.mp4 does not exist" in text for text in skipped)
    assert any("empty.mp4 is empty (0 bytes)" in text for text in skipped)
    assert any("text.mp4 is not a readable video" in text for text in skipped)
    assert any(text.startswith("1 of 6 videos are missing") for text in logged)


def test_training_needs_one_readable_video(build, broken, database):
    videos = {name: copy.deepcopy(database["v1"]) for name in BROKEN}
    dataset = build(
        database=videos, data_prefix=dict(video=str(broken)), window_size=64, crop_ratio=None
    )
    with pytest.raises(OSError, match="none of the 5 videos can be read: the video .*"):
        dataset[0]


@pytest.mark.parametrize("annotated", [True, False])
def test_testing_reports_broken_videos(build, broken, database, logged, annotated):
    entry = copy.deepcopy(database["v1"])
    if not annotated:
        del entry["fps"], entry["frame"]
    videos = {"v0": database["v0"], **{name: copy.deepcopy(entry) for name in BROKEN}}
    dataset = build(test_mode=True, database=videos, data_prefix=dict(video=str(broken)))
    seen = {}
    for index in range(len(dataset)):
        sample = dataset[index]
        assert sample["inputs"].shape == (3, 16, 32, 32) and sample["masks"].shape == (16,)
        data = sample["data_samples"]
        seen.setdefault(data.video_id, []).append(data.get("error"))
        if data.get("error"):
            assert not sample["inputs"].any() and data.video_id in data.error
    assert seen["v0"] == [None] * 4
    assert any(seen["corrupted"])  # some windows of it can be decoded
    assert all(all(seen[name]) for name in BROKEN if name != "corrupted")
    assert len([text for text in logged if "count as empty" in text]) == len(BROKEN)
    assert list(dataset.metainfo["ground_truth"]["database"]) == ["v0", *BROKEN]


def test_times_follow_the_file(build, database, logged):
    database["v0"].update(fps=50, frame=80)
    dataset = build(test_mode=True)
    windows = [dataset[index] for index in range(9)]
    assert windows[0]["data_samples"].grid.step == 1 / 25
    texts = [text for text in logged if "annotation of video 'v0'" in text]
    assert texts == [
        "the annotation of video 'v0' says 50 frames per second where the file has 25 and 80 frames"
        " where the file has 40; times follow the file"
    ]
    # windows beyond the end of the file cannot be read
    assert [w["data_samples"].get("error") is None for w in windows] == [True] * 5 + [False] * 4
    assert "ends after 40 frames, before its window 5 begins" in windows[5]["data_samples"].error
    assert windows[4]["masks"].all() or windows[4]["masks"].sum() >= 1


def test_an_unannotated_video(videos, test_pipeline):
    info = dict(duration=1.6, fps=25, frame=40, video_path=str(videos / "v0.mp4"))
    dataset = TADDataset(
        database={"v0": info},
        classes=["a"],
        window_size=16,
        sampling="sliding",
        test_mode=True,
        pipeline=test_pipeline,
    )
    assert len(dataset) == 4 and len(dataset[0]["data_samples"].gt_instances.labels) == 0


@pytest.mark.parametrize("frames_per_step", [1, 4])
@pytest.mark.parametrize("test_mode", [True, False])
def test_resize(build, frames_per_step, test_mode):
    dataset = build(test_mode=test_mode, sampling="resize", frames_per_step=frames_per_step)
    sample = dataset[1]
    steps = 16 // frames_per_step
    data = sample["data_samples"]
    assert sample["masks"].all() and sample["masks"].shape == (steps,)
    torch.testing.assert_close(
        data.gt_instances.segments, torch.tensor([[0.2, 0.4], [0.5, 0.9]]) * steps
    )
    torch.testing.assert_close(
        data.grid.to_seconds(data.gt_instances.segments), torch.tensor([[0.4, 0.8], [1.0, 1.8]])
    )
