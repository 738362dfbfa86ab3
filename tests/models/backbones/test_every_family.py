"""Recomputation gives every family of backbones the gradients of a plain run."""

import pytest
import torch
from torch import nn

from mmtad.registry import MODELS

SWIN = dict(
    type="mmaction.SwinTransformer3D",
    arch=dict(embed_dims=12, depths=[1, 2, 1], num_heads=[1, 2, 4]),
    patch_size=(2, 4, 4),
    window_size=(4, 2, 2),
    drop_path_rate=0.0,
    out_indices=(2,),
    pretrained2d=False,
)
SLOWONLY = dict(
    type="mmaction.ResNet3dSlowOnly",
    depth=18,
    base_channels=8,
    pretrained=None,
    pretrained2d=False,
    conv1_kernel=(1, 7, 7),
    inflate=(0, 0, 1, 1),
    norm_eval=True,
)
FAMILIES = dict(swin=SWIN, slowonly=SLOWONLY)
FULL = dict(frozen=False, adapter=None)


def check(tiny, ways, backbone, frames, **switches):
    arguments = dict(backbone=backbone, clip_frames=16, **ways)
    features, expected = tiny.gradients(tiny.encoder(**arguments).double(), frames)
    recomputed = tiny.encoder(checkpointing=True, **arguments, **switches).double()
    again, found = tiny.gradients(recomputed, frames)
    torch.testing.assert_close(again, features)
    assert found.keys() == expected.keys() and found
    for key, gradient in expected.items():
        torch.testing.assert_close(found[key], gradient, rtol=1e-6, atol=1e-9, msg=key)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("ways", [FULL, dict(), dict(frozen=False)], ids=["full", "tia", "both"])
@pytest.mark.parametrize("switches", [dict(), dict(clips_per_group=2, checkpoint_every=3)], ids=str)
def test_equals_the_plain_run(tiny, family, ways, switches):
    """All that is trained gets its gradient, also what lies between two stages."""
    frames = torch.randn(1, 3, 48, 32, 32, dtype=torch.float64)
    check(tiny, ways, FAMILIES[family], frames, **switches)


def test_layer_scale_and_tuned_biases(tiny):
    frames = torch.randn(1, 3, 48, 32, 32, dtype=torch.float64)
    scaled = tiny.vit(init_values=0.5)
    for ways in (FULL, dict(), dict(adapter="BiasTuning")):
        check(tiny, ways, scaled, frames, clips_per_group=2)


def test_a_block_of_another_order_is_recomputed_whole(tiny):
    """A norm after the MLP needs the MLP's values."""
    from mmaction.models.backbones.vit_mae import Block

    class PostNorm(Block):
        def forward(self, x):
            x = x + self.norm1(self.attn(x))
            return x + self.norm2(self.mlp(x))

    frames = torch.randn(1, 3, 32, 32, 32)
    found = []
    for switches in (dict(), dict(checkpointing=True)):
        model = tiny.encoder(**switches)
        for block in model.taps.blocks:
            block.__class__ = PostNorm
        found.append(tiny.gradients(model, frames)[1])
    assert tiny.cosine(*found) > 0.99999


def test_hooks_never_see_zeros(tiny):
    model = tiny.encoder(checkpointing=True)
    seen = []
    model.taps.blocks[2].mlp.register_forward_hook(lambda m, i, out: seen.append(out.detach()))
    model(torch.randn(1, 3, 32, 32, 32)).sum().backward()
    assert len(seen) == 2
    torch.testing.assert_close(*seen)


@MODELS.register_module()
class SlidingMean(nn.Module):
    """An adapter of one's own that says nothing about its reach."""

    def __init__(self, embed_dims):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(embed_dims))

    def forward(self, x):
        return x + self.gamma * x.cumsum(dim=1)


def test_an_adapter_that_does_not_say_how_far_it_looks_sees_whole_videos(tiny):
    frames = torch.randn(2, 3, 48, 32, 32, dtype=torch.float64)
    check(tiny, dict(adapter="SlidingMean"), tiny.vit(), frames, clips_per_group=1)


def test_batch_norm_that_trains_is_not_recomputed(tiny):
    backbone = dict(SLOWONLY, norm_eval=False)
    with pytest.raises(ValueError, match="would count the statistics of .* twice; set norm_eval"):
        tiny.encoder(backbone=backbone, **FULL, checkpointing=True)
    tiny.encoder(backbone=backbone, **FULL, checkpointing=True, train=False)


@pytest.mark.parametrize("amp", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("stream", ["float16", "bfloat16"])
@pytest.mark.parametrize("frozen", ["float16", "bfloat16"])
@pytest.mark.parametrize("kind", ["VideoEncoder", "SideVideoEncoder"])
def test_any_two_half_precisions_go_together(tiny, amp, stream, frozen, kind):
    frames = torch.randn(2, 3, 32, 32, 32)
    _, expected = tiny.gradients(tiny.encoder(kind), frames)
    switches = dict(stream_dtype=stream, frozen_dtype=frozen, checkpointing=True)
    model = tiny.encoder(kind, clips_per_group=1, **switches)
    with torch.autocast("cpu", dtype=amp):
        _, found = tiny.gradients(model, frames)
    assert tiny.cosine(found, expected) > 0.998


def test_half_weights_alone_do_not_lose_small_gradients(tiny):
    """Without mixed precision nobody scales the loss: float16 is for storage only."""
    frames = torch.randn(1, 3, 32, 32, 32)
    found = []
    for switches in (dict(), dict(frozen_dtype="float16")):
        model = tiny.encoder(**switches)
        (model(frames).float().sum() * 1e-7).backward()
        found.append({k: p.grad for k, p in model.named_parameters() if p.grad is not None})
    assert tiny.cosine(found[1], found[0]) > 0.999


def test_only_layers_are_halved(tiny):
    model = tiny.encoder(backbone=SWIN, frozen_dtype="float16")
    table = model.backbone.layers[0].blocks[0].attn.relative_position_bias_table
    assert table.dtype is torch.float32
    assert model.backbone.layers[0].blocks[0].mlp.fc1.weight.dtype is torch.float16


def test_side_placement_keeps_nothing_without_gradients(tiny, monkeypatch):
    model = tiny.encoder("SideVideoEncoder", clips_per_group=1)
    alive = []
    original = type(model).run_blocks

    def run_blocks(self, *args, **kwargs):
        for adapter, out in original(self, *args, **kwargs):
            alive.append(torch.multiprocessing.reductions.StorageWeakRef(out.untyped_storage()))
            yield adapter, out

    monkeypatch.setattr(type(model), "run_blocks", run_blocks)
    with torch.no_grad():
        model(torch.randn(1, 3, 48, 32, 32))
    assert all(ref.expired() for ref in alive)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(clip_frames=0), "clip_frames must be at least 1, got 0"),
        (
            dict(adapter_indices=[]),
            r"adapter_indices=\[\] leaves no block to adapt; set adapter=None",
        ),
        (dict(adapter_indices=2), "adapter_indices=2 must be a list of numbers of blocks"),
        (dict(adapter_indices=[1], adapter=None), "has no adapter to place; set adapter"),
        (dict(adapter=dict(reduction=2)), "lacks its type"),
        (dict(adapter=dict(type="TIA", dilation=0)), "dilation=0 must be at least 1"),
        (dict(backbone=dict(type="mmaction.C3D", img_size=3)), "C3D has no taps.*VisionTransf"),
    ],
)
def test_bad_arguments(tiny, arguments, message):
    with pytest.raises(ValueError, match=message):
        tiny.encoder(**arguments)


def test_frames_of_another_rank(tiny):
    with pytest.raises(ValueError, match=r"frames are \[B, 3, T, H, W\], got a shape of \(3, 16"):
        tiny.encoder()(torch.randn(3, 16, 32, 32))
