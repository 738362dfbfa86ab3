import copy

import h5py
import numpy as np
import pytest
from mmengine.dataset import BaseDataset

from mmtad.datasets.checking import HARM, NOTE, STOP, check_dataset
from mmtad.datasets.flow_extraction import make_flow, plan_jobs
from mmtad.datasets.optical_flow import FlowSpec


@pytest.fixture
def config(tmp_path):
    """Three videos of 20 s with 20 features each."""
    database = {}
    for name in "abc":
        np.save(tmp_path / f"{name}.npy", np.ones((20, 3), np.float32))
        annotations = [dict(segment=[2.0, 6.0], label="jump"), dict(segment=[9, 10], label="run")]
        database[name] = dict(duration=20.0, fps=25, frame=500, annotations=annotations)
    return dict(
        type="FeatureDataset",
        database=database,
        data_root=str(tmp_path),
        features="{video_id}.npy",
        feature_stride=25,
        clip_frames=25,
        window_size=8,
    )


def texts(report, *levels):
    return [one.text for one in report.findings if one.level in levels]


def test_nothing_to_find(config):
    before = copy.deepcopy(config)
    report = check_dataset(config, "train_dataloader", batch_size=2, probe=True)
    assert report.findings == [] and config == before
    assert report.facts == {
        "without files": 0,
        "unreadable": 0,
        "videos": 3,
        "hours": 60 / 3600,
        "instances": 6,
        "longest (steps)": 4,
        "items per epoch": 3,
        "batches": 2,
        "never shown": 0,
        "shown per epoch": report.facts["shown per epoch"],
    }
    assert 0.5 <= report.facts["shown per epoch"] <= 1
    assert report.steps.tolist() == [4, 1] * 3


def test_mended_annotations(config):
    segments = [[-1, 3], [3, 3], [4, 25], [2, 6]]
    config["database"]["a"]["annotations"] += [dict(segment=s, label="jump") for s in segments]
    config["database"]["b"]["annotations"] += [dict(segment=[2, 6], label="run")] * 12
    config["database"]["c"]["annotations"] += [dict(segment=[21, 22], label="run")]
    report = check_dataset(config, "train")
    assert any("2 past the border of their video (clipped)" in one for one in texts(report, NOTE))
    assert any("12 repeated (dropped)" in one for one in texts(report, NOTE))
    assert any("1 without length" in one for one in texts(report, NOTE))
    (harm,) = texts(report, HARM)
    assert "1 outside their video (dropped), first annotation 2 of video 'c'" in harm
    (harm,) = texts(check_dataset(dict(config, sampling="whole", test_mode=True), "test"), HARM)
    assert harm.endswith("; the evaluation compares with them as they are written")


def test_durations_that_contradict_the_frames(config):
    config["database"]["b"].update(frame=250)
    report = check_dataset(config, "train")
    assert texts(report, HARM) == [
        "1 of 3 videos have an annotation that contradicts itself; first: 'b': 250 frames at 25 "
        "frames per second do not last 20.00 s"
    ]


def test_videos_without_actions(config):
    config["database"]["b"]["annotations"] = []
    assert texts(check_dataset(config, "train"), NOTE)[0].startswith(
        "1 of 3 videos show no action (left out)"
    )
    report = check_dataset(dict(config, sampling="whole", test_mode=True), "val")
    assert texts(report, NOTE)[0].startswith("1 of 3 videos show no action (kept)")
    assert report.facts["videos"] == 3


def test_missing_and_damaged_features(config, tmp_path):
    (tmp_path / "a.npy").unlink()
    np.save(tmp_path / "b.npy", np.full((20, 3), np.nan))
    report = check_dataset(config, "train")
    (text,) = texts(report, HARM)
    assert text.startswith("1 of 3 videos lack features (list them in block_list); first:")
    assert report.facts["without files"] == 1 and "unreadable" not in report.facts
    report = check_dataset(config, "train", probe=True)
    assert (
        "1 of 2 videos cannot be used; first: the features of video 'b'" in texts(report, HARM)[1]
    )
    assert report.facts["unreadable"] == 1


def test_missing_keys(config, tmp_path):
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file["a"], file["b"] = np.ones((20, 3)), np.ones((30, 3))
    report = check_dataset(dict(config, features="all.h5"), "train", probe=True)
    found = texts(report, HARM)
    assert f"first: {tmp_path}/all.h5:c" in found[0]
    assert "the 30 features of video 'b' in" in found[1] and "last 30.0 s" in found[1]
    (tmp_path / "text.h5").write_text("nothing")
    (stop,) = texts(check_dataset(dict(config, features="text.h5"), "train"), STOP)
    assert "text.h5 cannot be read" in stop


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(sampling="padded"), "sampling must be one of"),
        (dict(type="NoDataset"), "NoDataset"),
        (dict(windowsize=3), "windowsize"),
        (dict(subset="val"), "has no subset 'val'"),
        (dict(classes=["jump"]), "has the label 'run', which is not one of the 1 classes"),
        (dict(features="x{video_id}.npy"), "3 of 3 videos lack features (check the paths)"),
        (dict(feature_stride=5), "none of 3 feature files fits"),
        (dict(block_list=["a", "b", "c"]), "no video is left"),
    ],
)
def test_what_would_end_a_run(config, change, message):
    (text,) = texts(check_dataset({**config, **change}, "train"), STOP)
    assert message in text


def test_actions_that_no_window_shows(config):
    for video in config["database"].values():
        del video["annotations"][1]
    few = dict(config, sampling="sliding", window_size=2, min_visible=0.9)
    assert "no window of the 3 videos shows" in texts(check_dataset(few, "train"), STOP)[0]


def test_actions_that_only_some_windows_show(config):
    report = check_dataset(dict(config, window_size=2, min_visible=0.9), "train")
    (text,) = texts(report, HARM)
    assert text.startswith("3 of 6 actions are never trained on: no window shows 90% of them")
    assert report.facts["never shown"] == 3
    options = dict(sampling="sliding", test_mode=True, window_size=2)
    (note,) = texts(check_dataset(dict(config, **options), "val"), NOTE)
    assert note == "50.0% of the actions fit into no window and are seen in parts"


def test_short_actions(config):
    report = check_dataset(dict(config, sampling="resize", window_size=4), "train")
    assert "100.0% of the actions are shorter than a step" in texts(report, NOTE)[0]


def test_raw_videos(videos, database, train_pipeline):
    database["v0"]["fps"] = 30
    database["v1"].update(duration=9.0, frame=225)
    database["v9"] = dict(database["v2"])
    config = dict(
        type="TADDataset",
        database=database,
        data_prefix=dict(video=str(videos)),
        window_size=16,
        pipeline=train_pipeline,
    )
    report = check_dataset(config, "train", probe=True)
    found = texts(report, HARM)
    assert found[0].startswith("1 of 4 videos lack a video (list them")
    assert found[1].startswith("2 of 3 videos have an annotation that disagrees with the file; ")
    assert "first: 'v0': 30 frames per second instead of 25" in found[1]
    (videos / "v5.mp4").write_bytes(b"no video")
    config["database"] = dict(database, v5=database["v2"])
    try:
        found = texts(check_dataset(config, "train", probe=True), HARM)
    finally:
        (videos / "v5.mp4").unlink()
    assert "1 of 4 videos cannot be used; first: the video" in found[1]


def test_flow(videos, database, train_pipeline, tmp_path):
    def check(probe=False, flow=None, **step):
        steps = list(train_pipeline)
        steps.insert(3, dict(type="LoadFlow", **{"size": 16, **step}))
        prefix = dict(video=str(videos)) | (dict(flow=str(flow)) if flow else {})
        options = dict(database=database, window_size=32, data_prefix=prefix, pipeline=steps)
        return check_dataset(dict(type="TADDataset", **options), "train", probe=probe)

    assert "flow: it is made while loading" in texts(check(), NOTE)[0]
    (lacking,) = (one for one in texts(check(flow=tmp_path), STOP))
    assert lacking.startswith("3 of 3 videos lack their flow; first: there is no flow of video")
    names = {f"v{i}": videos / f"v{i}.mp4" for i in range(3)}
    for job in plan_jobs(names, tmp_path, FlowSpec(size=16)):
        make_flow(job)
    assert check(probe=True, flow=tmp_path).findings == []
    assert "another fps (10.0, here 5)" in texts(check(flow=tmp_path, fps=5), STOP)[0]
    data = (tmp_path / "v0.npz").read_bytes()
    (tmp_path / "v1.npz").write_bytes(data[: len(data) // 2])
    (tmp_path / "v2.npz").write_bytes(data)  # of another video: only opening the videos tells
    first = texts(check(flow=tmp_path), HARM)
    assert len(first) == 1 and "1 of 3 videos have flow that cannot be used" in first[0]
    (found,) = texts(check(probe=True, flow=tmp_path), HARM)
    assert found.startswith("2 of 3 videos have flow that cannot be used; first: the flow file")


def test_other_datasets_are_left_alone():
    report = check_dataset(dict(type=BaseDataset, ann_file=""), "train")
    assert texts(report, NOTE)[0].startswith("a BaseDataset is not checked")


def test_actions_too_short_for_training_are_not_counted(config):
    """`min_coverage` drops video a: the windows that follow are those of b and c."""
    config["database"]["a"]["annotations"] = [dict(segment=[9, 10], label="run")]
    for name in "bc":
        config["database"][name]["annotations"] = [dict(segment=[12, 18], label="jump")]
    config.update(sampling="sliding", min_coverage=0.1, min_visible=1.0)
    report = check_dataset(config, "train")
    assert (report.facts["videos"], report.facts["instances"]) == (2, 2)
    assert report.facts["never shown"] == 0 and not texts(report, HARM)
    assert texts(report, NOTE)[0] == (
        "annotation: 1 no longer than 0.1 of their video (left out of training by min_coverage), "
        "first 1.00 s of 20.00 s in video 'a'"
    )
