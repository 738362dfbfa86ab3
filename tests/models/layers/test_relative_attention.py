import math

import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers import RelativeAnchorBias, RelativeTimeBias
from mmtad.registry import MODELS

MASK = torch.tensor([[True] * 9, [True] * 6 + [False] * 3])


def test_time_bias_by_hand():
    bias = RelativeTimeBias(num_heads=2, max_distance=2)
    with torch.no_grad():
        bias.table.copy_(torch.arange(10.0).view(2, 5))  # distances -2 to 2
    first = [[2, 3, 4, 4], [1, 2, 3, 4], [0, 1, 2, 3], [0, 0, 1, 2]]
    expected = torch.tensor(first, dtype=torch.float32)
    assert_close(bias(4), torch.stack([expected, expected + 5])[None])


def test_anchor_bias_by_hand():
    bias = RelativeAnchorBias(num_heads=2)
    bias.mlp = torch.nn.Identity()
    anchors = torch.tensor([[[0.2, 0.1], [0.5, 0.4]]])
    near, ratio = bias(anchors)[0]
    expected = [[0.0, math.log1p(3.0)], [-math.log1p(0.75), 0.0]]
    assert_close(near, torch.tensor(expected))
    assert_close(ratio, torch.tensor([[0.0, math.log(4)], [-math.log(4), 0.0]]))


def build(kind, relative):
    torch.manual_seed(0)
    common = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
    more = dict(num_queries=5) if kind == "DABDecoder" else {}
    return MODELS.build(dict(type=kind, relative=relative, **common, **more)).eval()


def run(module, x, mask=MASK):
    torch.manual_seed(1)
    positions = torch.randn(1, x.shape[1], 16).expand_as(x)
    out = module(x, positions, mask, return_maps=True)
    return out[:1] if isinstance(out, tuple) else (*out.segments, *out.states)


@pytest.mark.parametrize(
    "kind,relative",
    [
        ("DABEncoder", dict(type="RelativeTimeBias", max_distance=4)),
        ("DABDecoder", dict(type="RelativeAnchorBias")),
    ],
)
def test_layers_start_as_plain_ones_and_learn_the_bias(kind, relative):
    torch.manual_seed(2)
    x = torch.randn(2, 9, 16)
    plain, module = build(kind, None), build(kind, relative)
    names = set(module.state_dict()) - set(plain.state_dict())
    assert names and all(name.startswith("relative.") for name in names)
    module.load_state_dict(plain.state_dict(), strict=False)
    for a, b in zip(run(plain, x), run(module, x), strict=True):
        assert_close(a, b)
    loss = sum(y.square().sum() for y in run(module, x))
    loss.backward()
    last = module.relative.table if kind == "DABEncoder" else module.relative.mlp.layers[-1].weight
    assert last.grad.isfinite().all() and last.grad.abs().sum() > 0
    with torch.no_grad():
        last.add_(torch.randn_like(last))
    changed = run(module, x)
    assert not torch.allclose(changed[-1], run(plain, x)[-1], atol=1e-4)
    noisy = x.clone()
    noisy[1, 6:] = 1e3
    rows = MASK if kind == "DABEncoder" else slice(None)
    for a, b in zip(run(module, noisy), changed, strict=True):
        assert_close(a[rows], b[rows])


def test_bias_does_not_depend_on_whether_maps_are_asked_for():
    module = build("DABEncoder", dict(type="RelativeTimeBias"))
    with torch.no_grad():
        module.relative.table.normal_()
    x = torch.randn(2, 9, 16)
    fused, _ = module(x, torch.zeros_like(x), MASK)
    shown, maps = module(x, torch.zeros_like(x), MASK, return_maps=True)
    assert_close(fused[MASK], shown[MASK])
    assert_close(maps[0].sum(-1)[0], torch.ones(2, 9))


def test_bad_distance_is_named():
    with pytest.raises(ValueError, match="max_distance must be at least 1 step, got 0"):
        RelativeTimeBias(8, 0)
