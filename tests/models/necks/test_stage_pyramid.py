import pytest
import torch
from torch.testing import assert_close

from mmtad.registry import MODELS

CHANNELS = [3, 4, 5]


def build(kind="StagePyramid", **kwargs):
    torch.manual_seed(0)
    module = MODELS.build(dict(dict(type=kind, in_channels=CHANNELS, out_channels=6), **kwargs))
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module.double()


def stages(length, *valid, lengths=None, value=0.0, seed=1):
    """Stages of the channels above and their masks; what is not valid holds the value."""
    lengths = lengths or [-(-length // 2**s) for s in range(3)]
    features, masks = [], []
    for width, steps in zip(CHANNELS, lengths, strict=True):
        ratio = length / steps
        counts = torch.tensor([-(-v // ratio) for v in valid or (length,)])
        mask = torch.arange(steps)[None] < counts[:, None]
        generator = torch.Generator().manual_seed(seed)
        # The same values whatever the length: steps first, channels last.
        x = torch.randn(512, len(mask), width, generator=generator, dtype=torch.float64)
        x = x[:steps].permute(1, 2, 0).clone()
        features.append(x.masked_fill(~mask[:, None], value))
        masks.append(mask)
    return features, masks


def test_levels_by_hand():
    """Of ones: a lateral that sums its stage; the coarser one is added, the top is its maximum."""
    pyramid = build(in_channels=[1, 1, 1], out_channels=1)
    for conv in pyramid.laterals:
        torch.nn.init.ones_(conv.weight)
        torch.nn.init.zeros_(conv.bias)
    given = [
        torch.tensor([[values]]).double()
        for values in (
            [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
            [10.0, 20.0, 30.0, 40.0],
            [100.0, -200.0],
        )
    ]
    masks = [torch.ones(1, x.shape[-1], dtype=torch.bool) for x in given]
    levels, level_masks = pyramid(given, masks)
    assert [x[0, 0].tolist() for x in levels] == [
        [111.0, 112.0, 123.0, 124.0, -165.0, -164.0, -153.0, -152.0],
        [110.0, 120.0, -170.0, -160.0],
        [100.0, -200.0],
        [100.0],
    ]
    assert all(mask.all() for mask in level_masks) and pyramid.strides == [1, 2, 4, 8]


def test_lengths_of_the_paper():
    """256 frames: stages of 128, 64 and 32 steps; levels of 128, 64, 32 and 16."""
    levels, masks = build()(*stages(128))
    assert [x.shape for x in levels] == [(1, 6, n) for n in (128, 64, 32, 16)]
    assert [mask.shape[-1] for mask in masks] == [128, 64, 32, 16]
    assert build().laterals[0].weight.shape == (6, 3, 1)


@pytest.mark.parametrize(
    "kwargs", [{}, dict(sources="last"), dict(levels=(0,)), dict(kernel_size=3), dict(num_levels=6)]
)
@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e30])
def test_padding_never_matters(kwargs, value):
    pyramid = build(**kwargs)
    alone, alone_masks = pyramid(*stages(13))
    for length in (13, 14, 24, 40):
        levels, masks = pyramid(*stages(length, 13, value=value))
        for x, mask, y, own in zip(levels, masks, alone, alone_masks, strict=True):
            assert mask.sum() == own.sum() == y.shape[-1]
            assert_close(x[..., : y.shape[-1]], y)
            assert not x[..., y.shape[-1] :].any()


def test_stages_of_one_rate_are_averaged_first():
    """SlowFast and VideoSwin keep their time steps; the pyramid halves them itself."""
    pyramid = build()
    features, masks = stages(16, 11, lengths=[16, 16, 16], value=torch.nan)
    levels, level_masks = pyramid(features, masks)
    assert [x.shape[-1] for x in levels] == [16, 8, 4, 2]
    assert [mask.sum().item() for mask in level_masks] == [11, 6, 3, 2]
    third = features[2][0, :, :11]
    means = torch.stack([third[:, :4].mean(1), third[:, 4:8].mean(1)], -1)
    # Of the last three steps the first two are a pair: (a + b) / 2 and c are averaged.
    tail = (third[:, 8:10].mean(1) + third[:, 10]) / 2
    wanted = pyramid.laterals[2].weight[..., 0] @ torch.cat([means, tail[:, None]], 1)
    assert_close(levels[2][0, :, :3], wanted + pyramid.laterals[2].bias[:, None])


def test_ablations():
    """The last stage alone starts at its own rate; single levels come from the whole pyramid."""
    features, masks = stages(64)
    last = build(sources="last")
    levels, _ = last(features, masks)
    assert [x.shape[-1] for x in levels] == [16, 8, 4, 2] and last.strides == [4, 8, 16, 32]
    assert [conv.in_channels for conv in last.laterals] == [5]
    assert_close(levels[1], levels[0].unflatten(-1, (-1, 2)).amax(-1))
    whole, _ = build()(features, masks)
    single = build(levels=(0,))
    (level,), (mask,) = single(features, masks)
    assert_close(level, whole[0])
    assert mask.shape == (1, 64) and single.strides == [1]


def test_without_a_valid_step():
    levels, masks = build()(*stages(16, 0, value=torch.nan))
    assert not any(x.any() for x in levels) and not any(mask.any() for mask in masks)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="sources.*'all', 'last'.*'first'"):
        build(sources="first")
    with pytest.raises(ValueError, match="3 stages need as many levels.*num_levels=2"):
        build(num_levels=2)
    for levels in ((4,), ()):
        with pytest.raises(ValueError, match="some of the 4 levels 0 to 3"):
            build(levels=levels)
    with pytest.raises(ValueError, match=r"channels \[3, 4, 5\]|\[3, 4, 5\] channels, got \[5\]"):
        build()([torch.zeros(1, 5, 8).double()], [torch.ones(1, 8, dtype=torch.bool)])
    features, masks = stages(16, lengths=[16, 12, 4])
    with pytest.raises(ValueError, match=r"\[16, 12, 4\] steps.*stage 1 must have 8 steps"):
        build()(features, masks)
