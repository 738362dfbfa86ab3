import copy

import numpy as np
import pytest
import torch
from torch._subclasses import FakeTensorMode

from mmtad.models.backbones import build_taps
from mmtad.registry import MODELS

pytest.importorskip("mmaction")


def swin(arch=None, **kwargs):
    """A small backbone in eval mode; position biases start at random already."""
    torch.manual_seed(0)
    arch = arch or dict(embed_dims=8, depths=[2, 2, 3, 2], num_heads=[1, 2, 2, 4])
    kwargs = {"window_size": (4, 3, 3), "pretrained2d": False, **kwargs}
    backbone = MODELS.build(dict(type="mmaction.SwinTransformer3D", arch=arch, **kwargs))
    for block in (block for layer in backbone.layers for block in layer.blocks):
        torch.nn.init.normal_(block.attn.relative_position_bias_table)
    backbone.eval()
    return backbone


def run(taps, clips, group=None):
    """All blocks over all clips, or over a few clips at a time."""
    x, aside = taps.begin(clips)
    for index in range(len(taps.blocks)):
        parts = [taps.block(index, part) for part in x.split(group or len(x))]
        x = torch.cat(parts)
        assert taps.to_grid(x).shape[-1] == taps.widths[index]
        assert torch.equal(taps.from_grid(taps.to_grid(x)), x)
        assert taps.aside_of(index) == ()
    return taps.finish(x, aside)


def close(ours, own):
    """Equal to 1e-5 of the largest value: kernels sum in another order for other batch sizes."""
    torch.testing.assert_close(ours, own, rtol=1e-5, atol=1e-5 * own.abs().max().item())


@pytest.mark.parametrize("frames", [16, 7, 4])
@pytest.mark.parametrize("height, width", [(64, 64), (40, 55), (96, 32)])
@torch.no_grad()
def test_equals_the_backbone_itself(frames, height, width):
    backbone = swin()
    clips = torch.randn(3, 3, frames, height, width)
    own = copy.deepcopy(backbone)(clips)
    taps = build_taps(backbone, None)
    (together,) = run(taps, clips)
    close(together, own)
    close(backbone(clips), own)
    (grouped,) = run(taps, clips, group=2)
    close(grouped, together)
    assert together.shape[1] == taps.out_channels == 64
    assert taps.widths == [8] * 2 + [16] * 2 + [32] * 3 + [64] * 2 and taps.unused == []


@torch.no_grad()
def test_a_long_clip():
    """A whole video as one clip, with the windows that are used in practice."""
    arch = dict(embed_dims=4, depths=[2, 2], num_heads=[1, 1])
    backbone = swin(arch, window_size=(8, 7, 7), out_indices=(1,))
    clips = torch.randn(1, 3, 768, 40, 32)
    own = backbone(clips)
    (out,) = run(build_taps(backbone, None), clips)
    assert out.shape == (1, 8, 384, 5, 4)
    close(out, own)


@torch.no_grad()
def test_nothing_of_fake_tensors_stays():
    """A rehearsal on fake tensors and a real run leave nothing behind for each other."""
    backbone = swin()
    clips = torch.randn(1, 3, 16, 48, 48)
    taps = build_taps(backbone, None)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        (fake,) = run_without_checks(taps, mode.from_tensor(clips))
    assert type(fake).__name__ == "FakeTensor"
    (real,) = run(taps, clips)
    close(real, backbone(clips))
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        (fake,) = run_without_checks(taps, mode.from_tensor(clips))
    assert type(fake).__name__ == "FakeTensor" and fake.shape == real.shape


def run_without_checks(taps, clips):
    x, aside = taps.begin(clips)
    for index in range(len(taps.blocks)):
        x = taps.block(index, x)
    return taps.finish(x, aside)


@torch.no_grad()
def test_mask_follows_the_dtype():
    """Weights and tokens in half precision meet no full-precision bias or mask."""
    backbone = swin().to(torch.bfloat16)
    (out,) = run(build_taps(backbone, None), torch.randn(1, 3, 8, 48, 48, dtype=torch.bfloat16))
    assert out.dtype == torch.bfloat16 and out.isfinite().all()


@pytest.mark.parametrize(
    "arch, embed_dims, depth",
    [("tiny", 96, 6), ("small", 96, 18), ("base", 128, 18), ("large", 192, 18)],
)
def test_full_sizes(arch, embed_dims, depth, monkeypatch):
    taps = build_taps(meta_swin(arch, monkeypatch), 32)
    doubling = [2, 2, depth, 2]
    expected = [embed_dims << stage for stage in range(4) for _ in range(doubling[stage])]
    assert taps.widths == expected and taps.out_channels == 8 * embed_dims


def test_adapters_have_the_published_size(monkeypatch):
    """3.9 M in `AdaTAD <https://arxiv.org/abs/2311.17241>`_, table 2."""
    taps = build_taps(meta_swin("base", monkeypatch), None)
    with torch.device("meta"):
        adapters = [MODELS.build(dict(type="TIA", embed_dims=width)) for width in taps.widths]
    count = sum(p.numel() for adapter in adapters for p in adapter.parameters())
    assert (len(adapters), count) == (24, 3_956_120)


def meta_swin(arch, monkeypatch):
    """A backbone without memory; its drop-path rates need numbers all the same."""
    monkeypatch.setattr(torch, "linspace", np.linspace)
    with torch.device("meta"):
        config = dict(type="mmaction.SwinTransformer3D", arch=arch, pretrained2d=False)
        return MODELS.build(config)


def test_gradients_reach_every_parameter():
    """What `unused` says: nothing in the backbone is without effect on the feature map."""
    backbone = swin(drop_path_rate=0.0)
    (out,) = run(build_taps(backbone, None), torch.randn(1, 3, 16, 48, 48))
    (out * torch.randn_like(out)).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in backbone.parameters())


@pytest.mark.parametrize(
    "kwargs, message",
    [
        (dict(out_indices=(2, 3)), r"out_indices=\(2, 3\).*set out_indices=\(3,\)"),
        (dict(out_after_downsample=True), "out_after_downsample=True.*leave it out"),
        (dict(with_cp=True), "with_cp=True.*set checkpointing=True in the encoder"),
        (dict(pretrained2d=True), "there are none; set pretrained2d=False"),
    ],
)
def test_refuses_what_it_would_not_follow(kwargs, message):
    with pytest.raises(ValueError, match=message):
        build_taps(swin(**kwargs), None)
