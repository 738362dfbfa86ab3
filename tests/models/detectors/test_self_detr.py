"""Self-DETR as a whole: the feedback within detectors whose layers return maps."""

import pytest
import torch
from mmengine.structures import InstanceData
from torch.testing import assert_close

from mmtad.registry import MODELS

STEPS = 24
LOSSES = ("SelfFeedbackLoss", "IdentityAttentionLoss", "AttentionDiversityLoss")


def build(kind="DAB", feedback=None, actionness=False):
    torch.manual_seed(0)
    small = dict(embed_dims=16, num_heads=2, feedforward_channels=32, dropout=0.1)
    head = dict(
        type="DETRHead",
        num_classes=3,
        encoder=dict(type=f"{kind}Encoder", num_layers=2, **small),
        decoder=dict(type=f"{kind}Decoder", num_layers=3, num_queries=6, **small),
        actionness=dict(type="ActionnessRegressor", embed_dims=16) if actionness else None,
        feedback=dict(type="SelfFeedbackLoss") if feedback is None else feedback,
    )
    return MODELS.build(head).eval()


def batch(pad=0, fill=0.0):
    """Two windows, the second one of 17 steps, with ``pad`` steps of padding more."""
    generator = torch.Generator().manual_seed(0)
    x = torch.full((2, 16, STEPS + pad), fill)
    x[..., :STEPS] = torch.randn(2, 16, STEPS, generator=generator)
    x[1, :, 17:] = fill
    mask = torch.arange(STEPS + pad) < torch.tensor([[STEPS], [17]])
    instances = [
        InstanceData(segments=torch.tensor([[2.0, 9.0]]), labels=torch.tensor([1])),
        InstanceData(segments=torch.tensor([[1.0, 4.0], [6.0, 15.0]]), labels=torch.tensor([0, 2])),
    ]
    return [x], [mask], instances


def feedback_of(losses):
    return {key: value for key, value in losses.items() if key.startswith("loss_feedback")}


@pytest.mark.parametrize(
    "kind,actionness", [("DAB", False), ("Deformable", False), ("Deformable", True)]
)
def test_feedback_on_every_detector_with_maps(kind, actionness):
    head = build(kind, actionness=actionness)
    losses = head.loss(*batch())
    plain = build(kind, feedback=(), actionness=actionness).loss(*batch())
    assert set(losses) - set(plain) == {"loss_feedback_encoder", "loss_feedback_decoder"}
    for key, value in plain.items():
        assert_close(losses[key], value, rtol=1e-4, atol=1e-5)
    sum(feedback_of(losses).values()).backward()
    for name in ("encoder.layers.1.attention", "decoder.layers.2.self_attention"):
        module = head.get_submodule(name)
        grads = [p.grad for p in module.parameters() if p.grad is not None]
        assert grads and all(g.isfinite().all() for g in grads)
        assert any(g.abs().sum() > 0 for g in grads)


@pytest.mark.parametrize("kind", ["DAB", "Deformable"])
def test_padding_changes_no_loss(kind):
    head = build(kind)
    for name, parameter in head.named_parameters():
        if "offset_proj.bias" in name:  # at the start places are whole steps, give or take rounding
            parameter.data += 0.3 * torch.randn_like(parameter)
    expected = feedback_of(head.loss(*batch()))
    for pad, fill in ((0, float("nan")), (9, 1e4), (5, float("inf"))):
        assert_close(feedback_of(head.loss(*batch(pad, fill))), expected, rtol=1e-4, atol=1e-6)


def test_guidance_is_not_trained_unless_told():
    for detach in (True, False):
        head = build(feedback=dict(type="SelfFeedbackLoss", detach_guidance=detach))
        sum(feedback_of(head.loss(*batch())).values()).backward()
        # No self-attention comes after this layer's cross-attention.
        query = head.decoder.layers[-1].cross_attention.content_query_proj.weight.grad
        assert (query is None or not query.any()) == detach


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("loss", LOSSES)
def test_mixed_precision_is_finite(dtype, loss):
    head = build(feedback=dict(type=loss)).train()
    with torch.autocast("cpu", dtype=dtype):
        losses = head.loss(*batch())
    total = sum(value for key, value in losses.items() if "loss" in key)
    total.backward()
    assert total.dtype == torch.float32 and total.isfinite()
    assert all(p.grad.isfinite().all() for p in head.parameters() if p.grad is not None)


@pytest.mark.parametrize("loss", LOSSES)
def test_windows_without_actions_or_valid_steps(loss):
    head = build(feedback=dict(type=loss))
    (x,), (mask,), _ = batch()
    mask[1] = False
    empty = InstanceData(segments=torch.zeros(0, 2), labels=torch.zeros(0, dtype=torch.int64))
    losses = head.loss([x], [mask], [empty, empty])
    total = sum(value for key, value in losses.items() if "loss" in key)
    total.backward()
    assert total.isfinite()
    assert all(p.grad.isfinite().all() for p in head.parameters() if p.grad is not None)


def test_several_losses_stand_side_by_side():
    head = build(feedback=[dict(type=loss) for loss in LOSSES])
    losses = head.loss(*batch())
    names = {
        f"loss_{n}_{p}"
        for n in ("feedback", "identity", "diversity")
        for p in ("encoder", "decoder")
    }
    assert names <= set(losses)


def test_training_on_the_feedback_lowers_it():
    head = build(feedback=dict(type="SelfFeedbackLoss"))
    optimizer = torch.optim.Adam(head.parameters(), 3e-3)
    values = []
    for _ in range(15):
        loss = sum(feedback_of(head.loss(*batch())).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < 0.7 * values[0]


def test_predictions_take_no_maps():
    head = build()
    features, masks, _ = batch()
    heard = []
    for layer in head.encoder.layers:
        layer.attention.register_forward_hook(lambda m, a, out: heard.append(out[1]))
    head.predict(features, masks)
    assert heard == [None, None]
