"""TadTR and Deformable-DETR as a whole; their public codes are in ``test_tadtr_golden.py``."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from mmtad.registry import MODELS
from mmtad.structures import segment_iou

ROOT = Path(__file__).parents[3] / "configs"
ACTIONS = [torch.tensor([[4.0, 10.0], [16.0, 28.0]]), torch.tensor([[2.0, 6.0]])]
LABELS = [torch.tensor([0, 2]), torch.tensor([1])]


def windows():
    """Two windows, the second one of 24 steps; a channel is high during an action of its class."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 6, 32, generator=generator) * 0.1
    for sample, (segments, labels) in enumerate(zip(ACTIONS, LABELS, strict=True)):
        for (start, end), label in zip(segments.long().tolist(), labels.tolist(), strict=True):
            x[sample, label, start:end] += 2
    truth = [InstanceData(segments=s, labels=k) for s, k in zip(ACTIONS, LABELS, strict=True)]
    return x, torch.arange(32) < torch.tensor([[32], [24]]), truth


def train(model, inputs, steps, rate=3e-3):
    """Losses of every step."""
    x, mask, truth = inputs
    optimizer, totals = torch.optim.AdamW(model.parameters(), lr=rate), []
    for _ in range(steps):
        losses = model.head.loss(*model.extract_features(x, mask), truth)
        total = sum(value for name, value in losses.items() if "loss" in name)
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        totals.append(float(total.detach()))
    return totals


@pytest.mark.parametrize("kind", ["tadtr", "deformable-detr"])
def test_learns_two_windows_by_heart(query_config, kind):
    torch.manual_seed(0)
    model, inputs = MODELS.build(query_config(kind)), windows()
    totals = train(model, inputs, steps=90)
    assert totals[-1] < 0.15 * totals[0]
    found = model.eval().head.predict(*model.extract_features(*inputs[:2]))
    for result, segments, labels in zip(found, ACTIONS, LABELS, strict=True):
        best = result[: len(segments)]
        assert sorted(best.labels.tolist()) == labels.tolist()
        assert (segment_iou(best.segments, segments).amax(0) > 0.8).all()


def test_actionness_weighs_the_scores(query_config):
    torch.manual_seed(0)
    model, (x, mask, _) = MODELS.build(query_config("tadtr")).eval(), windows()
    outputs = model(x, mask)
    scores = outputs.class_logits[-1].sigmoid() * outputs.actionness[..., None]
    for result, pairs in zip(
        model.head.predict(*model.extract_features(x, mask)), scores, strict=True
    ):
        expected = pairs.flatten().sort(descending=True).values
        torch.testing.assert_close(result.scores, expected)


def test_the_loss_of_self_detr_takes_its_maps(query_config):
    """What deformable attention reads is a map too; gradients reach places and weights."""
    torch.manual_seed(0)
    feedback = dict(type="SelfFeedbackLoss")
    model, (x, mask, truth) = MODELS.build(query_config("tadtr", feedback=feedback)), windows()
    losses = model.head.loss(*model.extract_features(x, mask), truth)
    of_maps = [value for name, value in losses.items() if "feedback" in name or "self" in name]
    assert of_maps and all(value.isfinite() and value > 0 for value in of_maps)
    sum(of_maps).backward()
    attention = model.head.encoder.layers[0].attention
    for projection in (attention.offset_proj, attention.weight_proj):
        assert projection.weight.grad.abs().sum() > 0
        assert projection.weight.grad.isfinite().all()


def test_mixed_precision(query_config):
    torch.manual_seed(0)
    model, (x, mask, truth) = MODELS.build(query_config("tadtr")), windows()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = model.head.loss(*model.extract_features(x, mask), truth)
    exact = model.head.loss(*model.extract_features(x, mask), truth)
    for name, loss in exact.items():
        assert losses[name].item() == pytest.approx(loss.item(), rel=0.1, abs=0.1), name


@pytest.mark.parametrize(
    "name, millions",
    [("tadtr_i3d_128x4_16e_thumos14", 8.66), ("tadtr_i3d_128x4_120e_thumos14", 7.31)],
)
def test_size(name, millions):
    cfg = Config.fromfile(ROOT / "tadtr" / f"{name}.py")
    model = MODELS.build(cfg.model)
    total = sum(parameter.numel() for parameter in model.parameters())
    assert total / 1e6 == pytest.approx(millions, abs=0.01)
