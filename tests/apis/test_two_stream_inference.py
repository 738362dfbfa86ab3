"""A two-stream detector runs on a bare video: its flow is made on the way."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmtad.apis import TADInferencer
from mmtad.datasets.flow_extraction import make_flow, plan_jobs
from mmtad.datasets.optical_flow import FlowSpec
from mmtad.registry import DATASETS

ROOT = Path(__file__).parents[2] / "configs/_base_/datasets"


@pytest.fixture(scope="module")
def config():
    """A small two-stream detector with the pipelines of SP-TAD on THUMOS14."""
    cfg = Config.fromfile(ROOT / "thumos14_256x1-96_two-stream.py")
    stream = dict(out_stages=("Conv3d_2c_3x3", "Mixed_3b"))
    cfg.model = dict(
        type="TADDetector",
        data_preprocessor=dict(
            type="TADDataPreprocessor", mean=[127.5] * 5, std=[127.5] * 5, defer_normalization=True
        ),
        backbone=dict(
            type="StageEncoder",
            stages=(-2, -1),
            backbone=dict(type="TwoStreamI3D", rgb=stream, flow=stream),
        ),
        head=dict(
            type="SparseProposalHead",
            num_classes=20,
            num_proposals=4,
            num_stages=1,
            embed_dims=16,
            pyramid=dict(in_channels=[384, 512], num_levels=2),
            stage=dict(num_heads=2, hidden_channels=16, dynamic_channels=4, soi_steps=4),
        ),
    )
    for loader in (cfg.test_dataloader, cfg.val_dataloader):
        loader.update(num_workers=0)
        loader.dataset.update(window_size=16)
    return cfg


def test_a_bare_video(config, shared):
    video = shared / "data/videos/mmaction2/part_0.mp4"  # 32 frames, about a second
    detect = TADInferencer(config)
    found = detect(video)["part_0"]
    assert found and all(0 <= one["segment"][0] <= one["segment"][1] <= 1.07 for one in found)


def test_flow_on_disk_is_the_same_input(config, shared, tmp_path):
    """What the inferencer feeds equals what a test from a folder of flow feeds."""
    video = shared / "data/videos/mmaction2/part_0.mp4"
    (job,) = plan_jobs({"part_0": video}, tmp_path, FlowSpec())
    assert make_flow(job).error is None
    entry = dict(duration=32 / 30, fps=30.0, frame=32, annotations=[], video_path=str(video))
    options = config.test_dataloader.dataset.to_dict() | dict(database={"part_0": entry})
    options.update(ann_file="", data_root="", subset=None, block_list=())
    made, read = (
        DATASETS.build(dict(options, data_prefix=dict(video="") | flow))[0]
        for flow in ({}, dict(flow=str(tmp_path)))
    )
    assert made["inputs"].shape == (5, 16, 96, 96)
    assert (made["inputs"] == read["inputs"]).all()
