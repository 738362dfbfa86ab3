import pytest
import torch
from torch.testing import assert_close

from mmtad.registry import MODELS


def build(in_channels=3, **kwargs):
    torch.manual_seed(0)
    module = MODELS.build(
        dict(dict(type="FeatureStages", in_channels=in_channels, out_channels=4), **kwargs)
    )
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module.double().eval()


def sample(length, valid, value=torch.nan, channels=3):
    x = torch.full((1, channels, length), value, dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    x[..., :valid] = torch.randn(channels, valid, generator=generator, dtype=torch.float64)
    return x, torch.arange(length)[None] < valid


def test_one_kind_of_feature():
    stages, masks = build()(*sample(16, 16))
    assert [x.shape for x in stages] == [(1, 4, 16), (1, 4, 8), (1, 4, 4)]
    assert [mask.shape for mask in masks] == [(1, 16), (1, 8), (1, 4)]
    assert build().stage_channels == [4, 4, 4]
    assert build(num_stages=1).stage_channels == [4]


def test_stages_saved_at_one_rate():
    """Stage s is the mean of 2^s steps of kind s; nothing is learnt."""
    module = build([1, 2, 1])
    assert not list(module.parameters()) and module.stage_channels == [1, 2, 1]
    x, mask = sample(8, 8, channels=4)
    stages, masks = module(x, mask)
    assert_close(stages[0], x[:, :1])
    assert_close(stages[1], x[:, 1:3].unflatten(-1, (-1, 2)).mean(-1))
    assert_close(stages[2], x[:, 3:].unflatten(-1, (-1, 4)).mean(-1))
    assert [m.shape[-1] for m in masks] == [8, 4, 2]


@pytest.mark.parametrize("in_channels", [3, [1, 1, 1]])
@pytest.mark.parametrize("value", [torch.nan, -torch.inf, 1e30])
def test_padding_never_matters(in_channels, value):
    module = build(in_channels)
    alone, _ = module(*sample(13, 13))
    for length in (14, 16, 37):
        stages, masks = module(*sample(length, 13, value))
        for x, mask, y in zip(stages, masks, alone, strict=True):
            assert mask.sum() == y.shape[-1]
            assert_close(x[..., : y.shape[-1]], y)
            assert not x[..., y.shape[-1] :].any()


def test_stages_fit_the_pyramid():
    module = build()
    pyramid = MODELS.build(dict(type="StagePyramid", in_channels=module.stage_channels)).double()
    levels, _ = pyramid(*module(*sample(21, 20)))
    assert [x.shape[-1] for x in levels] == [21, 11, 6, 3]


def test_no_stage_is_named():
    with pytest.raises(ValueError, match="at least one stage, got num_stages=0"):
        build(num_stages=0)
    with pytest.raises(ValueError, match="channels of at least one stage, got"):
        build([])


@pytest.mark.parametrize("in_channels", [3, [1, 1, 1]])
def test_other_features_are_named(in_channels):
    with pytest.raises(ValueError, match="for 3 channels, got features of 4; set its in_channels"):
        build(in_channels)(*sample(8, 8, channels=4))
