"""Query-based detectors as a training loop meets them: all parts together, and bad input."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing import assert_close

from mmtad.models.losses import set_criterion
from mmtad.registry import MODELS
from mmtad.structures import TADDataSample, TemporalGrid

STEPS = 20
DOCS = Path(__file__).parents[3] / "docs/query_detectors.md"


def sample(segments=((2.0, 9.0),), labels=None):
    data = TADDataSample(
        metainfo=dict(video_id="v", window_index=0, grid=TemporalGrid(1.0, 0.5, STEPS, 11.0))
    )
    data.gt_instances = InstanceData(
        segments=torch.tensor(segments).float().reshape(-1, 2),
        labels=torch.tensor(labels or [0] * len(segments)).long(),
    )
    return data


@pytest.fixture
def build(query_config, query_kind):
    def make(**head):
        torch.manual_seed(0)
        return MODELS.build(query_config(query_kind, **head))

    return make


def inputs(batch=2):
    x = torch.randn(batch, 6, STEPS, generator=torch.Generator().manual_seed(1))
    return x, torch.arange(STEPS).expand(batch, -1) < torch.tensor([[STEPS], [13]])[:batch]


@pytest.mark.parametrize("actions", [(), ((3.0, 9.0), (4.0, 12.0))])
def test_every_parameter_is_used_in_training(build, actions):
    """Also without actions: several processes wait for every gradient."""
    model = build().train()
    losses = model(*inputs(), [sample(actions), sample(())], mode="loss")
    total, logged = model.parse_losses(losses)
    total.backward()
    unused = [n for n, p in model.named_parameters() if p.grad is None]
    assert not unused and all(p.grad.isfinite().all() for p in model.parameters())
    assert logged["unmatched_instances"] == 0
    assert_close(total, sum(v for k, v in losses.items() if "loss" in k))


def test_a_window_without_actions_is_background(build):
    """Only the classifiers learn, and actions are not made out of nothing: zero L1 and IoU."""
    model = build()
    losses = model(*inputs(), [sample(()), sample(())], mode="loss")
    for key, value in losses.items():
        assert value.isfinite()
        if key.rpartition(".")[2] in ("loss_l1", "loss_iou"):
            assert value == 0
        if key.rpartition(".")[2] == "loss_cls":
            assert value > 0


def test_more_actions_than_queries_are_told_and_counted(build, monkeypatch):
    told = []
    monkeypatch.setattr(set_criterion, "print_log", lambda text, *args: told.append(text))
    model = build()
    queries = 8 if hasattr(model.head, "decoder") else 16
    crowd = [(0.1 * i, 5.0 + 0.1 * i) for i in range(queries + 3)]
    for _ in range(2):
        losses = model(*inputs(), [sample(crowd), sample()], mode="loss")
    total, logged = model.parse_losses(losses)
    assert total.isfinite() and logged["unmatched_instances"] == 3
    (message,) = told  # once
    assert f"has {queries + 3} actions" in message and f"{queries} queries" in message
    assert "raise num_queries or shorten the windows" in message


def test_nan_is_named_with_the_step(build):
    model = build()
    with torch.no_grad():
        next(p for n, p in model.named_parameters() if "classifier" in n).fill_(torch.nan)
    MessageHub.get_current_instance().update_info("iter", 417)
    with pytest.raises(ValueError, match="costs of sample 0 .* are NaN or infinite at step 417"):
        model(*inputs(), [sample(), sample()], mode="loss")


def test_a_label_beyond_the_classes_is_named(build):
    with pytest.raises(ValueError, match="labels must lie in 0 to 2, got 0 to 3; set num_classes"):
        build()(*inputs(), [sample(), sample(((0, 4), (1, 7)), [0, 3])], mode="loss")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision_keeps_segments_exact(build, dtype):
    """A segment in float16 would be off by a fifth of a step in a window of 384."""
    model = build().eval()
    exact = model(*inputs())
    with torch.autocast("cpu", dtype=dtype):
        rough = model(*inputs())
        losses = model(*inputs(), [sample(), sample()], mode="loss")
    assert all(x.dtype == torch.float32 for x in [*rough.segments, *losses.values()])
    assert_close(rough.segments[0], exact.segments[0], rtol=0, atol=0.02)


def test_predictions_are_the_best_pairs_in_seconds(build):
    model = build(max_per_window=7).eval()
    found = model(*inputs(), [sample(), sample()], mode="predict")
    for one in (x.pred_instances for x in found):
        assert len(one) == 7 and one.labels.dtype == torch.int64
        assert (one.scores.diff() <= 0).all() and (one.labels < 3).all()
    (raw, _) = model.head.predict(*model.extract_features(*inputs()))
    if hasattr(model.head, "decoder"):
        assert_close(found[0].pred_instances.segments, raw.segments * 0.5 + 1)


def test_memory_can_be_planned(query_config, query_kind):
    """Nothing in a step but the matching asks for the value of a tensor."""
    with FakeTensorMode():
        model = MODELS.build(query_config(query_kind)).train()
        x, mask = torch.empty(2, 6, STEPS), torch.empty(2, STEPS, dtype=torch.bool)
        outputs = model(x, mask)
        predicted = [*outputs.class_logits, *outputs.segments]
        if outputs.actionness is not None:
            predicted.append(outputs.actionness)
        torch.stack([x.sum() for x in predicted]).sum().backward()
        assert all(
            p.grad is not None for n, p in model.named_parameters() if "clip_classifier" not in n
        )


@pytest.mark.parametrize("kind", ["dab-detr", "tadtr"])
def test_the_loss_of_the_docs(query_config, kind):
    """It works as written, beside the feedback, on maps of both kinds of attention."""
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    (code,) = (block for block in blocks if "class SharpAttentionLoss" in block)
    try:
        exec(code, {"__name__": "docs"})
        feedback = [dict(type="SelfFeedbackLoss"), dict(type="SharpAttentionLoss", weight=0.5)]
        model = MODELS.build(query_config(kind, feedback=feedback))
        losses = model(*inputs(), [sample(), sample()], mode="loss")
        sum(losses.values()).backward()
        assert losses["loss_sharp"] > 0 and losses["loss_feedback_decoder"] > 0
    finally:
        MODELS.module_dict.pop("SharpAttentionLoss", None)


def test_inside_a_project_of_mmaction2(query_config, query_kind):
    """Whatever the scope of the project, `mmtad.` finds all parts; parts without it are ours."""
    pytest.importorskip("mmaction")
    from mmaction.registry import MODELS as THEIRS

    config = query_config(query_kind)
    with DefaultScope.overwrite_default_scope("mmaction"):
        for part in (config, config["projection"], config["head"]):
            part["type"] = f"mmtad.{part['type']}"
        for name in ("encoder", "decoder", "actionness", "feedback"):
            if config["head"].get(name):
                config["head"][name]["type"] = f"mmtad.{config['head'][name]['type']}"
        model = THEIRS.build(config)
        model(*inputs(), [sample(), sample()], mode="loss")
