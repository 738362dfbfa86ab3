import pytest
import torch

from mmtad.models.necks import SGPProjection


def build(**kwargs):
    options = dict(in_channels=6, out_channels=16, arch=(2, 1, 2), mlp_channels=8, num_groups=4)
    return SGPProjection(**{**options, **kwargs})


VARIANTS = [
    dict(),
    dict(window=[1, 3, 5], k=1.3, use_abs_pos=True, max_seq_len=64),
    dict(use_abs_pos=True, max_seq_len=8),  # the table is stretched
]


@pytest.mark.parametrize("options", VARIANTS)
def test_padding_never_reaches_a_valid_step(padding_changes_nothing, options):
    padding_changes_nothing(build(**options))


@pytest.mark.parametrize("preset", ["official", "opentad"])
def test_public_presets_depend_on_the_amount_of_padding(randomise, preset):
    x, mask = torch.randn(1, 6, 21), torch.ones(1, 21, dtype=torch.bool)
    outs = []
    for length in (32, 64):
        projection = randomise(build(preset=preset, max_seq_len=length))
        features, masks = projection(x, mask)
        assert [f.shape[-1] for f in features] == [length, length // 2, length // 4]
        assert [int(m.sum()) for m in masks] == [21, 11, 6]
        outs.append(features[0][..., :21])
    assert (outs[0] - outs[1]).abs().amax((0, 1)).min() > 1e-4


@pytest.mark.parametrize("preset", ["official", "opentad"])
def test_public_presets_leave_values_in_the_padding(randomise, preset):
    """Their blocks do not mask what they add; later convolutions and poolings read it. Ours do."""
    x, mask = torch.randn(1, 6, 21), torch.ones(1, 21, dtype=torch.bool)
    theirs = randomise(build(preset=preset, max_seq_len=32))(x, mask)[0][0]
    assert theirs[..., 21:].any()
    ours = randomise(build())(torch.nn.functional.pad(x, (0, 11)), torch.arange(32)[None] < 21)
    assert not ours[0][0][..., 21:].any()


def test_legal_lengths_of_the_published_configs():
    thumos = build(arch=(2, 2, 5), max_seq_len=2304)
    assert thumos.legal_length(100) == 2304 and thumos.legal_length(2305) == 2336
    anet = build(arch=(2, 2, 5), window=15, max_seq_len=768)
    assert anet.legal_length(768) == 768 and anet.legal_length(769) == 960


@pytest.mark.parametrize("length", [1, 2, 3, 17, 50])
def test_any_length(length):
    features, masks = build()(torch.randn(2, 6, length), torch.ones(2, length, dtype=torch.bool))
    lengths = [length, -(-length // 2), -(-length // 4)]
    assert [x.shape for x in features] == [(2, 16, n) for n in lengths]
    assert [m.shape for m in masks] == [(2, n) for n in lengths]
    assert all(x.isfinite().all() for x in features)


def test_noise_in_training_only_and_never_in_the_padding():
    torch.manual_seed(0)
    projection = build(input_noise=0.5, drop_path=0.0)
    x, mask = torch.randn(1, 6, 20), torch.arange(20)[None] < 12
    before = x.clone()
    first, second = (projection.train()(x, mask)[0][0] for _ in range(2))
    assert not torch.equal(first, second) and torch.equal(x, before)
    assert not first[..., 12:].any()
    first, second = (projection.eval()(x, mask)[0][0] for _ in range(2))
    assert torch.equal(first, second)


def test_window_one_in_the_stem_and_as_told_in_the_branch():
    projection = build(window=[3, 5, 7])
    assert projection.stem[0].sgp.psi.kernel_size == (1,)
    assert [b.sgp.psi.kernel_size for b in projection.branch] == [(5,), (7,)]
    with pytest.raises(ValueError, match="3 levels"):
        build(window=[5, 5])


@pytest.mark.parametrize("init, moving", [("published", False), ("live", True)])
def test_init_reaches_every_block(init, moving):
    projection = build(init=init, drop_path=0.0)
    features, _ = projection(torch.randn(2, 6, 9), torch.ones(2, 9, dtype=torch.bool))
    sum(x.square().sum() for x in features).backward()
    for name, parameter in projection.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all()
        if ".sgp." in name and name.endswith("weight"):
            assert bool(parameter.grad.any()) == bool(parameter.any()) == moving, name


def test_several_streams():
    projection = build(in_channels=[4, 2], out_channels=[8, 8])
    features, _ = projection(torch.randn(1, 6, 9), torch.ones(1, 9, dtype=torch.bool))
    assert features[0].shape == (1, 16, 9)


def test_checkpoint_key_names():
    keys = build().state_dict().keys()
    assert {"embed.1.norm.weight", "stem.0.sgp.conv_kw.weight", "branch.1.mlp_path.scale"} <= keys
    assert not any(key.endswith("scale") for key in keys if key.startswith("stem"))
