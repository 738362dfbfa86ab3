import pytest
import torch

from mmtad.models.backbones import InceptionI3D, TwoStreamI3D
from mmtad.registry import MODELS

STAGES = ("Conv3d_2c_3x3", "Mixed_3c")
SHORT = dict(rgb=dict(out_stages=STAGES), flow=dict(out_stages=STAGES))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return TwoStreamI3D(**SHORT).eval()


def test_channels_and_shapes_of_the_pyramid():
    model = MODELS.build(dict(type="TwoStreamI3D")).eval()
    assert model.stage_channels == model.out_channels == (960, 1664, 2048)
    with torch.inference_mode():
        maps = model(torch.randn(1, 5, 16, 96, 96))
    assert [tuple(m.shape) for m in maps] == [
        (1, 960, 8, 12, 12),
        (1, 1664, 4, 6, 6),
        (1, 2048, 2, 3, 3),
    ]


def test_equals_separate_runs(model):
    x = torch.randn(2, 5, 9, 32, 32)
    rgb, flow = InceptionI3D(3, STAGES).eval(), InceptionI3D(2, STAGES).eval()
    rgb.load_state_dict(model.rgb.state_dict())
    flow.load_state_dict(model.flow.state_dict())
    for both, a, b in zip(model(x), rgb(x[:, :3]), flow(x[:, 3:]), strict=True):
        assert torch.equal(both, torch.cat([a, b], dim=1))


def test_streams_share_nothing(model):
    x = torch.randn(1, 5, 8, 32, 32)
    other = x.clone()
    other[:, 3:] = 9.0
    for a, b, width in zip(model(x), model(other), model.rgb.stage_channels, strict=True):
        assert torch.equal(a[:, :width], b[:, :width])
        assert not torch.equal(a[:, width:], b[:, width:])


def test_options_reach_their_stream():
    short = dict(out_stages=STAGES)
    model = TwoStreamI3D(
        rgb=dict(short, checkpointing=True), flow=dict(short, frozen_bn=False)
    ).train()
    assert model.rgb.checkpointing and not model.flow.checkpointing
    assert not model.rgb.Conv3d_1a_7x7.bn.training and model.flow.Conv3d_1a_7x7.bn.training
    model(torch.randn(2, 5, 8, 32, 32))[-1].mean().backward()
    for stream in (model.rgb, model.flow):
        assert stream.Conv3d_1a_7x7.conv3d.weight.grad.abs().max() > 0


def test_wrong_input(model):
    with pytest.raises(ValueError, match=r"takes \[B, 5, T, H, W\], got \(1, 3, .*LoadFlow"):
        model(torch.randn(1, 3, 8, 32, 32))
    with pytest.raises(ValueError, match="both streams need the same out_stages"):
        TwoStreamI3D(rgb=dict(out_stages="Mixed_3b"), flow=dict(out_stages="Mixed_3c"))
    with pytest.raises(ValueError, match="has no stage .Mixed_9z."):
        TwoStreamI3D(rgb=dict(out_stages="Mixed_9z"))
