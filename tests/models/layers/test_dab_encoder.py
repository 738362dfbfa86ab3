import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers import MLP, DABEncoder, SinePosition
from mmtad.registry import MODELS


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return MODELS.build(
        dict(type="DABEncoder", embed_dims=8, num_layers=3, num_heads=2, feedforward_channels=12)
    ).double()


@pytest.fixture
def inputs():
    mask = torch.arange(7) < torch.tensor([[7], [4]])
    x = torch.randn(2, 7, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return x, SinePosition(8)(mask).double(), mask


def test_one_scale_for_all_layers_and_no_last_norm(encoder, inputs):
    x, positions, mask = inputs
    encoder.eval()
    found, maps = encoder(x, positions, mask)
    for layer in encoder.layers:
        placed = x + positions * encoder.position_scale(x)
        seen, _ = layer.attention(placed, placed, x, mask)
        x = layer.feed_forward(layer.norm(x + seen))
    assert_close(found, x)
    assert maps == []
    assert sum(isinstance(module, MLP) for module in encoder.modules()) == 1


def test_maps(encoder, inputs):
    _, _, mask = inputs
    encoder.eval()
    plain, _ = encoder(*inputs)
    shown, maps = encoder(*inputs, return_maps=True)
    assert_close(shown, plain)
    assert [m.shape for m in maps] == [(2, 2, 7, 7)] * 3
    for attention in maps:
        assert_close(attention.sum(-1), torch.ones(2, 2, 7).double())
        assert (attention[1, :, :, 4:] == 0).all()


def test_values_of_the_padding_do_not_reach_valid_steps(encoder, inputs):
    x, positions, mask = inputs
    encoder.eval()
    other = torch.where(mask[..., None], x, 1e3)
    expected, found = (encoder(values, positions, mask)[0] for values in (x, other))
    assert_close(found[mask], expected[mask], rtol=0, atol=0)


def test_without_a_mask_every_step_is_valid(encoder, inputs):
    x, positions, mask = inputs
    encoder.eval()
    assert_close(encoder(x, positions, None)[0], encoder(x, positions, torch.ones_like(mask))[0])


def test_xavier_from_end_to_end():
    torch.manual_seed(0)
    encoder = DABEncoder(256, num_layers=1)
    attention, feed_forward = encoder.layers[0].attention, encoder.layers[0].feed_forward
    bounds = {  # sqrt(6 / (in + out)); query, key and value as one matrix
        attention.query_proj: (6 / 1024) ** 0.5,
        attention.value_proj: (6 / 1024) ** 0.5,
        attention.out_proj: (6 / 512) ** 0.5,
        feed_forward.expand: (6 / 1280) ** 0.5,
        encoder.position_scale.layers[0]: (6 / 512) ** 0.5,
    }
    for layer, bound in bounds.items():
        assert layer.weight.abs().max().item() == pytest.approx(bound, rel=0.01)


def test_options_of_the_authors():
    encoder = DABEncoder(16, 2, 4, feedforward_channels=2048, dropout=0.0, activation="prelu")
    slopes = [name for name in encoder.state_dict() if name.endswith("activation.weight")]
    assert len(slopes) == 2
    x = torch.randn(1, 5, 16)
    assert_close(encoder(x, x, None)[0], encoder(x, x, None)[0], rtol=0, atol=0)
    with pytest.raises(ValueError, match="got 'gelu'"):
        DABEncoder(16, 2, 4, activation="gelu")
