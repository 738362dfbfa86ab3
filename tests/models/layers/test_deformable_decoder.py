import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers import SinePosition
from mmtad.models.layers.deformable_decoder import REFERENCE_EPS
from mmtad.models.layers.refinement import refine
from mmtad.registry import MODELS

SIZES = dict(embed_dims=16, num_layers=3, num_heads=4, feedforward_channels=32, dropout=0.0)


def build(kind, **options):
    torch.manual_seed(0)
    return MODELS.build(dict(type=f"Deformable{kind}", **SIZES) | options)


def inputs(steps=12, valid=(12, 9)):
    torch.manual_seed(1)
    mask = torch.arange(steps) < torch.tensor(valid)[:, None]
    return torch.randn(2, steps, 16), SinePosition(16)(mask), mask


def test_encoder_looks_around_every_step():
    encoder = build("Encoder")
    memory, maps = encoder(*inputs(), return_maps=True)
    assert memory.shape == (2, 12, 16) and len(maps) == 3
    # At the start heads 0 and 2 of 4 look 1 to 4 steps ahead, 1 and 3 as far behind.
    ahead, behind = maps[0][0, 0, 4], maps[0][0, 1, 4]
    assert_close(ahead, torch.tensor([0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0]) / 4, rtol=0, atol=1e-5)
    assert_close(behind, torch.tensor([1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]) / 4, rtol=0, atol=1e-5)
    again, nothing = encoder(*inputs())
    assert nothing == [] and torch.equal(again, memory)


def test_encoder_is_local():
    """What lies beyond the reach of all layers does not matter."""
    encoder = build("Encoder", num_layers=1)
    x, positions, mask = inputs()
    changed = x.clone()
    changed[:, 6:] += 1
    same = (encoder(x, positions, mask)[0] - encoder(changed, positions, mask)[0]).abs().amax(-1)
    assert (same[:, :2] == 0).all() and (same[:, 2:6] > 0).all()


def test_decoder_refines_layer_by_layer():
    decoder = build("Decoder", num_queries=5)
    for regressor in decoder.regressors:
        torch.nn.init.normal_(regressor.layers[-1].weight)
    memory, positions, mask = inputs()
    out = decoder(memory, positions, mask, return_maps=True)
    assert len(out.states) == len(out.segments) == len(out.references) == 3
    first = decoder.reference_proj(decoder.query_positions).sigmoid().expand(2, -1, -1)
    reference = first
    for layer in range(3):
        expected = refine(reference, decoder.regressors[layer](out.states[layer]), REFERENCE_EPS)
        assert_close(out.segments[layer], expected)
        assert torch.equal(out.references[layer], out.segments[layer])
        assert not out.references[layer].requires_grad
        reference = out.references[layer]
    assert out.self_maps[2].shape == (2, 4, 5, 5) and out.cross_maps[2].shape == (2, 4, 5, 12)
    for maps in (out.self_maps, out.cross_maps):
        assert_close(torch.stack(maps).sum(-1), torch.ones(3, 2, 4, 5))


def test_first_segments():
    """At the start the first layer keeps the centre and predicts a width of sigmoid(-2)."""
    decoder = build("Decoder", num_queries=5)
    out = decoder(*inputs())
    centre = decoder.reference_proj(decoder.query_positions).sigmoid().expand(2, -1, -1)
    width = torch.tensor(-2.0).sigmoid().expand(2, 5, 1)
    for segments in out.segments:
        assert_close(segments, torch.cat([centre, width], dim=-1))


@pytest.mark.parametrize("layer", [0, 1])
def test_gradient_stops_between_layers(layer):
    """A layer's segment moves the content below it, but the regressor of that layer alone."""
    decoder = build("Decoder", num_queries=5)
    for regressor in decoder.regressors:
        torch.nn.init.normal_(regressor.layers[-1].weight)
    decoder(*inputs()).segments[layer].sum().backward()
    reached = [regressor.layers[-1].weight.grad is not None for regressor in decoder.regressors]
    assert reached == [index == layer for index in range(3)]
    # The centre that all starts from is learned through the first layer, and where it looks.
    assert (decoder.reference_proj.weight.grad != 0).any()


def test_query_code_is_added_to_the_content():
    decoder = build("Decoder", num_queries=5)
    code = torch.randn(2, 16)
    out = decoder(*inputs(), query_code=code)
    assert not torch.equal(out.states[0], decoder(*inputs()).states[0])
    with torch.no_grad():
        decoder.query_content += code[0]
    assert_close(out.states[2][0], decoder(*inputs()).states[2][0])


def test_padding_never_matters():
    encoder, decoder = build("Encoder"), build("Decoder", num_queries=5)
    (x, positions, mask), (longer, far, wide) = inputs(valid=(9, 7)), inputs(20, (9, 7))
    longer[:, :12], longer[:, 12:] = x, 5.0
    (memory, _), (padded, _) = encoder(x, positions, mask), encoder(longer, far, wide)
    assert_close(padded[0, :9], memory[0, :9])
    padded = torch.where(wide[..., None], padded, torch.nan)
    for ours, theirs in zip(
        decoder(memory, positions, mask).segments, decoder(padded, far, wide).segments, strict=True
    ):
        assert_close(ours, theirs)
