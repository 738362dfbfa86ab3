import pytest
import torch

from mmtad.models.necks import ConvTransformerProjection


def build(**kwargs):
    options = dict(in_channels=6, out_channels=8, arch=(2, 1, 2), num_heads=2, window=5)
    return ConvTransformerProjection(**{**options, **kwargs})


VARIANTS = [
    dict(),
    dict(window=-1),
    dict(window=[3, -1, 7], use_abs_pos=True, max_seq_len=64),
    dict(use_abs_pos=True, max_seq_len=8),  # the table is stretched
]


@pytest.mark.parametrize("options", VARIANTS)
def test_padding_never_reaches_a_valid_step(padding_changes_nothing, options):
    padding_changes_nothing(build(**options))


@pytest.mark.parametrize("preset", ["official", "opentad"])
def test_public_presets_pad_to_a_legal_length(randomise, preset):
    projection = randomise(build(preset=preset, max_seq_len=32))
    features, masks = projection(torch.randn(1, 6, 21), torch.ones(1, 21, dtype=torch.bool))
    assert [x.shape[-1] for x in features] == [32, 16, 8]
    assert [int(m.sum()) for m in masks] == [21, 11, 6]


def test_legal_lengths_of_the_published_configs():
    thumos = ConvTransformerProjection(4, 4, arch=(1, 0, 5), num_heads=1, window=19)
    assert thumos.legal_length(2304) == thumos.legal_length(100) == 2304
    assert thumos.legal_length(2305) == 2304 + 576
    anet = build(arch=(1, 1, 5), window=[7, 7, 7, 7, 7, -1], max_seq_len=192)
    assert anet.legal_length(200) == 288


@pytest.mark.parametrize("length", [1, 2, 3, 17, 50])
def test_any_length(length):
    features, masks = build()(torch.randn(2, 6, length), torch.ones(2, length, dtype=torch.bool))
    lengths = [length, -(-length // 2), -(-length // 4)]
    assert [x.shape for x in features] == [(2, 8, n) for n in lengths]
    assert [m.shape for m in masks] == [(2, n) for n in lengths]
    assert all(x.isfinite().all() for x in features)


def test_input_dropout_drops_whole_channels():
    torch.manual_seed(0)
    projection = build(input_dropout=0.5)
    dropped = projection.input_dropout(torch.ones(2, 6, 9))
    assert (dropped == dropped[..., :1]).all()
    assert {0.0, 2.0} == set(dropped.unique().tolist())


def test_several_streams():
    projection = build(in_channels=[4, 2], out_channels=[4, 4])
    features, _ = projection(torch.randn(1, 6, 9), torch.ones(1, 9, dtype=torch.bool))
    assert features[0].shape == (1, 8, 9)
    with pytest.raises(ValueError, match="streams"):
        build(in_channels=[4, 2], out_channels=8)


def test_wrong_number_of_windows():
    with pytest.raises(ValueError, match="3 levels"):
        build(window=[5, 5])


def test_every_parameter_gets_a_gradient():
    projection = build(drop_path=0.0, use_abs_pos=True)
    features, _ = projection(torch.randn(2, 6, 9), torch.ones(2, 9, dtype=torch.bool))
    sum(x.square().sum() for x in features).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in projection.parameters())


def test_checkpoint_key_names():
    keys = build().state_dict().keys()
    assert "embed.1.norm.weight" in keys
    assert "stem.0.attn.query_conv.weight" in keys
    assert "branch.1.mlp_path.scale" in keys
