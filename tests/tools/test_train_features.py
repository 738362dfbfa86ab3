"""A run on features, as a user launches it: train, then test its checkpoint."""

import json

import numpy as np
import pytest

CONFIG = """
default_scope = "mmtad"
common = dict(
    type="FeatureDataset",
    ann_file="annotations.json",
    data_root={root!r},
    features=[dict(path="rgb/{{video_id}}.npy", channels=4), dict(path="flow.h5", layout="CT")],
    feature_stride=4,
    clip_frames=16,
    window_size=32,
    classes=["jump", "run"],
)
train_dataloader = dict(
    batch_size=2,
    num_workers=1,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(**common, subset="train", sampling="random"),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(**common, sampling="whole", test_mode=True),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type="DetectionMetric",
    tiou_thresholds=[0.5],
    post_processor=dict(type="DetectionPostProcessor", max_per_video=20),
)
test_evaluator = val_evaluator
model = dict(
    type="TADDetector",
    data_preprocessor=dict(type="TADDataPreprocessor", pad_divisor=2),
    projection=dict(
        type="ConvTransformerProjection",
        in_channels=7,
        out_channels=16,
        arch=(1, 1, 1),
        num_heads=2,
        window=-1,
        max_seq_len=32,
    ),
    neck=dict(type="FPNIdentity", channels=16, num_levels=2),
    head=dict(
        type="ActionFormerHead",
        num_classes=2,
        in_channels=16,
        feat_channels=16,
        point_generator=dict(
            type="PointGenerator", strides=(1, 2), regression_ranges=((0, 8), (8, 10000))
        ),
        prior_prob=0.3,
    ),
)
train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=2)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type="AdamW", lr=1e-3))
custom_hooks = [dict(type="SeedHook"), dict(type="LoadReportHook")]
default_hooks = dict(logger=dict(type="LoggerHook", interval=1))
visualizer = dict(type="Visualizer", vis_backends=[dict(type="LocalVisBackend")])
"""


@pytest.fixture
def feature_project(tmp_path):
    import h5py

    rng = np.random.default_rng(0)
    database = {}
    (tmp_path / "rgb").mkdir()
    with h5py.File(tmp_path / "flow.h5", "w") as flow:
        for name, steps in [("a", 60), ("b", 25)]:
            np.save(tmp_path / "rgb" / f"{name}.npy", rng.normal(size=(steps, 4)))
            flow[f"v_{name}"] = rng.normal(size=(3, steps + 1)).astype(np.float32)
            database[name] = dict(
                subset="train",
                duration=((steps - 1) * 4 + 16) / 25,
                fps=25,
                annotations=[
                    dict(segment=[0.5, 2.5], label="jump"),
                    dict(segment=[2.0, 3.0], label="run"),
                ],
            )
    (tmp_path / "annotations.json").write_text(json.dumps(dict(database=database)))
    (tmp_path / "config.py").write_text(CONFIG.format(root=str(tmp_path)))
    return tmp_path


def test_train_and_test(feature_project, run_tool):
    config, work_dir = feature_project / "config.py", feature_project / "work"
    trained = run_tool("train.py", config, "--work-dir", work_dir)
    assert trained.returncode == 0, trained.stderr
    log = trained.stdout + trained.stderr
    assert "Epoch(train) [2][1/1]" in log and "Epoch(val) [2][2/2]" in log and "mAP@0.50" in log
    assert "nan" not in log.lower()
    tested = run_tool("test.py", config, work_dir / "epoch_2.pth", "--work-dir", work_dir)
    assert tested.returncode == 0, tested.stderr
    results = json.loads((work_dir / "predictions.json").read_text())["results"]
    assert set(results) == {"a", "b"}
    ends = [one["segment"][1] for one in results["a"]]
    assert len(ends) == 20 and max(ends) <= (59 * 4 + 16) / 25
