import math

import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers.attention_maps import AttentionMaps
from mmtad.models.losses.attention_loss import mean_over_rows
from mmtad.models.losses.self_feedback import SelfFeedbackLoss
from mmtad.ops.attention_guidance import decoder_guidance, encoder_guidance
from mmtad.registry import MODELS

B, H, Q, T = 2, 2, 5, 8
MASK = torch.arange(T) < torch.tensor([[T], [T - 3]])


def softmax_maps(rows, columns, count, mask=None, seed=0, requires_grad=False):
    """Maps of layers, and the logits that they come from."""
    generator = torch.Generator().manual_seed(seed)
    logits = [torch.randn(B, H, rows, columns, generator=generator) * 2 for _ in range(count)]
    logits = [x.requires_grad_(requires_grad) for x in logits]
    masked = logits
    if mask is not None:
        masked = [x.masked_fill(~mask[:, None, None], float("-inf")) for x in logits]
    return [x.softmax(-1) for x in masked], logits


def make(requires_grad=False, layers=(2, 3)):
    encoder, a = softmax_maps(T, T, layers[0], MASK, 1, requires_grad)
    decoder, b = softmax_maps(Q, Q, layers[1], None, 2, requires_grad)
    cross, c = softmax_maps(Q, T, layers[1], MASK, 3, requires_grad)
    return AttentionMaps(encoder, decoder, cross), (a, b, c)


def kl(p, q):
    """Explicit sum."""
    return sum(x * math.log(x / y) for x, y in zip(p, q, strict=True) if x > 0)


def explicit_terms(maps, reverse=False):
    """Both terms in loops, from the definitions."""
    encoder_rows, decoder_layers = [], []
    heads = lambda layers, b: [x[b].mean(0) for x in layers]  # noqa: E731
    for b in range(B):
        n = int(MASK[b].sum())
        first, second = (x[:n, :n] for x in heads(maps.encoder, b))
        cross = sum(heads(maps.cross, b)) / len(maps.cross)
        target = (cross[:, :n].T @ cross[:, :n]).sqrt()
        target = target / target.sum(1, keepdim=True)
        pairs = zip((second @ first).tolist(), target.tolist(), strict=True)
        encoder_rows.append([kl(a, g) if reverse else kl(g, a) for a, g in pairs])
    for own, cross in zip(maps.decoder, maps.cross, strict=True):
        samples = []
        for b in range(B):
            c = cross[b].mean(0)
            target = (c @ c.T).sqrt()
            target = target / target.sum(1, keepdim=True)
            pairs = zip(own[b].mean(0).tolist(), target.tolist(), strict=True)
            samples.append([kl(a, g) if reverse else kl(g, a) for a, g in pairs])
        decoder_layers.append(sum(sum(s) / len(s) for s in samples) / B)
    return sum(sum(r) / len(r) for r in encoder_rows) / B, decoder_layers


@pytest.mark.parametrize("reverse", [False, True])
def test_terms_are_the_explicit_sums(reverse):
    maps, _ = make()
    direction = "map_to_guidance" if reverse else "guidance_to_map"
    losses = SelfFeedbackLoss(2.0, 3.0, direction=direction)(maps, MASK)
    encoder, decoder = explicit_terms(maps, reverse)
    assert_close(losses["loss_feedback_encoder"], torch.tensor(2 * encoder))
    assert_close(losses["loss_feedback_decoder"], torch.tensor(3 * sum(decoder) / 3))
    total = SelfFeedbackLoss(direction=direction, reduction="sum")(maps, MASK)
    assert_close(total["loss_feedback_decoder"], torch.tensor(sum(decoder)))


def test_every_map_that_is_compared_has_rows_that_sum_to_one():
    for mode in ("matmul", "average", "last"):
        maps, _ = make()
        loss = SelfFeedbackLoss(encoder_aggregation=mode)
        encoder, target = loss.encoder_map(maps, MASK), loss.encoder_target(maps, MASK)
        for x in (encoder, target):
            assert_close(x.sum(-1), MASK.float(), rtol=0, atol=1e-5)
    for mode, count in (("layer", 3), ("average", 1), ("last", 1)):
        loss = SelfFeedbackLoss(decoder_aggregation=mode)
        both = [*loss.decoder_maps(maps.decoder), *loss.decoder_targets(maps, MASK)]
        assert len(both) == 2 * count
        for x in both:
            assert_close(x.sum(-1), torch.ones(B, Q), rtol=0, atol=1e-5)


@pytest.mark.parametrize("direction", ["guidance_to_map", "map_to_guidance"])
def test_zero_when_maps_equal_their_guidance(direction):
    cross = softmax_maps(Q, T, 3, MASK, 3)[0]
    mean = torch.stack([x.mean(1) for x in cross]).mean(0)
    target = encoder_guidance(mean, MASK)[:, None].expand(B, H, T, T)
    one = torch.eye(T).expand(B, H, T, T)
    decoder = [decoder_guidance(x.mean(1))[:, None].expand(B, H, Q, Q) for x in cross]
    losses = SelfFeedbackLoss(direction=direction)(
        AttentionMaps([one, target], decoder, cross), MASK
    )
    for value in losses.values():
        assert_close(value, torch.tensor(0.0), rtol=0, atol=1e-6)


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_detach_changes_gradients_of_cross_attention_only(part):
    weights = dict(weight_encoder=float(part == "encoder"), weight_decoder=float(part == "decoder"))
    grads = {}
    for detach in (True, False):
        maps, logits = make(requires_grad=True)
        (loss,) = SelfFeedbackLoss(detach_guidance=detach, **weights)(maps, MASK).values()
        loss.backward()
        grads[detach] = [[x.grad for x in layers] for layers in logits]
        assert all(g is None or g.isfinite().all() for layers in grads[detach] for g in layers)
    own = ("encoder", "decoder").index(part)
    for a, b in zip(grads[True][own], grads[False][own], strict=True):
        assert a.abs().sum() > 0
        assert_close(a, b)
    assert all(g is None for layers in (grads[True][1 - own], grads[True][2]) for g in layers)
    assert all(g.abs().sum() > 0 for g in grads[False][2])


def test_a_step_of_descent_brings_maps_closer():
    maps, (encoder, decoder, _) = make(requires_grad=True)
    before = SelfFeedbackLoss()(maps, MASK)
    sum(before.values()).backward()
    with torch.no_grad():
        moved = [
            [
                (x - 0.3 * x.grad).masked_fill(~MASK[:, None, None], float("-inf"))
                if x.shape[-1] == T
                else x - 0.3 * x.grad
                for x in layers
            ]
            for layers in (encoder, decoder)
        ]
    parts = [[x.softmax(-1) for x in layers] for layers in moved]
    after = SelfFeedbackLoss()(AttentionMaps(*parts, maps.cross), MASK)
    assert all(after[key] < before[key] for key in before)


def test_padding_does_not_matter():
    maps, _ = make()
    expected = SelfFeedbackLoss()(maps, MASK)
    longer = torch.nn.functional.pad(MASK, (0, 4))
    padded = AttentionMaps(
        [torch.nn.functional.pad(x, (0, 4, 0, 4), value=float("nan")) for x in maps.encoder],
        maps.decoder,
        [torch.nn.functional.pad(x, (0, 4), value=7.0) for x in maps.cross],
    )
    for x in (*padded.encoder, *padded.cross):
        x[1, ..., T - 3 :] = float("inf")
    for x in padded.encoder:
        x[1, :, T - 3 :] = float("nan")
    losses = SelfFeedbackLoss()(padded, longer)
    for key in expected:
        assert_close(losses[key], expected[key])


def test_steps_that_nobody_looks_at_are_skipped():
    maps, _ = make()
    cross = [x.clone() for x in maps.cross]
    for x in cross:
        x[0, ..., 2] = 0.0
    x = AttentionMaps(maps.encoder, maps.decoder, cross)
    loss = SelfFeedbackLoss(weight_decoder=0)
    target = loss.encoder_target(x, MASK)
    assert target[0, 2].eq(0).all() and target[0, 1].sum() > 0.999
    changed = [m.clone() for m in maps.encoder]
    changed[-1][0, :, 2] = torch.eye(T)[2]  # a row of the last map that guidance says nothing about
    other = loss(AttentionMaps(changed, maps.decoder, cross), MASK)
    assert_close(other, loss(x, MASK))


def test_maps_of_deformable_attention_are_scaled_up():
    maps, _ = make()
    share = torch.rand(B, H, Q, 1)[:, :1] * 0.8 + 0.2
    dense = AttentionMaps(
        [0.6 * x for x in maps.encoder], maps.decoder, [share * x for x in maps.cross]
    )
    assert_close(SelfFeedbackLoss()(dense, MASK), SelfFeedbackLoss()(maps, MASK))


def test_per_head():
    maps, _ = make()
    losses = SelfFeedbackLoss(per_head=True)(maps, MASK)
    singles = []
    for head in range(H):
        parts = ([x[:, head : head + 1] for x in m] for m in (maps.decoder, maps.cross))
        single = SelfFeedbackLoss()(AttentionMaps(maps.encoder, *parts), MASK)
        singles.append(single["loss_feedback_decoder"])
    assert_close(losses["loss_feedback_decoder"], sum(singles) / H)
    mixed = SelfFeedbackLoss()(maps, MASK)
    assert_close(losses["loss_feedback_encoder"], mixed["loss_feedback_encoder"])
    assert not torch.isclose(losses["loss_feedback_decoder"], mixed["loss_feedback_decoder"])
    one = AttentionMaps(maps.encoder, maps.decoder, [x[:, :1] for x in maps.cross])
    with pytest.raises(ValueError, match="go with each other, got 3 maps of shape"):
        SelfFeedbackLoss(per_head=True)(one, MASK)


def test_aggregation_of_the_decoder():
    maps, _ = make()
    last = AttentionMaps(maps.encoder, maps.decoder[-1:], maps.cross[-1:])
    mean = [[torch.stack(m).mean(0)] for m in (maps.decoder, maps.cross)]
    for mode, same in (("last", last), ("average", AttentionMaps(maps.encoder, *mean))):
        mine = SelfFeedbackLoss(0, 1, decoder_aggregation=mode)(maps, MASK)
        assert_close(mine, SelfFeedbackLoss(0, 1)(same, MASK))


def test_a_window_without_a_valid_step():
    maps, logits = make(requires_grad=True)
    mask = MASK.clone()
    mask[1] = False
    losses = SelfFeedbackLoss()(maps, mask)
    alone = AttentionMaps(*([x[:1] for x in m] for m in (maps.encoder, maps.decoder, maps.cross)))
    assert_close(losses, SelfFeedbackLoss()(alone, mask[:1]))
    nothing = SelfFeedbackLoss()(maps, torch.zeros_like(mask))
    assert all(value == 0 for value in nothing.values())
    (sum(losses.values()) + sum(nothing.values())).backward()
    assert all(x.grad.isfinite().all() for layers in logits[:2] for x in layers)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("direction", ["guidance_to_map", "map_to_guidance"])
def test_half_precision_and_collapsed_maps_stay_finite(dtype, direction):
    logits = [torch.zeros(B, H, Q, Q, dtype=dtype).requires_grad_() for _ in range(2)]
    collapse = torch.tensor([60.0, *[0.0] * (Q - 1)], dtype=dtype)
    maps, _ = make(layers=(2, 2))
    encoder = [torch.eye(T)[0].expand(B, H, T, T).to(dtype) for _ in range(2)]
    cross = [x.to(dtype) for x in maps.cross]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        decoder = [(x + collapse).softmax(-1) for x in logits]
        losses = SelfFeedbackLoss(direction=direction)(AttentionMaps(encoder, decoder, cross), MASK)
        total = sum(losses.values())
    total.backward()
    assert total.dtype == torch.float32 and total.isfinite() and total > 1
    assert all(x.grad.isfinite().all() for x in logits)


def test_registered_and_terms_follow_the_weights():
    loss = MODELS.build(dict(type="SelfFeedbackLoss", weight_encoder=0))
    maps, _ = make()
    assert list(loss(AttentionMaps([], maps.decoder, maps.cross), MASK)) == [
        "loss_feedback_decoder"
    ]
    assert list(SelfFeedbackLoss(weight_decoder=0)(maps, MASK)) == ["loss_feedback_encoder"]


@pytest.mark.parametrize(
    "options,message",
    [
        (dict(weight_encoder=-1), "at least 0 and not both 0, got weight_encoder=-1"),
        (dict(weight_encoder=0, weight_decoder=0), "not both 0"),
        (
            dict(direction="both"),
            "direction is one of guidance_to_map, .*, got 'both'",
        ),
        (dict(encoder_aggregation="sum"), "encoder_aggregation is one of .*, got 'sum'"),
        (dict(decoder_aggregation="sum"), "decoder_aggregation is one of .*, got 'sum'"),
        (dict(reduction="none"), "reduction is one of mean, sum, got 'none'"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        SelfFeedbackLoss(**options)


def test_missing_maps_are_named():
    maps, _ = make()
    for parts, name in (
        (AttentionMaps([], maps.decoder, maps.cross), "encoder"),
        (AttentionMaps(maps.encoder, [], maps.cross), "decoder"),
        (AttentionMaps(maps.encoder, maps.decoder, []), "cross-attention"),
    ):
        with pytest.raises(ValueError, match=f"needs maps of the {name}"):
            SelfFeedbackLoss()(parts, MASK)


def test_mean_over_rows():
    values = torch.tensor([[1.0, 3.0, float("nan")], [5.0, float("inf"), 0.0], [1.0, 1.0, 1.0]])
    kept = torch.tensor([[True, True, False], [True, False, False], [False] * 3])
    assert_close(mean_over_rows(values, kept), torch.tensor((2.0 + 5.0) / 2))
    assert mean_over_rows(values, torch.zeros_like(kept)) == 0
