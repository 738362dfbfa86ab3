import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers import DABCrossAttention, DABSelfAttention, dab_attention


def linear(layer, x):
    return x @ layer.weight.T + layer.bias


def naive(query, key, value, mask, heads):
    """Attention with explicit loops; inputs ``[B, N, heads * D]``, ``[B, N, heads * D_v]``."""
    query, key, value = query.detach(), key.detach(), value.detach()
    (batch, queries, width), steps = query.shape, key.shape[1]
    size, size_v = width // heads, value.shape[2] // heads
    out = torch.zeros(batch, queries, value.shape[2], dtype=query.dtype)
    weights = torch.zeros(batch, heads, queries, steps, dtype=query.dtype)
    for b in range(batch):
        for h in range(heads):
            for q in range(queries):
                a = query[b, q, h * size : (h + 1) * size]
                scores = [
                    float(a @ key[b, t, h * size : (h + 1) * size]) / size**0.5
                    for t in range(steps)
                ]
                masses = [
                    torch.tensor(score).double().exp() if mask is None or mask[b, t] else 0.0
                    for t, score in enumerate(scores)
                ]
                for t in range(steps):
                    weights[b, h, q, t] = masses[t] / sum(masses)
                    seen = value[b, t, h * size_v : (h + 1) * size_v]
                    out[b, q, h * size_v : (h + 1) * size_v] += weights[b, h, q, t] * seen
    return out, weights


def beside(content, position, heads):
    """Head by head, content and then position."""
    parts = []
    for a, b in zip(content.chunk(heads, -1), position.chunk(heads, -1), strict=True):
        parts += [a, b]
    return torch.cat(parts, -1)


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return dict(
        content=draw(2, 3, 8),
        position=draw(2, 3, 8),
        code=draw(2, 3, 8),
        memory=draw(2, 5, 8),
        positions=draw(2, 5, 8),
        mask=torch.tensor([[True] * 5, [True, True, True, False, False]]),
    )


@pytest.mark.parametrize("return_map", [False, True])
@pytest.mark.parametrize("first", [False, True])
def test_cross_attention_against_explicit_loops(inputs, first, return_map):
    module = DABCrossAttention(8, 2, additive_position=first).double()
    query = linear(module.content_query_proj, inputs["content"])
    key = linear(module.content_key_proj, inputs["memory"])
    key_position = linear(module.position_key_proj, inputs["positions"])
    if first:
        query = query + linear(module.position_query_proj, inputs["position"])
        key = key + key_position
    out, weights = naive(
        beside(query, linear(module.code_query_proj, inputs["code"]), 2),
        beside(key, key_position, 2),
        linear(module.value_proj, inputs["memory"]),
        inputs["mask"],
        2,
    )
    found, maps = module(**inputs, return_map=return_map)
    assert_close(found, linear(module.out_proj, out))
    assert (maps is not None) == return_map
    if return_map:
        assert_close(maps, weights)


@pytest.mark.parametrize("return_map", [False, True])
def test_self_attention_against_explicit_loops(inputs, return_map):
    module = DABSelfAttention(8, 2).double()
    content, position = inputs["content"], inputs["position"]
    out, weights = naive(
        linear(module.content_query_proj, content) + linear(module.position_query_proj, position),
        linear(module.content_key_proj, content) + linear(module.position_key_proj, position),
        linear(module.value_proj, content),
        None,
        2,
    )
    found, maps = module(content, position, return_map)
    assert_close(found, linear(module.out_proj, out))
    if return_map:
        assert_close(maps, weights)


def test_width_of_heads(monkeypatch):
    shapes = []

    def attend(query, key, value, *args, **kwargs):
        shapes.append((query.shape[2:], key.shape[2:], value.shape[2:]))
        return value[:, : query.shape[1]], None

    monkeypatch.setattr(dab_attention, "attend", attend)
    queries, steps = torch.zeros(1, 4, 256), torch.zeros(1, 6, 256)
    DABCrossAttention(256, 8)(queries, queries, queries, steps, steps)
    DABSelfAttention(256, 8)(queries, queries)
    assert shapes == [((8, 64), (8, 64), (8, 32)), ((8, 32), (8, 32), (8, 32))]


def test_only_the_first_layer_reads_the_position(inputs):
    later, first = (DABCrossAttention(8, 2, additive_position=own).double() for own in (0, 1))
    assert later.position_query_proj is None
    assert "position_query_proj.weight" in first.state_dict()
    other = dict(inputs, position=inputs["position"] + 1)
    assert_close(later(**other)[0], later(**inputs)[0], rtol=0, atol=0)
    assert not torch.allclose(first(**other)[0], first(**inputs)[0])


def test_rows_of_maps_sum_to_one_and_padding_gets_nothing(inputs):
    cross, own = DABCrossAttention(8, 2).double(), DABSelfAttention(8, 2).double()
    for module in (cross, own):
        assert module.returns_map
        module.dropout = 0.5  # in training mode: the map is the one before dropout
    _, maps = cross(**inputs, return_map=True)
    assert_close(maps.sum(-1), torch.ones(2, 2, 3).double())
    assert (maps[1, :, :, 3:] == 0).all() and (maps[0] > 0).all()
    _, maps = own(inputs["content"], inputs["position"], return_map=True)
    assert_close(maps.sum(-1), torch.ones(2, 2, 3).double())


@pytest.mark.parametrize("kind", [DABCrossAttention, DABSelfAttention])
def test_heads_must_divide_the_width(kind):
    with pytest.raises(ValueError, match="3 heads do not divide a width of 8"):
        kind(8, 3)
