import json
import re

import h5py
import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from mmtad.datasets import FeatureDataset
from mmtad.registry import DATASETS

STEPS = dict(v0=122, v1=60, v2=247)


def duration(steps):
    return ((steps - 1) * 4 + 16) / 25


@pytest.fixture
def database():
    def video(steps, *segments):
        return dict(
            subset="train",
            duration=duration(steps),
            fps=25,
            annotations=[dict(segment=[a, b], label=label) for a, b, label in segments],
        )

    return dict(
        v0=video(122, (1.0, 3.0, "jump"), (8.0, 9.5, "run")),
        v1=video(60, (2.0, 4.0, "CliffDiving"), (2.0, 4.0, "Diving"), (2.0, 4.0, "Diving")),
        v2=video(247, (30.0, 34.0, "run")),
    )


@pytest.fixture
def folder(tmp_path):
    """Features of which the first channel tells the row."""
    for name, steps in STEPS.items():
        rows = np.arange(steps, dtype=np.float32)
        np.save(tmp_path / f"{name}.npy", np.stack([rows, -rows, 0 * rows], 1))
    return tmp_path


@pytest.fixture
def build(folder, database):
    def build(**kwargs):
        options = dict(
            database=database,
            data_root=str(folder),
            features="{video_id}.npy",
            feature_stride=4,
            clip_frames=16,
            window_size=64,
            seed=0,
            serialize_data=False,  # it collects garbage, which takes a second here
        )
        return FeatureDataset(**{**options, **kwargs})

    return build


def test_training_sample(build):
    dataset = build()
    assert len(dataset) == 3 and dataset.metainfo["classes"] == [
        "CliffDiving",
        "Diving",
        "jump",
        "run",
    ]
    sample = dataset[0]
    data, inputs = sample["data_samples"], sample["inputs"]
    assert inputs.shape == (3, 64) and inputs.dtype == torch.float32 and sample["masks"].all()
    start = int(inputs[0, 0])
    assert torch.equal(inputs[0], start + torch.arange(64.0))
    assert data.grid.origin == pytest.approx((start * 4 + 8) / 25) and data.grid.step == 4 / 25
    assert len(data.gt_instances.labels) >= 1
    padded = dataset[1]
    count = int(padded["masks"].sum())
    assert 54 <= count <= 60 and padded["masks"][:count].all()
    assert padded["inputs"].shape == (3, 64) and not padded["inputs"][:, count:].any()


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_a_part_of_a_resized_sample(build, offset):
    options = dict(sampling="resize", window_size=128, resize_offset=offset, drop_empty=False)
    whole = build(**options)[0]
    dataset = build(**options, crop_resized=True, crop_ratio=(0.5, 0.6))
    counts = set()
    for epoch in range(20):
        dataset.set_epoch(epoch)
        part = dataset[0]
        count = int(part["masks"].sum())
        counts.add(count)
        assert 64 <= count <= 77 and part["masks"][:count].all()
        grid, full = (x["data_samples"].grid for x in (part, whole))
        start = round((grid.origin - full.origin) / full.step)
        assert grid.origin == pytest.approx(full.origin + start * full.step)
        assert torch.equal(part["inputs"][:, :count], whole["inputs"][:, start : start + count])
        assert not part["inputs"][:, count:].any()
        truth, all_of_it = (x["data_samples"].gt_instances for x in (part, whole))
        known = dict(zip(all_of_it.labels.tolist(), all_of_it.segments - start, strict=True))
        assert len(truth.labels)
        for label, segment in zip(truth.labels.tolist(), truth.segments, strict=True):
            expected = known[label].clamp(-offset, count + offset)
            torch.testing.assert_close(segment, expected, rtol=0, atol=1e-4)
            length = expected[1] - expected[0]
            assert length >= 0.5 * (known[label][1] - known[label][0]) - 1e-4
    assert len(counts) > 5
    tested = build(**options, crop_resized=True, test_mode=True)[0]
    assert tested["masks"].all()


def test_short_actions_are_left_out_of_training(build):
    truth = build(sampling="whole", window_size=0, min_coverage=0.08)[0]["data_samples"]
    assert truth.gt_instances.labels.tolist() == [2]  # 2 of 20 seconds, not 1.5
    dataset = build(sampling="whole", window_size=0, min_coverage=0.08, test_mode=True)
    assert len(dataset.metainfo["ground_truth"]["database"]["v0"]["annotations"]) == 2
    with pytest.raises(ValueError, match="min_coverage.*1.5"):
        build(min_coverage=1.5)


def test_two_labels_of_one_segment_are_kept_and_repetitions_dropped(build):
    truth = build(sampling="whole")[1]["data_samples"].gt_instances
    assert truth.labels.tolist() == [0, 1]
    assert torch.equal(truth.segments[0], truth.segments[1])


def test_the_truth_comes_back_in_seconds(build, database):
    for options in [
        dict(sampling="whole"),
        dict(sampling="resize", resize_offset=0.5, resize_span="features"),
        dict(sampling="resize"),
        dict(sampling="whole", step_stride=3),
    ]:
        dataset = build(test_mode=True, **options)
        for index, video in enumerate(database):
            data = dataset[index]["data_samples"]
            found = data.grid.to_seconds(data.gt_instances.segments)
            wanted = [one["segment"] for one in database[video]["annotations"]][:2]
            torch.testing.assert_close(found, torch.tensor(wanted), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "options", [dict(sampling="sliding", window_overlap=0.25), dict(sampling="whole")]
)
def test_test_samples_cover_each_video(build, options):
    dataset = build(test_mode=True, step_stride=2, **options)
    seen = {video: set() for video in STEPS}
    for index in range(len(dataset)):
        sample = dataset[index]
        data = sample["data_samples"]
        rows = sample["inputs"][0][sample["masks"]]
        seen[data.video_id] |= set(rows.int().tolist())
        first = data.grid.to_seconds(torch.zeros(2), clamp=False)[0]
        assert first == pytest.approx((int(rows[0]) * 4 + 8) / 25, abs=1e-4)
        assert data.grid.length == sample["inputs"].shape[1] >= 64
    assert seen == {video: set(range(0, steps, 2)) for video, steps in STEPS.items()}
    assert list(dataset.metainfo["ground_truth"]["database"]) == list(STEPS)


def test_whole_videos_are_cut_in_training_only(build):
    train, test = build(sampling="whole"), build(sampling="whole", test_mode=True)
    assert [train[i]["inputs"].shape[1] for i in range(3)] == [64, 64, 64]
    assert [test[i]["inputs"].shape[1] for i in range(3)] == [122, 64, 247]
    assert int(train[1]["masks"].sum()) == 60  # nothing of a short one is cropped away
    assert [build(sampling="whole", window_size=0)[i]["inputs"].shape[1] for i in range(3)] == [
        122,
        60,
        247,
    ]


def test_training_windows_without_an_action_are_left_out(build):
    dataset = build(sampling="sliding", window_overlap=0.5)
    items = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert {item["video_id"]: 0 for item in items}.keys() == STEPS.keys()
    assert all(len(dataset[i]["data_samples"].gt_instances.labels) for i in range(len(dataset)))
    assert len(dataset) < len(build(sampling="sliding", window_overlap=0.5, drop_empty=False))


def test_draws_depend_on_seed_epoch_and_item(build):
    first, second, other = build(), build(), build(seed=1)
    same = [torch.equal(a[2]["inputs"], b[2]["inputs"]) for a, b in [(first, second)]]
    assert same == [True] and not torch.equal(build()[2]["inputs"], other[2]["inputs"])
    for dataset in (first, other):
        dataset.set_epoch(3)
    second.set_epoch(3)
    assert torch.equal(first[2]["inputs"], second[2]["inputs"])


def test_one_file_of_all_videos_in_worker_processes(build, folder, database):
    with h5py.File(folder / "all.h5", "w") as file:
        for name in STEPS:
            file[f"v_{name}"] = np.load(folder / f"{name}.npy").T
    features = dict(path="all.h5", layout="CT")
    config = dict(
        type="FeatureDataset",
        database=database,
        data_root=str(folder),
        features=features,
        feature_stride=4,
        clip_frames=16,
        window_size=64,
        sampling="sliding",
        test_mode=True,
    )
    loader = Runner.build_dataloader(
        dict(
            batch_size=2,
            num_workers=2,
            sampler=dict(type="DefaultSampler", shuffle=False),
            dataset=config,
        )
    )
    found = torch.stack([one for batch in loader for one in batch["inputs"]])
    plain = build(sampling="sliding", test_mode=True)
    assert torch.equal(found, torch.stack([plain[i]["inputs"] for i in range(len(plain))]))


def test_several_streams(build, folder):
    for name, steps in STEPS.items():
        np.save(folder / f"flow_{name}.npy", np.ones((2 * steps, 5), np.float16))
    flow = dict(path="flow_{video_id}.npy", feature_stride=2)
    assert build(features=["{video_id}.npy", flow])[2]["inputs"].shape == (8, 64)
    del flow["feature_stride"]
    with pytest.raises(ValueError, match="flow_v0.npy last 39.5 s with a feature_stride of 4"):
        build(features=["{video_id}.npy", flow])


def test_block_lists_annotation_files_and_the_registry(build, folder, database, tmp_path):
    (tmp_path / "ann.json").write_text(json.dumps(dict(database=database)))
    (tmp_path / "blocked.txt").write_text("v1\n")
    dataset = DATASETS.build(
        dict(
            type="FeatureDataset",
            ann_file="ann.json",
            data_root=str(folder),
            features="{video_id}.npy",
            feature_stride=4,
            clip_frames=16,
            window_size=64,
            subset="train",
            block_list=str(tmp_path / "blocked.txt"),
        )
    )
    assert dataset.video_ids == ["v0", "v2"]
    assert build(block_list="thumos14_210").video_ids == ["v0", "v1", "v2"]


def damage(folder, how):
    path = folder / "v1.npy"
    rows = np.load(path)
    if how == "missing":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:200])
    elif how == "nan":
        np.save(path, np.where(rows == 30, np.nan, rows))
    elif how == "channels":
        np.save(path, rows[:, :2])
    elif how == "length":
        np.save(path, rows[:40])
    elif how == "no rows":
        np.save(path, rows[:0])


DAMAGE = {
    "missing": "does not exist",
    "empty": "is empty",
    "cut": "cannot be read",
    "nan": "NaN or infinite",
    "channels": "have 2 channels instead of 3",
    "length": "last 6.9 s with a feature_stride of 4",
    "no rows": r"are empty, their shape is \[0, 3\]",
}


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("sampling", ["sliding", "whole"])
def test_features_that_cannot_be_used(build, folder, logged, how, sampling):
    damage(folder, how)
    dataset = build(sampling=sampling, test_mode=True)
    samples = [dataset[index] for index in range(len(dataset))]
    bad = [sample for sample in samples if sample["data_samples"].get("error")]
    assert {sample["data_samples"].video_id for sample in bad} == {"v1"}
    assert {sample["inputs"].shape for sample in bad} == {(3, 64)}
    assert not bad[0]["inputs"].any() and bad[0]["masks"].all()
    assert re.search(DAMAGE[how], bad[0]["data_samples"].error)
    assert dataset.unreadable_videos == ["v1"]
    assert sum("its windows count as empty" in text for text in logged) == 1
    training = build(sampling="random")
    assert {training[1]["data_samples"].video_id for _ in range(5)} <= {"v0", "v2"}
    assert training.unreadable_videos == ["v1"]


def test_wrong_arguments_are_found_before_the_run(build, folder, database):
    with pytest.raises(ValueError, match="none of 3 feature files fits: .* feature_stride of 16"):
        build(feature_stride=16)
    with pytest.raises(ValueError, match="none of 3 .* 3 channels instead of 2048"):
        build(features=dict(path="{video_id}.npy", channels=2048))
    with pytest.raises(ValueError, match="set layout='TC'"):
        build(features=dict(path="{video_id}.npy", channels=3, layout="CT"), block_list=["v1"])
    with pytest.raises(FileNotFoundError, match="none of the 3 videos has features.*x_v0.npy;"):
        build(features="x_{video_id}.npy")
    with pytest.raises(FileNotFoundError, match="none of the 3 videos .*none.h5"):
        build(features="none.h5")
    for video in database.values():
        del video["fps"]
    with pytest.raises(ValueError, match="video 'v0' has no 'fps' .* set feature_fps"):
        build()
    assert len(build(sampling="resize")) == len(build(feature_fps=25)) == 3


def test_missing_features_are_counted(build, folder, logged):
    (folder / "v1.npy").unlink()
    build()
    assert any(f"1 of 3 videos lack features, first {folder}/v1.npy" in text for text in logged)


def test_h5_keys_that_are_absent(build, folder, logged):
    with h5py.File(folder / "all.h5", "w") as file:
        file["v0"] = np.load(folder / "v0.npy")
    dataset = build(features="all.h5", sampling="whole", test_mode=True)
    assert any("2 of 3 videos lack features, first" in one and "all.h5:v1" in one for one in logged)
    assert "has no video 'v1' among its 1" in dataset[1]["data_samples"].error
    with h5py.File(folder / "other.h5", "w") as file:
        file["x"] = np.zeros((3, 3))
    with pytest.raises(FileNotFoundError, match="none of the 3 videos"):
        build(features="other.h5")
    (folder / "text.h5").write_text("features")
    with pytest.raises(ValueError, match="text.h5 cannot be read"):
        build(features="text.h5")
