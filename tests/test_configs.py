"""Every config builds its model, tiny, and runs a training step and a prediction on the CPU."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from mmtad.registry import DATASETS, MODELS, TASK_UTILS, TRANSFORMS
from mmtad.structures import TADDataSample, TemporalGrid

ROOT = Path(__file__).parents[1] / "configs"
CONFIGS = sorted(
    f for f in ROOT.rglob("*.py") if "_base_" not in f.parts and not f.name.startswith("pretrain")
)


def shrink(model: dict) -> dict:
    """The same model with thin layers, so that it fits a test."""
    backbone = model["backbone"]["backbone"]
    backbone.update(embed_dims=32, depth=2, num_heads=2)
    model["backbone"].update(pretrained=None)
    model["projection"].update(in_channels=32, out_channels=32)
    model["neck"].update(channels=32)
    model["head"].update(in_channels=32, feat_channels=32)
    return model


@pytest.mark.parametrize("file", CONFIGS, ids=lambda f: f.stem)
def test_model_trains_and_predicts(file):
    pytest.importorskip("mmaction")
    cfg = Config.fromfile(file)
    model = MODELS.build(shrink(cfg.model))
    model.init_weights()
    grid = TemporalGrid(origin=0.0, step=0.1, length=32, duration=3.2)
    gt = InstanceData(segments=torch.tensor([[4.0, 12.0]]), labels=torch.tensor([0]))
    sample = TADDataSample(metainfo=dict(video_id="v", grid=grid, window_index=0))
    sample.gt_instances = gt
    data = dict(
        inputs=[torch.zeros(3, 32, 64, 64, dtype=torch.uint8)],
        masks=[torch.ones(32, dtype=torch.bool)],
        data_samples=[sample],
    )
    model.train()
    losses = model(**model.data_preprocessor(data, True), mode="loss")
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    model.eval()
    with torch.no_grad():
        (out,) = model(**model.data_preprocessor(data, False), mode="predict")
    assert out.pred_instances.segments.shape[-1] == 2
    TASK_UTILS.build(cfg.test_evaluator.post_processor)([out.pred_instances])


@pytest.mark.parametrize("file", CONFIGS, ids=lambda f: f.stem)
def test_pipelines_build(file):
    cfg = Config.fromfile(file)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert DATASETS.get(loader.dataset.type) is not None
        assert all(TRANSFORMS.build(t) for t in loader.dataset.pipeline)


@pytest.mark.parametrize("file", sorted(ROOT.rglob("*.py")), ids=lambda f: f.stem)
def test_leaves_are_short(file):
    if "_base_" not in file.parts and file.parent.name != "quickstart":
        assert len(file.read_text().splitlines()) <= 60
