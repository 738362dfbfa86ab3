"""Representations, tuning modes and ways of training of the encoder."""

import pytest
import torch

from mmtad.models.backbones import VideoEncoder

pytest.importorskip("mmaction")


def test_snippets_see_nothing_but_themselves(vit, encoder):
    """One feature a snippet, and adapters that never look beyond it."""
    frames = torch.randn(1, 3, 64, 32, 32)
    other = frames.clone()
    other[0, :, 40] += 1
    model = encoder(representation="snippet", snippet_stride=8)
    assert model(frames).shape == (1, 16, 8)
    moved = (model(frames) - model(other)).abs().sum(1)[0] > 0
    # snippet i shows frames 8i - 4 to 8i + 11
    assert moved.tolist() == [False] * 4 + [True, True] + [False] * 2
    alone = VideoEncoder(vit(), dict(type="TIA"))
    alone.load_state_dict(model.state_dict())
    third = alone.eval()(frames[:, :, 20:36]).mean(-1)
    torch.testing.assert_close(model(frames)[..., 3], third)


def test_frames_may_stay_uint8(encoder):
    frames = torch.randint(0, 256, (2, 3, 32, 32, 32), dtype=torch.uint8)
    seen = []

    def prepare(clips):
        seen.append((clips.dtype, len(clips)))
        return (clips.float() - 100) / 50

    for clips_per_group, calls in ((None, 1), (1, 4)):
        seen.clear()
        model = encoder(clips_per_group=clips_per_group)
        with torch.no_grad():
            features = model(frames, 16, prepare=prepare)
            expected = model((frames.float() - 100) / 50, 16)
        torch.testing.assert_close(features, expected)
        assert seen == [(torch.uint8, 4 // calls)] * calls


def test_the_four_tuning_modes(encoder):
    def trained(**kwargs):
        model = encoder(train=True, **kwargs)
        names = [name for name, p in model.named_parameters() if p.requires_grad]
        kinds = {"adapter" if ".adapter." in name else "backbone" for name in names}
        return sorted(kinds)

    assert trained(adapter=False) == []
    assert trained() == ["adapter"]
    assert trained(adapter=False, frozen=False) == ["backbone"]
    assert trained(frozen=False) == ["adapter", "backbone"]


@pytest.mark.parametrize("name", ["LoRA", "LongLoRA", "BiasTuning"])
@pytest.mark.parametrize("clips_per_group", [None, 1])
def test_tuning_inside_blocks(vit, name, clips_per_group):
    """Recomputation in groups gives the plain run's gradients for these too."""
    frames = torch.randn(2, 3, 48, 32, 32)
    found = []
    for switches in ({}, dict(checkpointing=True, clips_per_group=clips_per_group)):
        torch.manual_seed(0)
        model = VideoEncoder(vit(), dict(type=name), **switches).train()
        for key, parameter in model.named_parameters():
            if "up_proj" in key:
                torch.nn.init.normal_(parameter, std=0.2)
        model(frames).square().sum().backward()
        found.append({k: p.grad for k, p in model.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys() and found[0]
    for key, gradient in found[0].items():
        scale = gradient.abs().max().item()
        torch.testing.assert_close(found[1][key], gradient, rtol=1e-4, atol=1e-4 * scale)


def test_exchange_between_clips_needs_clips(vit):
    for kwargs in (dict(representation="snippet"),):
        with pytest.raises(ValueError, match="LongLoRA exchanges between the clips of a video"):
            VideoEncoder(vit(), dict(type="LongLoRA"), **kwargs)


def test_stages_frozen_by_the_backbone_are_refused():
    swin = dict(
        type="mmaction.SwinTransformer3D",
        arch=dict(embed_dims=8, depths=[1, 1], num_heads=[1, 1]),
        pretrained2d=False,
        out_indices=(1,),
        frozen_stages=1,
    )
    with pytest.raises(ValueError, match="frozen_stages of a backbone would freeze its adapters"):
        VideoEncoder(swin, dict(type="TIA"), clip_frames=None)


def test_init_weights_leaves_spatial_kernels_alone():
    """A convolutional backbone initialises every convolution below it, adapters' too."""
    torch.manual_seed(0)
    backbone = dict(
        type="mmaction.ResNet3d", depth=18, pretrained=None, pretrained2d=False, base_channels=32
    )
    model = VideoEncoder(backbone, dict(type="TIA", kernel_size=(3, 3, 3)), clip_frames=None)
    model.init_weights()
    deviation = torch.cat([a.dwconv.weight.flatten() for a in model.adapters]).std().item()
    assert deviation == pytest.approx((2 / 27) ** 0.5, rel=0.1)
