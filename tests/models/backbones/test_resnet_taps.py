import pytest
import torch

from mmtad.models.backbones import build_taps
from mmtad.registry import MODELS

pytest.importorskip("mmaction")

TINY = dict(depth=50, base_channels=4, stage_blocks=(2, 1, 3, 1), pretrained2d=False)


def resnet(name="ResNet3d", **kwargs):
    """A backbone in eval mode whose norms and residual branches all do something."""
    torch.manual_seed(0)
    backbone = MODELS.build({"type": f"mmaction.{name}", **TINY, **kwargs})
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            torch.nn.init.normal_(module.running_mean, std=0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
    backbone.eval()
    return backbone


R2PLUS1D = dict(name="ResNet2Plus1d", conv_cfg=dict(type="Conv2plus1d"), inflate=(1, 1, 1, 1))
THREE = dict(
    num_stages=3,
    stage_blocks=(2, 1, 2),
    out_indices=(2,),
    spatial_strides=(1, 2, 2),
    temporal_strides=(1, 1, 2),
    dilations=(1, 1, 1),
)
ONE = dict(
    num_stages=1,
    stage_blocks=(2,),
    out_indices=(0,),
    spatial_strides=(1,),
    temporal_strides=(1,),
    dilations=(1,),
)
CASES = {
    "resnet3d": dict(),
    "without_pools": dict(with_pool1=False, with_pool2=False),
    "basic_blocks": dict(depth=18, stage_blocks=None, style="caffe"),
    "three_stages": THREE,
    "one_stage": ONE,
    "slowonly": dict(name="ResNet3dSlowOnly"),
    "r2plus1d": dict(**R2PLUS1D, depth=18, temporal_strides=(1, 2, 2, 2)),
    "r2plus1d_three_stages": {**R2PLUS1D, **THREE, "inflate": (1, 1, 1), "depth": 34},
}


def run(taps, clips, group=None):
    """All blocks over all clips, or over a few clips at a time."""
    x, aside = taps.begin(clips)
    for index in range(len(taps.blocks)):
        parts = []
        for chosen in torch.arange(len(x)).split(group or len(x)):
            read = [aside[position][chosen] for position in taps.aside_of(index)]
            parts.append(taps.block(index, x[chosen], *read))
        x = torch.cat(parts)
        assert taps.to_grid(x).shape[-1] == taps.widths[index]
        assert torch.equal(taps.from_grid(taps.to_grid(x)), x)
    return taps.finish(x, aside)


def close(ours, own):
    """Equal to 1e-5 of the largest value: kernels sum in another order for other batch sizes."""
    torch.testing.assert_close(ours, own, rtol=1e-5, atol=1e-5 * own.abs().max().item())


@pytest.mark.parametrize("height, width", [(32, 32), (40, 55)])
@pytest.mark.parametrize("case", CASES)
@torch.no_grad()
def test_equals_the_backbone_itself(case, height, width):
    backbone = resnet(**CASES[case])
    clips = torch.randn(3, 3, 8, height, width)
    taps = build_taps(backbone, None)
    (together,) = run(taps, clips)
    close(together, backbone(clips))
    assert together.shape[1] == taps.out_channels and together.std() > 0
    (grouped,) = run(taps, clips, group=2)
    close(grouped, together)
    assert len(taps.blocks) == sum(backbone.stage_blocks) and taps.unused == []


def test_grid_is_channels_last():
    taps = build_taps(resnet(), 16)
    x = torch.randn(2, 5, 4, 3, 2)
    assert torch.equal(taps.to_grid(x)[1, 3, 2, 1], x[1, :, 3, 2, 1])


def test_full_sizes():
    with torch.device("meta"):
        r50 = build_taps(MODELS.build(dict(type="mmaction.ResNet3d", depth=50)), 16)
        r34 = dict(type="mmaction.ResNet2Plus1d", depth=34, pretrained2d=False)
        r34 = build_taps(MODELS.build(dict(r34, conv_cfg=dict(type="Conv2plus1d"))), 16)
    assert r50.widths == [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3
    assert r34.widths == [64] * 3 + [128] * 4 + [256] * 6 + [512] * 3
    assert (r50.out_channels, r34.out_channels) == (2048, 512)


def test_gradients_reach_every_parameter():
    """What `unused` says: nothing in the backbone is without effect on the feature map."""
    backbone = resnet()
    (out,) = run(build_taps(backbone, None), torch.randn(1, 3, 4, 32, 32))
    out.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in backbone.parameters())


@pytest.mark.parametrize("name", ["ResNet3d", "ResNet3dSlowOnly"])
def test_refuses_what_it_would_not_follow(name):
    with pytest.raises(ValueError, match=r"out_indices=\(1, 3\).*set out_indices=\(3,\)"):
        build_taps(resnet(name, out_indices=(1, 3)), 16)
    with pytest.raises(ValueError, match="with_cp=True.*set checkpointing=True in the encoder"):
        build_taps(resnet(name, with_cp=True), 16)
