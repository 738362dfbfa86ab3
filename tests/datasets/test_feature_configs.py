"""The data set bases of features: their arguments, and that a leaf can change them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmtad.datasets import FeatureDataset
from mmtad.datasets.feature_files import FeatureReadError
from mmtad.datasets.feature_windows import check_length
from mmtad.registry import DATASETS

FOLDER = Path(__file__).parents[2] / "configs" / "_base_" / "datasets"
BASES = sorted(
    path.name
    for path in FOLDER.glob("*.py")
    if Config.fromfile(path).get("train_dataloader", {}).get("dataset", {}).get("type")
    == "FeatureDataset"
    and path.name != "epic_slowfast.py"  # its leaves name the annotation
)


@pytest.mark.parametrize("name", BASES)
def test_arguments(name):
    cfg = Config.fromfile(FOLDER / name)
    assert cfg.test_dataloader == cfg.val_dataloader and cfg.test_evaluator == cfg.val_evaluator
    train, test = (
        DATASETS.build(dict(loader.dataset, lazy_init=True))
        for loader in (cfg.train_dataloader, cfg.val_dataloader)
    )
    assert isinstance(train, FeatureDataset) and test.test_mode and not train.test_mode
    assert train.streams == test.streams and all(stream.channels for stream in train.streams)
    assert train.subset != test.subset and test.lengths["sampling"] != "random"
    for key in ("feature_stride", "clip_frames", "feature_fps", "window_size", "step_stride"):
        assert train.lengths[key] == test.lengths[key]
    agnostic = train.pipeline.transforms[-1].class_agnostic
    assert agnostic == name.startswith("activitynet")
    assert not test.pipeline.transforms[-1].class_agnostic


def test_rates():
    """Seconds per step of each benchmark's own features, and the middle of the first clip."""
    rates = {}
    for name in BASES:
        lengths = Config.fromfile(FOLDER / name).train_dataloader.dataset
        rate = lengths.get("feature_fps") or 30
        if lengths.feature_stride:
            step = lengths.feature_stride * lengths.get("step_stride", 1) / rate
            rates[name[:-3]] = step, lengths.clip_frames / 2 / rate
    published = {
        "activitynet_i3d": (16 / 25, 8 / 25),
        "activitynet_tsp": (16 / 15, 8 / 15),
        "activitynet_tsp_padded": (16 / 15, 8 / 15),
        "ego4d_egovlp": (16 / 30, 16 / 30),
        "ego4d_internvideo": (8 / 30, 8 / 30),
        "ego4d_omnivore": (16 / 30, 16 / 30),
        "ego4d_slowfast": (16 / 30, 16 / 30),
        "ego4d_three-features": (16 / 30, 16 / 30),
        "epic-noun_slowfast": (16 / 30, 16 / 30),
        "epic-verb_slowfast": (16 / 30, 16 / 30),
        "multithumos_i3d": (4 / 30, 8 / 30),
        "thumos14_i3d": (4 / 30, 8 / 30),
        "thumos14_i3d_sliding": (4 / 30, 8 / 30),
        "thumos14_tsn_sliding": (5 / 30, 0),
    }
    assert {name: rates[name] for name in published} == published


def test_activitynet_takes_videos_that_lost_frames():
    """Published numbers count some of which a third is missing; a wrong stride still shows."""
    cfg = Config.fromfile(FOLDER / "activitynet_tsp.py")
    lengths = DATASETS.build(dict(cfg.val_dataloader.dataset, lazy_init=True)).lengths
    item = dict(lengths, video_id="vid", duration=160.0, fps=15)
    whole = 160 * 15 / 16
    check_length(round(whole * 2 / 3), 16, item, "v_vid.npy")
    for stride in (4, 32):
        with pytest.raises(FeatureReadError, match=r"a feature_stride of \d+ frames"):
            check_length(round(whole), stride, item, "v_vid.npy")


def test_a_leaf_changes_the_window(tmp_path):
    (tmp_path / "leaf.py").write_text(
        f"_base_ = {str(FOLDER / 'activitynet_tsp.py')!r}\n"
        "lengths = dict(window_size=128, resize_offset=0.5)\n"
        "train_dataloader = dict(dataset=lengths)\n"
        "val_dataloader = dict(dataset=lengths)\n"
        "test_dataloader = val_dataloader\n"
    )
    cfg = Config.fromfile(tmp_path / "leaf.py")
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert (loader.dataset.window_size, loader.dataset.resize_offset) == (128, 0.5)


@pytest.mark.parametrize(
    ("leaf", "videos"),
    [
        ("actionformer/actionformer_i3d_2304x4_35e_thumos14.py", 212),
        ("tridet/tridet_i3d_2304x4_40e_thumos14.py", 212),
        ("actionformer/actionformer-opentad_i3d_2304x4_35e_thumos14.py", 211),
        ("tridet/tridet-opentad_i3d_2304x4_40e_thumos14.py", 211),
        ("gtad/gtad_tsn_256x5_8e_thumos14.py", 211),
        ("bmn/bmn_i3d_128x4_8e_thumos14.py", 211),
        ("adatad/adatad_videomae-s_actionformer_768x4-160_60e_thumos14-rgb.py", 211),
    ],
)
def test_a_config_evaluates_on_the_videos_of_its_published_number(leaf, videos):
    cfg = Config.fromfile(FOLDER.parents[1] / leaf)
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.block_list == f"thumos14_{videos}"


def test_the_config_of_the_docs_makes_batches(tmp_path, monkeypatch):
    """MMEngine marks what comes from ``mmtad::`` with a scope, which no argument may choke on."""
    monkeypatch.chdir(tmp_path)
    text = (FOLDER.parents[2] / "docs" / "your_dataset.md").read_text(encoding="utf-8")
    for number, block in enumerate(re.findall("```python\n(.*?)```", text, re.S)):
        Path(f"mine{number}.py").write_text(block)
        data = Config.fromfile(f"mine{number}.py").train_dataloader.dataset
        assert Path(data.data_root, data.ann_file) == Path("data/mine/annotations.json")
    Path("data/mine/features").mkdir(parents=True)
    database = {}
    for name, subset in (("a", "train"), ("b", "train"), ("c", "test")):
        np.save(f"data/mine/features/{name}.npy", np.zeros((100, 768), np.float32))
        actions = [dict(segment=[2, 7], label=label) for label in ("jump", "throw")]
        database[name] = dict(subset=subset, duration=32.0, fps=25, annotations=actions)
    Path("data/mine/annotations.json").write_text(json.dumps(dict(database=database)))
    cfg = Config.fromfile("mine1.py")  # that of features
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        for options, sizes in ((cfg.train_dataloader, [2]), (cfg.test_dataloader, [1])):
            options.update(num_workers=0, persistent_workers=False)
            batches = list(Runner.build_dataloader(options, seed=0))
            assert [len(batch["inputs"]) for batch in batches] == sizes
            assert batches[0]["inputs"][0].shape == (768, 2304)


@pytest.mark.parametrize(
    ("leaf", "offset"),
    [
        ("actionformer-opentad_slowfast_1024x16_20e_ego4d.py", 16),
        ("actionformer-opentad_egovlp_1024x16_20e_ego4d.py", 8),
        ("actionformer-opentad_internvideo_2048x8_20e_ego4d.py", 4),
        ("actionformer-opentad_slowfast_2304x16_20e_epic-verb.py", 16),
        ("actionformer-opentad_i3d_2304x4_35e_thumos14.py", 8),
    ],
)
def test_times_count_from_the_frame_of_opentad(leaf, offset):
    cfg = Config.fromfile(FOLDER.parents[1] / "actionformer" / leaf)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.clip_frames / 2 == offset


def test_every_config_decodes_in_the_grid_that_it_trains_in():
    keys = ("feature_stride", "clip_frames", "feature_fps", "step_stride", "classes", "ann_file")
    keys += ("features", "resize_offset", "resize_span", "resize_method", "length_tolerance")
    leaves = [path for path in FOLDER.parents[1].glob("*/*.py") if "_base_" not in str(path)]
    checked = 0
    for path in leaves:
        cfg = Config.fromfile(path)
        train = cfg.train_dataloader.dataset
        if train.get("type") != "FeatureDataset":
            continue
        for loader in (cfg.val_dataloader, cfg.test_dataloader):
            for key in keys:
                assert train.get(key) == loader.dataset.get(key), (path.name, key)
            if "resize" in (train.sampling, loader.dataset.sampling):
                assert train.sampling == loader.dataset.sampling, path.name
        checked += 1
    assert checked > 30
