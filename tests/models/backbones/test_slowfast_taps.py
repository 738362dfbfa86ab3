import zlib

import pytest
import torch

from mmtad.checkpoints import convert, load_report, load_weights
from mmtad.models.backbones import build_taps
from mmtad.registry import MODELS

pytest.importorskip("mmaction")


def slowfast(depth=50, base=16, slow=None, fast=None, **kwargs):
    """A small SlowFast in eval mode whose norms do something."""
    torch.manual_seed(0)
    tiny = dict(type="resnet3d", depth=depth, stage_blocks=(2, 1, 3, 1))
    slow = dict(lateral=True, conv1_kernel=(1, 7, 7), inflate=(0, 0, 1, 1)) | (slow or {})
    fast = dict(lateral=False, conv1_kernel=(5, 7, 7)) | (fast or {})
    backbone = MODELS.build(
        dict(
            type="mmaction.ResNet3dSlowFast",
            slow_pathway=dict(tiny, base_channels=base, **slow),
            fast_pathway=dict(tiny, base_channels=base // 8, **fast),
            **kwargs,
        )
    )
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            torch.nn.init.normal_(module.running_mean, std=0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
    backbone.eval()
    return backbone


def full_size(depth):
    paths = {
        name: dict(type="resnet3d", depth=depth, pretrained=None, **kwargs)
        for name, kwargs in dict(
            slow_pathway=dict(lateral=True, conv1_kernel=(1, 7, 7), inflate=(0, 0, 1, 1)),
            fast_pathway=dict(lateral=False, base_channels=8, conv1_kernel=(5, 7, 7)),
        ).items()
    }
    with torch.device("meta"):
        return MODELS.build(dict(type="mmaction.ResNet3dSlowFast", **paths))


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


@pytest.mark.parametrize(
    "kwargs",
    [
        dict(),
        dict(resample_rate=4, speed_ratio=4),
        dict(resample_rate=6, speed_ratio=3),
        dict(slow=dict(lateral=False)),
        dict(slow=dict(lateral_norm=True)),
        dict(depth=18),
    ],
    ids=["r8", "r4", "fast_at_half_rate", "no_lateral", "lateral_norm", "basic_blocks"],
)
@torch.no_grad()
def test_equals_the_backbone_itself(kwargs):
    backbone = slowfast(**kwargs)
    rate = backbone.resample_rate
    clips = torch.randn(3, 3, 2 * rate, 40, 55)
    taps = build_taps(backbone, None)
    together = run(taps, clips)
    for ours, own in zip(together, backbone(clips), strict=True):
        close(ours, own)
    slow, fast = together
    assert slow.shape[2] == 2 and fast.shape[2] == 2 * backbone.speed_ratio
    assert slow.shape[1] + fast.shape[1] == taps.out_channels
    for ours, own in zip(run(taps, clips, group=1), together, strict=True):
        close(ours, own)


def test_first_blocks_of_later_stages_read_the_lateral_inputs():
    taps = build_taps(full_size(50), None)
    read = {index: taps.aside_of(index) for index in range(16) if taps.aside_of(index)}
    assert read == {3: (0,), 7: (1,), 13: (2,)}
    alone = build_taps(slowfast(slow=dict(lateral=False)), None)
    assert not any(alone.aside_of(index) for index in range(len(alone.blocks)))


@pytest.mark.parametrize("depth, blocks", [(50, 6), (101, 23)])
def test_blocks_are_those_of_the_slow_pathway(depth, blocks):
    taps = build_taps(full_size(depth), 32)
    assert taps.widths == [256] * 3 + [512] * 4 + [1024] * blocks + [2048] * 3
    assert taps.out_channels == 2048 + 256 and taps.unused == []


def test_adapters_have_the_published_size():
    """11.4 M in `AdaTAD <https://arxiv.org/abs/2311.17241>`_, table 2."""
    taps = build_taps(full_size(50), None)
    with torch.device("meta"):
        adapters = [MODELS.build(dict(type="TIA", embed_dims=width)) for width in taps.widths]
    count = sum(p.numel() for adapter in adapters for p in adapter.parameters())
    assert (len(adapters), count) == (16, 11_355_024)


def test_gradients_reach_every_parameter():
    """What `unused` says: nothing in the backbone is without effect on the feature maps."""
    backbone = slowfast()
    maps = run(build_taps(backbone, None), torch.randn(1, 3, 16, 32, 32))
    sum(out.square().sum() for out in maps).backward()
    assert all(p.grad is not None and p.grad.any() for p in backbone.parameters())


def test_refuses_what_it_would_not_follow():
    taps = build_taps(slowfast(), 12)
    with pytest.raises(ValueError, match="12 frames cannot.*resample_rate=8.*a multiple of 8"):
        taps.begin(torch.zeros(1, 3, 12, 32, 32))
    with pytest.raises(ValueError, match="resample_rate=4 is no multiple of speed_ratio=8"):
        build_taps(slowfast(resample_rate=4), None)
    for path in ("slow", "fast"):
        with pytest.raises(ValueError, match="with_cp=True.*set checkpointing=True in the encoder"):
            build_taps(slowfast(**{path: dict(with_cp=True)}), None)


def recipe(state, seed):
    """The weights of the golden case, made from their names and shapes."""
    weights = {}
    for key, old in state.items():
        generator = torch.Generator().manual_seed((zlib.crc32(key.encode()) + seed) & 0x7FFFFFFF)
        r = torch.randn(old.shape, generator=generator)
        if key.endswith("num_batches_tracked"):
            r = torch.zeros_like(old)
        elif key.endswith("running_var"):
            r = 2.5 + 0.5 * r.abs()
        elif r.dim() >= 2:
            r = r * ((2 if r.dim() > 2 else 1) / r[0].numel()) ** 0.5
        elif key.endswith(".weight"):
            r = 0.7 + 0.1 * r
        else:
            r = 0.1 * r
        weights[key] = r
    return weights


@pytest.fixture(scope="module")
def published(golden):
    """Outputs and config of the golden case, and its weights as a recogniser stores them."""
    _, io, case = golden("slowfast50_mmaction2")
    weights = recipe(MODELS.build(case["config"]).state_dict(), case["SEED"])
    total = sum(value.abs().double().sum() for value in weights.values()).item()
    assert total == pytest.approx(io["r8"]["weights_abs_sum"], rel=1e-9)
    stored = {f"backbone.{key}": value for key, value in weights.items()}
    stored |= {
        "cls_head.fc_cls.weight": torch.zeros(4, 2304),
        "cls_head.fc_cls.bias": torch.zeros(4),
    }
    return io, case, stored


@pytest.mark.parametrize("variant, rate", [("r8", 8), ("r4", 4)])
@torch.no_grad()
def test_golden(published, variant, rate, tmp_path):
    """Values are of the order of one, so 1e-5 is absolute and relative at once."""
    io, case, stored = published
    backbone = MODELS.build(dict(case["config"], resample_rate=rate, speed_ratio=rate))
    if variant == "r8":
        file = tmp_path / "recogniser.pth"
        torch.save({"state_dict": stored, "meta": {}}, file)
        report = load_weights(backbone, str(file), source="mmaction_recognizer")
    else:
        report = load_report(backbone, convert(stored, "mmaction_recognizer"))
    assert report.ratio == 1
    assert set(report.unexpected) == {"cls_head.fc_cls.weight", "cls_head.fc_cls.bias"}
    backbone.eval()
    generator = torch.Generator().manual_seed(case["SEED"] + 1)
    clips = torch.randn(1, 3, 32, 64, 64, generator=generator)
    slow, fast = run(build_taps(backbone, None), clips)
    torch.testing.assert_close(slow, io[variant]["slow"], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(fast, io[variant]["fast"], rtol=1e-5, atol=1e-5)
