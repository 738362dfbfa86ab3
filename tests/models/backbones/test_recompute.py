"""Every switch that saves memory: the same features and the same gradients."""

import pytest
import torch

SWITCHES = [
    dict(checkpointing=True),
    dict(checkpointing=True, clips_per_group=1),
    dict(checkpointing=True, clips_per_group=2, checkpoint_every=3),
    dict(checkpointing=True, clips_per_group=6, checkpoint_every=2, offload=True),
]
VARIANTS = [
    dict(),
    dict(adapter="PlainAdapter"),
    dict(adapter=dict(type="TIA", kernel_size=5, dilation=2)),
    dict(adapter=dict(type="TIA", kernel_size=21)),
    dict(adapter=dict(type="TIA", kernel_size=(3, 3, 3))),
    dict(adapter_indices=[1, 3]),
    dict(frozen=False),
    dict(frozen=False, adapter=None),
    dict(representation="snippet", snippet_stride=8),
]


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_equals_the_plain_run(tiny, variant, switches):
    frames = torch.randn(2, 3, 64, 32, 32)
    features, expected = tiny.gradients(tiny.encoder(**variant), frames)
    ours, found = tiny.gradients(tiny.encoder(**variant, **switches), frames)
    torch.testing.assert_close(ours, features, rtol=1e-5, atol=1e-5)
    assert found.keys() == expected.keys() and found
    for key, gradient in expected.items():
        scale = gradient.abs().max().item()
        torch.testing.assert_close(found[key], gradient, rtol=1e-4, atol=1e-4 * scale, msg=key)


@pytest.mark.parametrize("variant", [dict(), dict(frozen=False)], ids=str)
@pytest.mark.parametrize("every", [1, 2])
def test_drop_path_draws_the_same_numbers_again(tiny, variant, every):
    """The whole batch in one group: bit for bit, with everything that draws."""
    frames = torch.randn(2, 3, 32, 32, 32)
    backbone = dict(drop_path_rate=0.4, drop_rate=0.2)
    plain = tiny.encoder(**variant, backbone=backbone)
    ours = tiny.encoder(**variant, backbone=backbone, checkpointing=True, checkpoint_every=every)
    features, expected = tiny.gradients(plain, frames)
    again, found = tiny.gradients(ours, frames)
    assert torch.equal(features, again)
    for key, gradient in expected.items():
        torch.testing.assert_close(found[key], gradient, rtol=1e-4, atol=1e-4)


def test_drop_path_in_groups_is_consistent(tiny):
    """In groups the numbers are others, but forward and backward agree: finite differences."""
    model = tiny.encoder(
        backbone=dict(drop_path_rate=0.5), checkpointing=True, clips_per_group=1
    ).double()
    model.backbone.pos_embed = model.backbone.pos_embed.double()
    frames = torch.randn(1, 3, 64, 32, 32, dtype=torch.float64)

    def loss():
        torch.manual_seed(5)
        return model(frames).square().sum()

    loss().backward()
    parameter = model.adapters[1].gamma
    with torch.no_grad():
        values = []
        for step in (1e-5, -2e-5):
            parameter += step
            values.append(loss().item())
    assert parameter.grad.item() == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-5)


HALF = [
    dict(stream_dtype="bfloat16", checkpointing=True),
    dict(frozen_dtype="bfloat16"),
    dict(frozen_dtype="bfloat16", stream_dtype="bfloat16", checkpointing=True, clips_per_group=2),
    dict(frozen_dtype="float16", stream_dtype="float16", checkpointing=True, clips_per_group=2),
]


@pytest.mark.parametrize("kind", ["VideoEncoder", "SideVideoEncoder"])
@pytest.mark.parametrize("switches", HALF, ids=str)
@pytest.mark.parametrize("amp", [False, True])
def test_half_precision_keeps_the_direction_of_gradients(tiny, kind, switches, amp):
    frames = torch.randn(1, 3, 64, 32, 32)
    backbone = dict(embed_dims=48, depth=6, num_heads=3)
    _, expected = tiny.gradients(tiny.encoder(kind, backbone=backbone), frames)
    model = tiny.encoder(kind, backbone=backbone, **switches)
    assert all(p.dtype is torch.float32 for a in model.adapters for p in a.parameters())
    dtype = torch.float16 if "float16" in switches.values() else torch.bfloat16
    with torch.autocast("cpu", dtype=dtype, enabled=amp):
        features, found = tiny.gradients(model, frames)
    assert features.dtype is torch.float32
    assert tiny.cosine(found, expected) > 0.999


def test_frozen_weights_are_stored_in_half(tiny):
    model = tiny.encoder(frozen_dtype="bfloat16")
    kinds = {(p.requires_grad, p.dim() > 1): p.dtype for p in model.parameters()}
    assert kinds == {
        (False, True): torch.bfloat16,
        (False, False): torch.float32,
        (True, True): torch.float32,
        (True, False): torch.float32,
    }


@pytest.mark.parametrize("training", [True, False])
def test_groups_without_a_graph(tiny, training):
    """Evaluation, and blocks below the first adapter, go in groups too."""
    frames = torch.randn(2, 3, 64, 32, 32)
    model = tiny.encoder(adapter_indices=[2], clips_per_group=1, train=training)
    plain = tiny.encoder(adapter_indices=[2], train=training)
    seen = []
    model.backbone.blocks[0].register_forward_hook(lambda m, i, out: seen.append(len(out)))
    with torch.set_grad_enabled(training):
        torch.testing.assert_close(model(frames), plain(frames), rtol=1e-5, atol=1e-5)
    assert seen == [1] * 8


def test_nothing_but_inputs_is_saved(tiny):
    """What the graph keeps: one activation per block, or one per n blocks."""
    frames = torch.randn(1, 3, 64, 32, 32)
    for every, expected in ((1, 4), (2, 2), (3, 2)):
        model = tiny.encoder(checkpointing=True, clips_per_group=2, checkpoint_every=every)
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, sizes=sizes: sizes.append(t.numel()) or t, lambda t: t
        ):
            model(frames)
        stream = 4 * 8 * 2 * 2 * 16
        assert [size for size in sizes if size >= stream] == [stream] * expected


@pytest.mark.parametrize("indices, again", [(None, [1, 2, 2, 2]), ([2, 3], [1, 1, 1, 2])])
def test_blocks_below_the_first_adapter_run_once(tiny, indices, again):
    model = tiny.encoder(checkpointing=True, adapter_indices=indices)
    runs = [0] * 4
    for index, block in enumerate(model.backbone.blocks):
        block.register_forward_hook(
            lambda m, i, out, index=index: runs.__setitem__(index, runs[index] + 1)
        )
    model(torch.randn(1, 3, 32, 32, 32)).sum().backward()
    assert runs == again


def test_bad_switches(tiny):
    with pytest.raises(ValueError, match="frozen_dtype is None, 'bfloat16' or 'float16', got 'fp8"):
        tiny.encoder(frozen_dtype="fp8")
    with pytest.raises(ValueError, match="frozen_dtype is for a frozen backbone"):
        tiny.encoder(frozen=False, frozen_dtype="bfloat16")
    with pytest.raises(ValueError, match="checkpoint_every is a kind of checkpointing"):
        tiny.encoder(checkpoint_every=2)
    with pytest.raises(ValueError, match="offload is a kind of checkpointing"):
        tiny.encoder(offload=True)
    with pytest.raises(ValueError, match="clips_per_group must be at least 1, got 0"):
        tiny.encoder(clips_per_group=0)
    with pytest.raises(ValueError, match="representation is 'frame' or 'snippet', got 'clip'"):
        tiny.encoder(representation="clip")
    with pytest.raises(ValueError, match="attention is 'sdpa' or 'flash_attn', got 'fast'"):
        tiny.encoder(attention="fast")


def test_device_without_half_precision(tiny, monkeypatch):
    monkeypatch.setattr(
        torch.Tensor, "mm", lambda *args: (_ for _ in ()).throw(RuntimeError("not implemented"))
    )
    model = tiny.encoder(stream_dtype="float16")
    with pytest.raises(ValueError, match="stream_dtype='float16' needs a device .* cpu does not"):
        model(torch.randn(1, 3, 16, 32, 32))


def test_flash_attention_must_be_installed(tiny, monkeypatch):
    monkeypatch.setattr("mmtad.models.backbones.fused_attention.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="needs the package flash-attn, which is not installed"):
        tiny.encoder(attention="flash_attn")
