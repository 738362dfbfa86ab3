import pytest
import torch
from torch import nn
from torch.testing import assert_close

from mmtad.models.layers.attention_recorder import (
    attention_kind,
    attention_modules,
    record_attention,
)
from mmtad.models.layers.multihead_attention import MultiheadAttention
from mmtad.registry import MODELS

MASK = torch.tensor([[True] * 9, [True] * 6 + [False] * 3])


def build(kind="DAB"):
    torch.manual_seed(0)
    small = dict(embed_dims=16, num_heads=2, feedforward_channels=32)
    head = dict(
        type="DETRHead",
        num_classes=3,
        encoder=dict(type=f"{kind}Encoder", num_layers=2, **small),
        decoder=dict(type=f"{kind}Decoder", num_layers=3, num_queries=5, **small),
    )
    return MODELS.build(dict(type="TADDetector", head=head)).eval()


def test_all_layers_of_a_detector_are_heard():
    model = build()
    x = torch.randn(2, 16, 9)
    before = model(x, MASK)
    with record_attention(model) as record:
        during = model(x, MASK)
        kinds = [(one.kind, one.layer) for one in record.maps]
    assert sorted(kinds) == sorted(
        [("encoder", 0), ("encoder", 1), *((k, i) for k in ("decoder", "cross") for i in range(3))]
    )
    sizes = {"encoder": (2, 2, 9, 9), "decoder": (2, 2, 5, 5), "cross": (2, 2, 5, 9)}
    for one in record.maps:
        assert one.weights.shape == sizes[one.kind] and not one.weights.requires_grad
        assert one.kind == "decoder" or torch.equal(one.mask, MASK)
        rows = one.weights.sum(-1)
        assert_close(rows, torch.ones_like(rows))
    assert during.maps is None
    for a, b in zip(before.class_logits, during.class_logits, strict=True):
        assert_close(a, b, rtol=1e-4, atol=1e-5)
    record.clear()
    after = model(x, MASK)
    assert not record.maps
    assert torch.equal(after.class_logits[-1], before.class_logits[-1])
    for module in model.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks


def test_who_asks_for_maps_gets_them():
    model = build()
    x = torch.randn(2, 16, 9)
    expected = model.head([x], [MASK], return_maps=True).maps
    with record_attention(model) as record:
        maps = model.head([x], [MASK], return_maps=True).maps
    for kind in ("encoder", "decoder", "cross"):
        mine = [one.weights for one in record.maps if one.kind == kind]
        for a, b, c in zip(mine, getattr(maps, kind), getattr(expected, kind), strict=True):
            assert_close(a, b)
            assert_close(a, c)


def test_two_records_at_a_time():
    """As with two hooks in one config; both hear all, the caller gets what it asked for."""
    model = build()
    x = torch.randn(2, 16, 9)
    with record_attention(model) as outer, record_attention(model) as inner:
        outputs = model(x, MASK)
    assert outputs.maps is None and len(outer.maps) == len(inner.maps) == 8
    for a, b in zip(outer.maps, inner.maps, strict=True):
        assert (a.name, a.kind) == (b.name, b.kind) and torch.equal(a.weights, b.weights)


def test_deformable_attention_is_heard_too():
    model = build("Deformable")
    with record_attention(model) as record:
        model(torch.randn(2, 16, 9), MASK)
    assert len(record.maps) == 2 + 3 + 3
    for one in record.maps:
        assert (one.weights[1, ..., 6:] == 0).all() or one.kind == "decoder"


def test_gradients_flow_as_without():
    model = build()
    x = torch.randn(2, 16, 9)
    grads = []
    for listen in (False, True):
        model.zero_grad()
        if listen:
            with record_attention(model):
                model(x, MASK).segments[-1].sum().backward()
        else:
            model(x, MASK).segments[-1].sum().backward()
        grads.append([p.grad for p in model.parameters() if p.grad is not None])
    for a, b in zip(*grads, strict=True):
        assert_close(a, b, rtol=1e-3, atol=1e-5)


def test_hooks_go_even_after_an_error():
    model = build()
    with pytest.raises(RuntimeError), record_attention(model):
        raise RuntimeError
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


class Outer(nn.Module):
    returns_map = True

    def __init__(self):
        super().__init__()
        self.self_attention = MultiheadAttention(8, 2)

    def forward(self, x, return_map=False):
        out, weights = self.self_attention(x, x, x, None, return_map)
        return out, x, weights


def test_only_the_innermost_modules_are_told():
    model = nn.ModuleDict(dict(stage=Outer()))
    assert list(attention_modules(model)) == ["stage.self_attention"]
    with record_attention(model) as record:
        out, _, weights = model["stage"](torch.randn(1, 4, 8))
    assert out.shape == (1, 4, 8) and weights is None
    assert [(one.name, one.kind) for one in record.maps] == [("stage.self_attention", "decoder")]


def test_kinds_and_models_without_attention():
    assert attention_kind("head.encoder.layers.1.attention") == "encoder"
    assert attention_kind("head.decoder.layers.1.cross_attention") == "cross"
    assert attention_kind("self_attention") == "decoder"
    with pytest.raises(ValueError, match="no module of Linear can show its attention"):
        with record_attention(nn.Linear(2, 2)):
            pass
