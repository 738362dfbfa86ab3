import pytest
import torch
from torch.testing import assert_close

from mmtad.models.heads import ActionnessRegressor
from mmtad.models.task_modules import SetTargets
from mmtad.ops import roi_align1d
from mmtad.registry import MODELS


def build(**options):
    torch.manual_seed(0)
    options = dict(embed_dims=8, roi_size=4) | options
    return MODELS.build(dict(type="ActionnessRegressor", **options)).double()


def inputs(steps=16, valid=(16, 10)):
    torch.manual_seed(1)
    memory = torch.randn(2, steps, 8, dtype=torch.float64)
    mask = torch.arange(steps) < torch.tensor(valid)[:, None]
    segments = torch.tensor([[0.5, 0.25], [0.1, 0.4], [0.98, 0.01], [0.5, 1.0]])
    return memory, mask, segments.double().expand(2, -1, -1)


def test_rois_by_hand():
    regressor, (_, mask, segments) = build(), inputs()
    rois = regressor.rois(mask, segments)
    # 1.5 times the length, within the 16 or 10 valid steps, at least one step long.
    assert_close(rois[0], torch.tensor([[5, 11], [0, 6.4], [15, 16], [0, 16]], dtype=torch.float64))
    assert_close(rois[1], torch.tensor([[3.125, 6.875], [0, 4], [9, 10], [0, 10.0]]).double())
    padded = build(preset="official").rois(mask, segments)
    assert_close(padded[1, :2], torch.tensor([[5, 11], [0, 6.4]], dtype=torch.float64))
    # A segment of next to no length at the end stays so in the public codes.
    assert_close(padded[0, 2], torch.tensor([15.56, 15.8]).double())


def test_output_is_an_mlp_of_aligned_features():
    regressor, (memory, mask, segments) = build(), inputs(valid=(16, 16))
    rois = torch.tensor([[5.0, 11.0], [0.0, 6.4], [15.0, 16.0], [0.0, 16.0]]).double()
    features = roi_align1d(memory.mT, rois.expand(2, -1, -1), 4)
    expected = regressor.mlp(features.flatten(2)).squeeze(-1).sigmoid()
    assert_close(regressor(memory, mask, segments), expected)


def test_padding_never_matters():
    regressor, (memory, mask, segments) = build(), inputs(valid=(13, 10))
    expected = regressor(memory[:, :13], mask[:, :13], segments)
    memory = torch.where(mask[..., None], memory, torch.nan)
    assert_close(regressor(memory, mask, segments), expected)
    assert regressor(memory, mask & False, segments)[:, 0].shape == (2,)


def test_gradients():
    """They reach the memory, not the segments."""
    regressor, (memory, mask, segments) = build(), inputs()
    memory, segments = memory.requires_grad_(), segments.clone().requires_grad_()
    out = regressor(memory, mask, segments)
    targets = [SetTargets(torch.tensor([[0.2, 0.6]]).double(), torch.ones(1, 3))] * 2
    regressor.loss(out, segments, targets).backward()
    assert memory.grad.abs().sum() > 0 and segments.grad is None
    assert (memory.grad[1, 10:] == 0).all()


def targets():
    """An action in the first video, two in the second; (start, end) in unit."""
    return [torch.tensor([[0.0, 0.5]]), torch.tensor([[0.5, 1.0], [0.0, 0.1]])]


def test_targets_by_hand():
    segments = torch.tensor([[[0.25, 0.5], [0.75, 0.5], [0.5, 0.0]]]).expand(2, -1, -1)
    expected = torch.tensor([[1.0, 0.0, 0.0], [0.2, 1.0, 0.0]])
    assert_close(build().target(segments, targets()), expected)
    # The named difference: the authors' code looks at the actions of both videos.
    mixed = build(preset="official").target(segments, targets())
    assert_close(mixed, torch.tensor([[1.0, 1.0, 0.0]] * 2))
    assert_close(build(preset="opentad").target(segments, targets()), expected)


@pytest.mark.parametrize("preset", ["padding_free", "official", "opentad"])
def test_loss_by_hand(preset):
    regressor = build(preset=preset)
    segments = torch.tensor([[[0.25, 0.5]], [[0.75, 0.5]]])
    wanted = [SetTargets(one, torch.ones(len(one), 3)) for one in targets()]
    actionness = torch.tensor([[0.75], [0.25]])
    assert regressor.loss(actionness, segments, wanted) == pytest.approx(4 * (0.25 + 0.75) / 2)
    nothing = [SetTargets(torch.zeros(0, 2), torch.zeros(0, 3))] * 2
    assert regressor.loss(actionness, segments, nothing) == pytest.approx(4 * 0.5)


def test_one_video_without_actions():
    segments = torch.rand(2, 3, 2)
    found = build().target(segments, [torch.zeros(0, 2), targets()[1]])
    assert (found[0] == 0).all() and (found[1] > 0).any()


def test_half_precision():
    regressor, (memory, mask, segments) = build().float(), inputs()
    exact = regressor(memory.float(), mask, segments.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = regressor(memory.bfloat16(), mask, segments.float())
    assert half.dtype == torch.float32
    assert_close(half, exact, rtol=0, atol=2e-2)


def test_unknown_preset():
    with pytest.raises(ValueError, match="no preset is called 'tadtr'"):
        ActionnessRegressor(preset="tadtr")
