"""A project that the launch tools can train in seconds: three videos, a tiny detector."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]

CONFIG = """
_base_ = {tiny!r}
train_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="TADDataset",
        ann_file="annotations.json",
        data_root={root!r},
        subset="train",
        classes=["jump", "run", "turn"],
        window_size=32,
        pipeline=[
            dict(type="OpenVideo", short_side=36),
            dict(type="SampleFrames"),
            dict(type="DecodeFrames"),
            dict(type="RandomResizedCrop", size=32),
            dict(type="ColorJitter"),
            dict(type="PackTADInputs"),
        ],
    ),
)
test_dataloader = _base_.test_dataloader
test_dataloader["dataset"]["data_root"] = {root!r}
val_dataloader = test_dataloader
val_evaluator = _base_.test_evaluator
val_cfg = dict()
train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=1)
model = dict(backbone=dict(backbone=dict(drop_path_rate=0.2)))
optim_wrapper = dict(
    type="OptimWrapper",
    constructor="RoleOptimWrapperConstructor",
    optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.05),
    paramwise_cfg=dict(adapter=dict(lr=2e-3)),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-3, begin=0, end=1, convert_to_iter_based=True),
    dict(type="CosineAnnealingLR", begin=1, end=2, T_max=3, convert_to_iter_based=True),
]
auto_scale_lr = dict(base_batch_size=1, enable=False)
visualizer = dict(
    type="Visualizer",
    vis_backends=[dict(type="LocalVisBackend"), dict(type="TensorboardVisBackend")],
)
default_hooks = dict(
    logger=dict(type="LoggerHook", interval=1),
    checkpoint=dict(type="CheckpointHook", interval=1),
)
custom_hooks = [
    dict(type="SeedHook"),
    dict(type="LoadReportHook"),
    dict(type="EMAHook", ema_type="ExponentialMovingAverage", momentum=0.01),
]
randomness = dict(seed=0)
"""


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Path:
    """Folder with ``config.py``, ``annotations.json`` and ``videos/``."""
    pytest.importorskip("mmaction")
    from mmtad.datasets.synthetic import write_video

    root = tmp_path_factory.mktemp("project")
    rng = np.random.default_rng(0)
    database = {}
    for name, subset, length in [("a", "train", 60), ("b", "train", 40), ("c", "test", 50)]:
        frames = rng.integers(0, 255, (length, 4, 4, 3), dtype=np.uint8)
        frames = frames.repeat(16, axis=1).repeat(16, axis=2)
        write_video(root / "videos" / f"{name}.mp4", frames, 64, 10)
        database[name] = dict(
            subset=subset,
            duration=length / 10,
            fps=10,
            frame=length,
            annotations=[
                {"segment": [0.5, 2.5], "label": "jump"},
                {"segment": [2.0, 3.0], "label": "turn"},
            ],
        )
    (root / "annotations.json").write_text(json.dumps({"database": database}))
    tiny = str(ROOT / "tests" / "apis" / "tiny_config.py")
    (root / "config.py").write_text(CONFIG.format(tiny=tiny, root=str(root)))
    return root


@pytest.fixture(scope="session")
def run_tool():
    """Run a script of tools/: ``run_tool("train.py", ...)``, ``run_tool("dist_train.sh", ...)``."""

    def run(name: str, *args, **environment) -> subprocess.CompletedProcess:
        script = str(ROOT / "tools" / name)
        command = [sys.executable, script] if name.endswith(".py") else ["bash", script]
        path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
        return subprocess.run(
            [*command, *map(str, args)],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=ROOT,
            env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", **environment},
        )

    return run
