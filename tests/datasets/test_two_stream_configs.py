"""The bases of data sets with small frames for I3D, with and without flow."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmtad.datasets.windows import sliding_windows
from mmtad.registry import DATASETS

ROOT = Path(__file__).parents[2] / "configs/_base_/datasets"
NAMES = [
    f"{data}-96{flow}"
    for data in ("thumos14_256x1", "activitynet_768")
    for flow in ("", "_two-stream")
]


def config(name):
    return Config.fromfile(ROOT / f"{name}.py")


def flow_step(cfg):
    return next(s for s in cfg.train_dataloader.dataset.pipeline if s.type == "LoadFlow")


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("name", NAMES)
def test_samples(name, part, database, videos):
    options = config(name)[f"{part}_dataloader"].dataset.to_dict()
    for key in ("ann_file", "data_root", "subset", "block_list"):
        options.pop(key, None)
    prefix = dict(video=str(videos))  # no folder of flow: it is made while loading
    options.update(database=database, data_prefix=prefix, classes=["jump", "run"])
    data = DATASETS.build(options)
    found = data[0]
    frames = 256 if "thumos14" in name else 768
    channels = 5 if "two-stream" in name else 3
    assert found["inputs"].shape == (channels, frames, 96, 96)
    assert found["inputs"].dtype == torch.uint8 and found["masks"].shape == (frames,)
    sample = found["data_samples"]
    step = 0.1 if "thumos14" in name else sample.duration / 768
    assert sample.grid.step == pytest.approx(step)
    assert set(sample.gt_instances.labels.tolist()) <= {0, 1}


def test_windows_are_those_of_afsd():
    cfg = config("thumos14_256x1-96")
    for part, stride in (("train", 30), ("test", 128)):
        options = cfg[f"{part}_dataloader"].dataset
        starts = sliding_windows(1000, options.window_size, options.window_overlap)
        assert starts[:3] == [0, stride, 2 * stride] and starts[-1] == 744
    assert cfg.train_dataloader.dataset.min_visible == 0.5
    assert cfg.train_dataloader.batch_size == 16


@pytest.mark.parametrize("data", ["thumos14_256x1", "activitynet_768"])
def test_flow_is_all_that_differs(data):
    plain, both = config(f"{data}-96"), config(f"{data}-96_two-stream")
    assert both.val_dataloader == both.test_dataloader
    for part in ("train_dataloader", "test_dataloader"):
        expected, found = plain[part].to_dict(), both[part].to_dict()
        assert found["dataset"].pop("data_prefix") == dict(video="videos", flow="flow")
        expected["dataset"].pop("data_prefix")
        steps = found["dataset"]["pipeline"]
        assert steps.pop(3) == flow_step(both).to_dict()
        assert steps[2] == dict(type="DecodeFrames") and found == expected


def test_flow_is_sampled_as_the_frames():
    assert flow_step(config("thumos14_256x1-96_two-stream")).fps == 10
    step = flow_step(config("activitynet_768-96_two-stream"))
    assert (step.fps, step.frames) == (None, 768)
