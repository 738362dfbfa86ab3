"""The data set bases of end-to-end query detectors, on a file: windows, grid, what is counted."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from mmtad.datasets.synthetic import write_video
from mmtad.registry import DATASETS

BASES = Path(__file__).parents[2] / "configs/_base_/datasets"
SECONDS, FPS = 70, 15


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A video of 70 s in which the first pixel counts the seconds, and four actions."""
    root = tmp_path_factory.mktemp("videos")
    frames = np.zeros((SECONDS * FPS, 64, 64, 3), np.uint8)
    frames += (np.arange(len(frames)) // FPS).astype(np.uint8)[:, None, None, None] * 3
    write_video(root / "videos" / "v.mp4", frames, 64, FPS)
    actions = [(1.0, 3.0), (24.0, 28.0), (50.0, 50.4), (66.0, 69.0)]
    annotations = [dict(segment=list(one), label="Diving") for one in actions]
    video = dict(duration=SECONDS, fps=FPS, frame=SECONDS * FPS, annotations=annotations)
    database = {"v": dict(video, subset="Validation"), "w": dict(video, subset="Test")}
    database["w"]["video_path"] = "v.mp4"
    (root / "annotations.json").write_text(json.dumps(dict(database=database)))
    return root


def read(name: str, root: Path, mode: str):
    config = Config.fromfile(BASES / name)[f"{mode}_dataloader"].dataset
    config.update(ann_file="annotations.json", data_root=str(root), block_list=(), seed=0)
    return DATASETS.build(config)


def test_e2e_tad(root):
    """Windows of 25.6 s that share three quarters; in testing a quarter, the end included."""
    train = read("thumos14_256x1-96_e2e-tad.py", root, "train")
    starts = [train.get_data_info(i)["window_start"] for i in range(len(train))]
    # Of those at 0, 64, .. 384, 444, the one at 320 (32 to 57.6 s) holds the third action.
    assert starts == [0, 64, 128, 192, 256, 320, 384, 444]
    sample = train[0]
    assert sample["inputs"].shape == (3, 256, 96, 96) and sample["masks"].shape == (64,)
    grid = sample["data_samples"].grid
    assert grid.step == pytest.approx(0.4) and sample["masks"].all()
    # Of the second action 1.6 s of 4 lie inside, which is too little.
    assert sample["data_samples"].gt_instances.segments.tolist() == [pytest.approx([2.5, 7.5])]

    test = read("thumos14_256x1-96_e2e-tad.py", root, "test")
    windows = [test[i]["data_samples"].grid.extent for i in range(len(test))]
    assert windows == [pytest.approx(w) for w in ((0, 25.6), (19.2, 44.8), (38.4, 64), (44.4, 70))]
    assert test[0]["inputs"].shape == (3, 256, 96, 96)


def test_adatad_windows(root):
    """102.4 s at 30 frames per second; here twice that, so the video is cut and padded."""
    sample = read("thumos14_768x4-160_queries.py", root, "test")[0]
    assert sample["inputs"].shape == (3, 768, 160, 160) and sample["masks"].shape == (384,)
    valid = int(sample["masks"].sum())
    assert valid == -(-SECONDS * FPS // 8) and sample["masks"][:valid].all()
    assert sample["data_samples"].grid.step == pytest.approx(8 / FPS)
