import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmtad.datasets.synthetic import write_video
from mmtad.registry import MODELS

CONFIG = Path(__file__).parent / "tiny_config.py"
LENGTHS = {"short": 20, "middle": 50, "long": 90}  # frames: 1, 3 and 5 windows
FPS = 10


@pytest.fixture(scope="session")
def video_root(tmp_path_factory):
    """Folder with videos of 10 frames per second and their annotation."""
    root = tmp_path_factory.mktemp("inferencer")
    rng = np.random.default_rng(0)
    database = {}
    for video_id, length in LENGTHS.items():
        frames = rng.integers(0, 255, (length, 4, 4, 3), dtype=np.uint8)
        frames = frames.repeat(16, axis=1).repeat(16, axis=2)
        write_video(root / "videos" / f"{video_id}.mp4", frames, 64, FPS)
        database[video_id] = {
            "subset": "test",
            "duration": length / FPS,
            "fps": FPS,
            "frame": length,
            "annotations": [{"segment": [0.5, 1.5], "label": "jump"}],
        }
    (root / "annotations.json").write_text(json.dumps({"database": database}))
    return root


@pytest.fixture(scope="session")
def checkpoint(video_root):
    """Weights of the tiny detector, random, with adapters that do something."""
    pytest.importorskip("mmaction")
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmtad"):
        model = MODELS.build(Config.fromfile(CONFIG).model)
    model.init_weights()
    for adapter in model.backbone.adapters:
        torch.nn.init.normal_(adapter.up_proj.weight)
    path = video_root / "weights.pth"
    weights = model.state_dict()
    # As MMEngine's EMAHook saves: the averaged weights, and the raw ones beside them.
    raw = {f"module.{key}": torch.zeros_like(value) for key, value in weights.items()}
    raw["steps"] = torch.tensor(7)
    torch.save({"state_dict": weights, "ema_state_dict": raw, "meta": {}}, path)
    return path


@pytest.fixture
def config():
    return Config.fromfile(CONFIG)
