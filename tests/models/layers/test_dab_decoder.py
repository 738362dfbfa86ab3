import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers import DABDecoder, SinePosition, sine_code
from mmtad.models.layers.dab_decoder import draw_anchors
from mmtad.registry import MODELS

LAYOUTS = pytest.mark.parametrize("qd_layout", [False, True])
B, Q, T, C = 2, 5, 9, 16


def build(qd_layout=False, seed=0, **options):
    """A decoder in double precision whose offsets and biases are not zero."""
    torch.manual_seed(seed)
    options = dict(num_layers=3, num_heads=2, feedforward_channels=24) | options
    decoder = MODELS.build(
        dict(type="DABDecoder", embed_dims=C, num_queries=Q, qd_layout=qd_layout, **options)
    )
    for parameter in decoder.regressor.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return decoder.double().eval()


@pytest.fixture
def inputs():
    mask = torch.arange(T) < torch.tensor([[T], [6]])
    memory = torch.randn(B, T, C, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return memory, SinePosition(C)(mask).double(), mask


def watch(module):
    """Inputs and outputs of a module, call by call."""
    calls = []
    module.register_forward_hook(lambda _, args, out: calls.append((args[0], out)))
    return calls


def gradient(of, at):
    (found,) = torch.autograd.grad(of.sum(), at, retain_graph=True, allow_unused=True)
    return torch.zeros_like(at) if found is None else found


@LAYOUTS
def test_against_a_restatement(inputs, qd_layout):
    memory, positions, mask = inputs
    decoder = build(qd_layout)
    out = decoder(*inputs)
    anchors = torch.cat([decoder.centers, decoder.widths], -1).sigmoid().expand(B, Q, 2)
    content = torch.zeros(B, Q, C).double()
    for index, layer in enumerate(decoder.layers):
        size = C // 2 if qd_layout else C
        center, width = (sine_code(anchors[..., i], size) for i in (0, 1))
        both = torch.cat([center, width], -1)
        code = both if qd_layout else center
        scale = 1 if index == 0 else decoder.code_scale(content)
        wanted = decoder.width_mlp(content).sigmoid()
        code = code * scale * wanted / anchors[..., 1:]
        position = decoder.position_mlp(both)
        content = layer.self_norm(content + layer.self_attention(content, position)[0])
        seen, _ = layer.cross_attention(content, position, code, memory, positions, mask)
        content = layer.feed_forward(layer.cross_norm(content + seen))
        state = decoder.norm(content)
        assert_close(out.states[index], state)
        logits = (anchors / (1 - anchors)).log()
        assert_close(out.segments[index], (decoder.regressor(state) + logits).sigmoid())
        anchors = (decoder.regressor(content) + logits).sigmoid()
        assert_close(out.references[index], anchors)
    assert out.self_maps == out.cross_maps == []


@LAYOUTS
def test_widths_and_owners_of_projections(qd_layout):
    decoder = DABDecoder(qd_layout=qd_layout)
    assert decoder.position_mlp.layers[0].in_features == (256 if qd_layout else 512)
    assert decoder.position_mlp.layers[-1].out_features == 256
    assert decoder.width_mlp.layers[-1].out_features == 1
    owners = [layer.cross_attention.position_query_proj is not None for layer in decoder.layers]
    assert owners == [True, False, False, False]
    assert len(decoder.regressor.layers) == 3
    assert (decoder.num_queries, decoder.num_layers, decoder.embed_dims) == (40, 4, 256)


@LAYOUTS
def test_nothing_moves_before_training(inputs, qd_layout):
    decoder = DABDecoder(C, Q, 3, 2, 24, qd_layout=qd_layout).double().eval()
    anchors = torch.cat([decoder.centers, decoder.widths], -1).sigmoid().expand(B, Q, 2)
    out = decoder(*inputs)
    for found in (*out.segments, *out.references):
        assert_close(found, anchors)


def test_codes_of_anchors_and_steps_peak_at_the_same_place():
    steps = 128
    mask = torch.ones(1, steps, dtype=torch.bool)
    table = SinePosition(256)(mask)[0].double()
    places = (torch.arange(steps).double() + 0.5) / steps
    for place in (3, 64, 120):
        products = table @ sine_code(places[place], 256)
        assert int(products.argmax()) == place and products[place] == pytest.approx(128)
        distance = (torch.arange(steps) - place).abs()
        ordered = products[distance.argsort(stable=True)][: int(0.9 * steps)]
        assert (ordered[2:] < ordered[:-2]).all()  # falls on either side, far away too
    # QD-DETR compares 128 channels of the centre and 128 of the width with codes of another
    # spacing: their product alone does not tell where a step is.
    both = torch.cat([sine_code(places[64], 128), sine_code(torch.tensor(0.2).double(), 128)])
    assert int((table @ both).argmax()) != 64


@LAYOUTS
def test_code_scales_with_the_ratio_of_widths(qd_layout):
    decoder = build(qd_layout)
    content = torch.randn(1, 2, C).double()
    content[:, 1] = content[:, 0]
    anchors = torch.tensor([[[0.3, 0.2], [0.3, 0.4]]]).double()
    size = C // 2 if qd_layout else C
    codes = sine_code(anchors, size)
    own = codes.flatten(2) if qd_layout else codes[:, :, 0]
    _, code = decoder.encode_anchors(anchors, content, scaled=False)
    wanted = decoder.width_mlp(content).sigmoid()
    assert_close(code, own * wanted / torch.tensor([0.2, 0.4]).double()[:, None])
    if not qd_layout:
        assert_close(code[:, 0], 2 * code[:, 1])  # half the width looks twice as sharply
    _, scaled = decoder.encode_anchors(anchors, content)
    assert_close(scaled, code * decoder.code_scale(content))


def test_what_the_regressor_reads_and_where_gradients_stop(inputs):
    decoder = build()
    calls, contents = watch(decoder.regressor), watch(decoder.norm)
    out = decoder(*inputs)
    for layer in range(3):
        (content, state), predicted, moved = contents[layer], calls[2 * layer], calls[2 * layer + 1]
        assert predicted[0] is state is out.states[layer]  # after the norm: what is predicted
        assert moved[0] is content  # before it: what the next layer gets
    offset_seen, offset_handed_on = calls[0][1], calls[1][1]
    segments, states = out.segments[1], out.states[1]
    assert gradient(segments, offset_handed_on).abs().min() > 0
    assert not gradient(states, offset_handed_on).any()  # not through the attention
    assert not gradient(out.segments[2], offset_handed_on).any()  # nor further than one layer
    assert not gradient(segments, offset_seen).any()
    # The first anchors are learnt by both.
    for of in (out.segments[0], out.states[0]):
        assert gradient(of, decoder.centers).any() and gradient(of, decoder.widths).any()


def test_the_anchor_of_the_next_layer_matters_without_a_gradient(inputs):
    decoder = build()
    before = decoder(*inputs)
    offsets = iter([0.0, 0.5, 0.0, 0.0, 0.0, 0.0])  # added to what layer 0 hands on
    decoder.regressor.register_forward_hook(lambda _, args, out: out + next(offsets))
    after = decoder(*inputs)
    assert_close(after.states[0], before.states[0])
    assert_close(after.segments[0], before.segments[0])
    assert not torch.allclose(after.states[1], before.states[1])


def test_a_condition_is_added_to_every_content(inputs):
    decoder = build()
    code = torch.randn(B, C).double()
    calls = watch(decoder.layers[0].self_attention)
    decoder(*inputs)
    decoder(*inputs, query_code=code)
    assert not calls[0][0].any()
    assert_close(calls[1][0], code[:, None].expand(B, Q, C))


@LAYOUTS
def test_maps(inputs, qd_layout):
    decoder = build(qd_layout)
    plain, shown = decoder(*inputs), decoder(*inputs, return_maps=True)
    assert_close(shown.states, plain.states)
    assert_close(shown.segments, plain.segments)
    assert [m.shape for m in shown.self_maps] == [(B, 2, Q, Q)] * 3
    assert [m.shape for m in shown.cross_maps] == [(B, 2, Q, T)] * 3
    for attention in (*shown.self_maps, *shown.cross_maps):
        assert_close(attention.sum(-1), torch.ones(B, 2, Q).double())
    assert all((attention[1, :, :, 6:] == 0).all() for attention in shown.cross_maps)


def test_first_anchors():
    torch.manual_seed(0)
    centers, widths = draw_anchors(2000, "normal")
    for values in (centers, widths):
        assert values.mean().abs() < 0.1 and abs(float(values.std()) - 1) < 0.1
    centers, widths = draw_anchors(2000, "uniform")
    parts = torch.histc(centers.sigmoid(), 4, 0, 1)
    assert parts.min() > 400 and parts.sum() == 2000
    assert 0.1 <= widths.sigmoid().min() < 0.12 and 0.48 < widths.sigmoid().max() <= 0.5
    with pytest.raises(ValueError, match="one of .*'normal', 'uniform'.*got 'grid'"):
        draw_anchors(3, "grid")


def test_centers_may_stay_as_they_were_drawn(inputs):
    decoder = build(frozen_centers=True, anchor_init="uniform")
    assert not decoder.centers.requires_grad and decoder.widths.requires_grad
    assert decoder(*inputs).segments[-1].requires_grad


def test_an_anchor_without_width_stays_finite(inputs):
    decoder = build()
    with torch.no_grad():
        decoder.widths.fill_(-100.0)
    out = decoder(*inputs)
    out.segments[-1].sum().backward()
    assert all(x.isfinite().all() for x in (*out.states, *out.segments))
    assert all(p.grad is None or p.grad.isfinite().all() for p in decoder.parameters())


def test_half_precision_keeps_anchors_exact(inputs):
    memory, positions, mask = inputs
    decoder = build().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = decoder(memory.bfloat16(), positions.float(), mask)
    assert {x.dtype for x in (*out.segments, *out.references)} == {torch.float32}
    expected = decoder(memory.float(), positions.float(), mask).segments[-1]
    assert_close(out.segments[-1], expected, atol=0.05, rtol=0)


def test_codes_need_an_even_number_of_channels():
    DABDecoder(18, 3, 1, 2)
    with pytest.raises(ValueError, match="even number of channels, got 9 with embed_dims=18"):
        DABDecoder(18, 3, 1, 2, qd_layout=True)
