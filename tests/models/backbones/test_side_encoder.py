"""Side placement: weight for weight the public code, and no gradient into the backbone."""

import pytest
import torch

from mmtad.checkpoints import convert, load_report
from mmtad.models.backbones import SideVideoEncoder
from mmtad.models.backbones.pooling import join_streams, spatial_mean

pytest.importorskip("mmaction")

SWITCHES = [
    dict(),
    dict(checkpointing=True),
    dict(checkpointing=True, clips_per_group=1),
    dict(clips_per_group=2, offload=True),
]


def by_definition(model):
    """Encode through the feature maps, with every graph kept."""

    def encode(frames, length):
        streams = [spatial_mean(m) for m in model.feature_maps(frames)]
        return join_streams(streams, len(frames), length, model.snippet_stride is not None)

    return encode


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
@pytest.mark.parametrize(
    "variant",
    [
        dict(),
        dict(adapter="PlainAdapter"),
        dict(adapter=dict(type="TIA", reduction=8, kernel_size=5)),
        dict(adapter=dict(type="TIA", kernel_size=(3, 3, 3))),
        dict(adapter_indices=[0, 3]),
        dict(representation="snippet", snippet_stride=8),
    ],
    ids=str,
)
def test_equals_the_definition(tiny, variant, switches):
    frames = torch.randn(2, 3, 64, 32, 48)
    plain = tiny.encoder("SideVideoEncoder", **variant)
    features, expected = tiny.gradients(plain, frames, encode=by_definition(plain))
    model = tiny.encoder("SideVideoEncoder", **variant, **switches)
    ours, found = tiny.gradients(model, frames)
    torch.testing.assert_close(ours, features, rtol=1e-5, atol=1e-5)
    assert found.keys() == expected.keys() and all(".adapter." in key for key in found)
    for key, gradient in expected.items():
        scale = gradient.abs().max().item()
        torch.testing.assert_close(found[key], gradient, rtol=1e-4, atol=1e-4 * scale, msg=key)


SLOWFAST = dict(
    type="mmaction.ResNet3dSlowFast",
    slow_pathway=dict(
        type="resnet3d",
        depth=50,
        pretrained=None,
        lateral=True,
        base_channels=16,
        conv1_kernel=(1, 7, 7),
        conv1_stride_t=1,
        pool1_stride_t=1,
        inflate=(0, 0, 1, 1),
    ),
    fast_pathway=dict(
        type="resnet3d",
        depth=50,
        pretrained=None,
        lateral=False,
        base_channels=2,
        conv1_kernel=(5, 7, 7),
        conv1_stride_t=1,
        pool1_stride_t=1,
    ),
)
SWIN = dict(
    type="mmaction.SwinTransformer3D",
    arch=dict(embed_dims=8, depths=[1, 1, 2, 1], num_heads=[1, 1, 2, 2]),
    pretrained2d=False,
    window_size=(4, 2, 2),
)
R2PLUS1D = dict(
    type="mmaction.ResNet2Plus1d",
    depth=18,
    pretrained=None,
    pretrained2d=False,
    conv_cfg=dict(type="Conv2plus1d"),
    base_channels=8,
    conv1_kernel=(3, 7, 7),
    conv1_stride_t=1,
    pool1_stride_t=1,
    inflate=(1, 1, 1, 1),
    temporal_strides=(1, 2, 2, 2),
)


@pytest.mark.parametrize("clip_frames", [None, 16])
@pytest.mark.parametrize("backbone", [SLOWFAST, SWIN, R2PLUS1D], ids=lambda b: b["type"])
def test_widths_and_grids_that_change(tiny, backbone, clip_frames):
    """Ours to define: projected to the last width, averaged over space, resized in time."""
    frames = torch.randn(1, 3, 32, 64, 64)
    plain = tiny.encoder("SideVideoEncoder", backbone=backbone, clip_frames=clip_frames)
    assert {a.up_proj.out_features for a in plain.adapters} == {plain.taps.widths[-1]}
    features, expected = tiny.gradients(plain, frames, encode=by_definition(plain))
    model = tiny.encoder(
        "SideVideoEncoder",
        backbone=backbone,
        clip_frames=clip_frames,
        checkpointing=True,
        clips_per_group=1,
    )
    ours, found = tiny.gradients(model, frames)
    scale = features.abs().max().item()
    torch.testing.assert_close(ours, features, rtol=1e-4, atol=1e-5 * scale)
    assert tiny.cosine(found, expected) > 1 - 1e-6


@pytest.fixture(scope="module")
def ladder(golden):
    state, io, case = golden("adatad_vit_ladder")
    config = dict(case["config"]["backbone"], type="mmaction.VisionTransformer")
    indices = config.pop("adapter_index")
    reduction = 1 / config.pop("adapter_mlp_ratio")
    for key in ("return_feat_map", "with_cp", "total_frames"):
        config.pop(key)
    weights = convert(state, "opentad_vit")

    def build(**switches):
        model = SideVideoEncoder(config, dict(type="TIA", reduction=reduction), indices, **switches)
        report = load_report(model.backbone, weights)
        assert report.ratio == 1 and not report.unexpected
        return model

    preprocess = case["config"]["data_preprocessor"]
    mean, std = (torch.tensor(preprocess[k]).view(3, 1, 1, 1) for k in ("mean", "std"))

    def frames(size, dtype=torch.float32):
        return ((io[size]["frames_uint8"][:, 0].to(dtype) - mean) / std).to(dtype)

    return build, frames, io


@pytest.mark.parametrize("size", ["native", "other"])
def test_golden_outputs(ladder, size):
    build, frames, io = ladder
    model, expected = build().eval(), io[size]
    (feature_map,) = model.feature_maps(frames(size))
    torch.testing.assert_close(feature_map, expected["feat_map"], rtol=1e-5, atol=1e-5)
    features = model(frames(size), 64)
    torch.testing.assert_close(features, expected["wrapper_out"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_golden_gradients(ladder, switches):
    build, frames, io = ladder
    model, expected = build(**switches).train(), io["grad"]
    out = model(frames("native"), 64)
    torch.testing.assert_close(out, expected["train_out"], rtol=1e-5, atol=1e-5)
    out.backward(expected["grad_out"])
    ours = {k: p.grad for k, p in model.named_parameters() if p.grad is not None}
    assert len(ours) == len(expected["grads"])
    taps = model.adapted
    for key, gradient in expected["grads"].items():
        _, _, i, name = key.split(".", 3)
        scale = max(1.0, gradient.abs().max().item())
        own = ours[f"backbone.blocks.{taps[int(i)]}.adapter.{name}"]
        torch.testing.assert_close(own, gradient, rtol=1e-5, atol=1e-5 * scale)


def test_starts_as_the_frozen_backbone(tiny):
    frames = torch.randn(1, 3, 32, 32, 32)
    fresh = SideVideoEncoder(tiny.vit(), dict(type="TIA")).train()
    frozen = SideVideoEncoder(tiny.vit())
    frozen.load_state_dict(fresh.state_dict(), strict=False)
    assert torch.equal(fresh(frames, 20), frozen.train()(frames, 20))
    assert not frozen(frames).requires_grad


def test_backward_never_enters_the_backbone(tiny):
    """No gradient, no graph, and of the backbone nothing saved but the taps, or one input."""
    frames = torch.randn(1, 3, 64, 32, 32, requires_grad=True)
    stream = 4 * 8 * 2 * 2 * 16
    for checkpointing, kept in ((False, 2), (True, 1)):
        model = tiny.encoder("SideVideoEncoder", checkpointing=checkpointing)
        graphs, sizes = [], []
        for block in model.backbone.blocks:
            block.register_forward_hook(lambda m, i, out, g=graphs: g.append(out.requires_grad))
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, sizes=sizes: sizes.append(t.numel()) or t, lambda t: t
        ):
            features = model(frames)
        features.square().sum().backward()
        assert not any(graphs)
        assert [size for size in sizes if size >= stream] == [stream] * kept
        # everything else is a pooled sequence of 32 steps, a weight or a bias
        assert max(size for size in sizes if size < stream) <= 32 * 16
        assert frames.grad is None
        with_gradient = {name for name, p in model.named_parameters() if p.grad is not None}
        assert with_gradient == {n for n, _ in model.named_parameters() if ".adapter." in n}
        assert not any(m.training for m in model.backbone.blocks[0].modules())


def test_last_half_by_default(tiny):
    assert tiny.encoder("SideVideoEncoder").adapted == [2, 3]
    assert tiny.encoder("SideVideoEncoder", backbone=dict(depth=5)).adapted == [2, 3, 4]
    assert all(not a.residual for a in tiny.encoder("SideVideoEncoder").adapters)


def test_bad_arguments(tiny):
    with pytest.raises(ValueError, match=r"adapter_indices=\[0, 1\] must hold 3"):
        tiny.encoder("SideVideoEncoder", adapter_indices=[0, 1])
    with pytest.raises(ValueError, match="holds 9, but the backbone has 4 blocks; use 0 to 3"):
        tiny.encoder("SideVideoEncoder", adapter_indices=[3, 9])
    with pytest.raises(ValueError, match="keeps gradients out of the backbone: use frozen=True"):
        tiny.encoder("SideVideoEncoder", frozen=False)
    with pytest.raises(ValueError, match="side placement has no checkpoint_every"):
        tiny.encoder("SideVideoEncoder", checkpointing=True, checkpoint_every=2)
    with pytest.raises(
        ValueError, match="LoRA does not work beside a backbone; side placement takes"
    ):
        tiny.encoder("SideVideoEncoder", adapter="LoRA")
