import json

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from mmtad.engine import AttentionDiversityHook
from mmtad.models.layers.multihead_attention import MultiheadAttention
from mmtad.registry import HOOKS

DATA = [
    dict(inputs=torch.randn(6, 8, generator=torch.Generator().manual_seed(i))) for i in range(8)
]


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = MultiheadAttention(8, 2)

    def forward(self, x):
        self.fused = self.attention(x, x, x)[1] is None
        return x + self.attention(x, x, x)[0]


class Model(BaseModel):
    def __init__(self, attention=True):
        super().__init__()
        layers = [Layer() if attention else nn.Linear(8, 8) for _ in range(2)]
        self.encoder = nn.Sequential(*layers)

    def forward(self, inputs, mode="tensor"):
        x = self.encoder(torch.stack(inputs))
        return dict(loss=x.square().mean()) if mode == "loss" else list(x)


class Count(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [1] * len(data_samples)

    def compute_metrics(self, results):
        return dict(count=len(results))


def run(folder, hook, model=None, epochs=1, test=False):
    loader = dict(dataset=DATA, batch_size=2, sampler=dict(type="DefaultSampler", shuffle=False))
    torch.manual_seed(0)
    runner = Runner(
        model or Model(),
        str(folder),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=epochs, val_interval=1),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
        val_dataloader=loader,
        val_cfg=dict(),
        val_evaluator=[Count()],
        test_dataloader=loader,
        test_cfg=dict(),
        test_evaluator=[Count()],
        custom_hooks=[dict(type="AttentionDiversityHook", **hook)],
        default_scope="mmtad",
        experiment_name=f"{folder}",
    )
    return runner, runner.test() if test else runner.train()


def test_validation_logs_and_draws(tmp_path):
    runner, _ = run(tmp_path, dict(num_batches=2))
    out = tmp_path / "attention" / "epoch_1"
    assert {file.name for file in out.iterdir()} == {
        "diversity.json",
        "diversity.png",
        "maps_encoder.png",
    }
    numbers = json.loads((out / "diversity.json").read_text())
    assert numbers["num_windows"] == 2 * 2 * 2  # each layer is called twice per window
    assert len(numbers["diversity"]["encoder"]) == 2 and min(numbers["diversity"]["encoder"]) > 0
    assert len(numbers["relative"]["encoder"]) == 2 and min(numbers["relative"]["encoder"]) > 0
    for layer in (1, 2):
        logged = runner.message_hub.get_scalar(f"val/diversity/encoder_{layer}").current()
        assert logged == pytest.approx(numbers["diversity"]["encoder"][layer - 1])
    (log,) = tmp_path.glob("*/*.log")
    assert "diversity/encoder_2" in log.read_text()
    assert runner.message_hub.get_scalar("val/count").current() == 8
    # After two batches attention is fused again.
    assert all(layer.fused for layer in runner.model.encoder)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in runner.model.modules())


def test_test_and_interval(tmp_path):
    run(tmp_path / "a", dict(draw=False, centre="mean", heads="each"), test=True)
    (file,) = (tmp_path / "a" / "attention" / "test").iterdir()
    numbers = json.loads(file.read_text())
    assert (numbers["centre"], numbers["heads"]) == ("mean", "each")
    run(tmp_path / "b", dict(draw=False, interval=2), epochs=3)
    names = sorted(folder.name for folder in (tmp_path / "b" / "attention").iterdir())
    assert names == ["epoch_1", "epoch_3"]


def test_a_model_without_attention_is_warned_about(tmp_path):
    _, metrics = run(tmp_path, dict(), Model(attention=False), test=True)
    assert metrics == dict(count=8)
    (log,) = tmp_path.glob("*/*.log")
    assert "no module of Model can show its attention map" in log.read_text()
    assert not (tmp_path / "attention").exists()


def test_bad_options_are_named():
    with pytest.raises(ValueError, match="num_batches must be at least 1, got 0"):
        HOOKS.build(dict(type="AttentionDiversityHook", num_batches=0))
    with pytest.raises(ValueError, match="interval must be at least 1, got 0"):
        AttentionDiversityHook(interval=0)
    with pytest.raises(ValueError, match="centre is one of"):
        AttentionDiversityHook(centre="mode")
