import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers import LevelScale, ScaledDropPath


def test_evaluation_only_scales():
    path = ScaledDropPath(3, drop_prob=0.5, init_scale=0.1).eval()
    x = torch.randn(4, 5, 3)
    assert_close(path(x), x * 0.1)


def test_training_drops_whole_samples_and_keeps_the_mean():
    torch.manual_seed(0)
    path = ScaledDropPath(3, drop_prob=0.25, init_scale=1.0).train()
    out = path(torch.ones(4000, 2, 3))
    values = out.flatten(1)
    assert (values == values[:, :1]).all()
    assert values.detach().unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert float(out.mean().detach()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_rejects_impossible_rates(rate):
    with pytest.raises(ValueError, match=str(rate)):
        ScaledDropPath(3, rate)


def test_level_scale_keeps_half_precision():
    assert LevelScale(2.0)(torch.ones(2, dtype=torch.bfloat16)).dtype == torch.bfloat16
