import copy
import functools
import importlib.util

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from mmtad.models.adapters import TIA
from mmtad.models.backbones import VideoEncoder
from mmtad.registry import MODELS

pytest.importorskip("mmaction")


def test_fresh_adapters_change_nothing(vit, encoder):
    frames = torch.randn(1, 3, 32, 32, 32)
    bare = encoder(adapter=False)
    adapted = VideoEncoder(vit(), adapter=dict(type="TIA")).eval()
    adapted.load_state_dict(bare.state_dict(), strict=False)
    assert torch.equal(adapted(frames, 20), bare(frames, 20))


def test_backbone_keeps_its_names(vit, encoder):
    own = set(MODELS.build(vit()).state_dict())
    keys = set(encoder().backbone.state_dict())
    assert own < keys
    assert {key for key in keys - own if ".adapter." not in key} == set()
    assert "blocks.1.adapter.down_proj.weight" in keys


def test_output_shape_and_clip_order(encoder):
    model = encoder(adapter=False)
    frames = torch.randn(2, 3, 48, 32, 32)
    joined = model(frames)
    assert joined.shape == (2, 16, 24)
    for clip in range(3):
        alone = model(frames[:, :, 16 * clip : 16 * (clip + 1)])
        torch.testing.assert_close(joined[..., 8 * clip : 8 * (clip + 1)], alone)
    assert model(frames, 7).shape == (2, 16, 7)


def test_clips_meet_only_in_the_adapters(encoder):
    frames = torch.randn(2, 3, 32, 32, 32)
    other = frames.clone()
    other[0, :, 15] += 1  # last frame of the first clip of the first video

    def changed(model):
        """Which of the 2 x 2 (video, clip) features moved."""
        moved = (model(frames) - model(other)).abs().sum(1)
        return (moved.unflatten(1, (2, 8)).sum(-1) > 0).tolist()

    assert changed(encoder(adapter=False)) == [[True, False], [False, False]]
    assert changed(encoder()) == [[True, True], [False, False]]


def test_frozen_backbone_trains_adapters_only(encoder):
    model = encoder(train=True, adapter_indices=[1, -1])
    assert model.adapted == [1, 2]
    assert all(p.requires_grad == (".adapter." in name) for name, p in model.named_parameters())
    seen = []
    for block in model.taps.blocks:
        block.register_forward_hook(lambda m, i, out: seen.append(out.requires_grad))
    model(torch.randn(1, 3, 16, 32, 32)).sum().backward()
    # nothing is differentiated up to and including the block of the first adapter
    assert seen == [False, False, True]
    assert all(p.grad is not None for adapter in model.adapters for p in adapter.parameters())


def test_fine_tuning_reaches_every_parameter(encoder):
    model = encoder(train=True, frozen=False)
    model(torch.randn(1, 3, 16, 32, 32)).square().sum().backward()
    without = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []
    assert not model.backbone.fc_norm.weight.requires_grad  # unused: DDP would wait for it
    assert model.backbone.blocks[0].training


def test_frozen_without_adapters_has_no_graph(encoder):
    model = encoder(adapter=False, train=True, backbone=dict(drop_path_rate=0.9))
    frames = torch.randn(1, 3, 16, 32, 32)
    features = model(frames, 16)
    assert not features.requires_grad
    assert torch.equal(features, model(frames, 16))  # no drop-path either
    assert not any(module.training for module in model.backbone.modules())


def test_drop_path_stays_active_in_frozen_blocks(encoder):
    model = encoder(
        train=True, backbone=dict(drop_path_rate=0.5, drop_rate=0.5, attn_drop_rate=0.5)
    )
    training = {type(m).__name__ for m in model.backbone.modules() if m.training}
    assert "DropPath" in training and "TIA" in training
    assert not training & {"Block", "FusedAttention", "Dropout", "LayerNorm", "VisionTransformer"}
    frames = torch.randn(2, 3, 32, 32, 32)
    assert not torch.equal(model(frames), model(frames))
    model.eval()
    assert torch.equal(model(frames), model(frames))


@pytest.mark.parametrize("frozen", [True, False])
def test_checkpointing_gives_equal_gradients(encoder, frozen):
    frames = torch.randn(2, 3, 32, 32, 32)
    gradients = []
    for checkpointing in (False, True):
        model = encoder(
            train=True,
            frozen=frozen,
            checkpointing=checkpointing,
            backbone=dict(drop_path_rate=0.3),
        )
        torch.manual_seed(1)
        model(frames, 12).square().sum().backward()
        gradients.append({k: p.grad for k, p in model.named_parameters() if p.requires_grad})
    assert gradients[0].keys() == gradients[1].keys()
    for key, gradient in gradients[0].items():
        if gradient is None:
            assert gradients[1][key] is None
        else:
            assert torch.equal(gradient, gradients[1][key]), key


@pytest.mark.parametrize("checkpointing", [False, True])
def test_bf16_autocast(encoder, checkpointing):
    model = encoder(train=True, checkpointing=checkpointing)
    frames = torch.randn(1, 3, 32, 32, 32)
    reference = model(frames, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = model(frames, 8)
    torch.testing.assert_close(features.float(), reference, rtol=0.05, atol=0.1)
    features.float().square().sum().backward()
    assert all(p.grad.isfinite().all() for adapter in model.adapters for p in adapter.parameters())


def test_copies_are_independent(encoder):
    """MMEngine's EMAHook trains one model and averages a deep copy of it."""
    model = encoder()
    twin = copy.deepcopy(model)
    frames = torch.randn(1, 3, 16, 32, 32)
    assert torch.equal(model(frames), twin(frames))
    before = model(frames)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert torch.equal(model(frames), before)
    assert not torch.equal(twin(frames), before)


def test_init_weights_keeps_adapters_the_identity(vit):
    model = VideoEncoder(vit(), adapter=dict(type="TIA"))
    model.init_weights()
    assert not model.adapters[0].up_proj.weight.any()
    assert model.backbone.blocks[0].mlp.layers[1].weight.std() < 0.03  # the backbone's init_cfg


def test_init_weights_reads_the_pretrained_backbone(vit, tmp_path):
    recognizer = {f"backbone.{k}": v + 1 for k, v in MODELS.build(vit()).state_dict().items()}
    recognizer["cls_head.fc_cls.weight"] = torch.zeros(3, 16)
    torch.save(dict(state_dict=recognizer, meta=dict(epoch=1)), tmp_path / "vit.pth")
    model = VideoEncoder(
        vit(), adapter=dict(type="TIA"), pretrained=str(tmp_path / "vit.pth"), min_match=1.0
    )
    model.init_weights()
    for key, value in model.backbone.state_dict().items():
        if ".adapter." not in key:
            assert torch.equal(value, recognizer[f"backbone.{key}"]), key
    assert not model.adapters[0].up_proj.weight.any()
    # a second call, as after training, must not bring the old weights back
    model.backbone.blocks[0].norm1.weight.data.zero_()
    model.init_weights()
    assert not model.backbone.blocks[0].norm1.weight.any()


def test_init_weights_refuses_another_architecture(vit, tmp_path):
    torch.save(MODELS.build(vit(embed_dims=32)).state_dict(), tmp_path / "wide.pth")
    model = VideoEncoder(vit(), pretrained=str(tmp_path / "wide.pth"))
    with pytest.raises(ValueError, match=r"wide\.pth: matched 0/.*use a checkpoint of this arch"):
        model.init_weights()


def test_missing_mmaction_is_named(encoder, monkeypatch):
    monkeypatch.setattr("mmtad.models.backbones.assembly.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="comes from MMAction2, which is not installed"):
        encoder()


def test_bad_arguments(encoder):
    with pytest.raises(ValueError, match="40 frames cannot be cut into clips of 16"):
        encoder()(torch.zeros(1, 3, 40, 32, 32))
    with pytest.raises(ValueError, match=r"holds 5, but the backbone has 3 blocks; use 0 to 2"):
        encoder(adapter_indices=[0, 5])
    with pytest.raises(ValueError, match="clip_frames=8 does not fit .* num_frames=16"):
        encoder(clip_frames=8)


@pytest.mark.parametrize(
    "width, depth, heads, total",
    [
        (384, 12, 6, 1_006_860),
        (768, 12, 12, 4_004_364),
        (1024, 24, 16, 14_217_240),
        (1280, 32, 16, 29_593_632),
        (1408, 40, 16, 44_746_280),
    ],
)
def test_adapter_totals_of_videomae(vit, width, depth, heads, total, monkeypatch):
    backbone = vit(img_size=224, embed_dims=width, depth=depth, num_heads=heads)
    with_values = functools.partial(torch.linspace, device="cpu")  # the backbone reads its values
    monkeypatch.setattr(torch, "linspace", with_values)
    with torch.device("meta"):
        model = VideoEncoder(backbone, adapter=dict(type="TIA"))
    assert len(model.adapters) == depth and all(isinstance(m, TIA) for m in model.adapters)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == total


@pytest.mark.parametrize("autocast", [False, True])
def test_checkpointing_saves_memory(encoder, shared, autocast, monkeypatch):
    """Peak live bytes of forward and backward, counted without computing anything."""
    path = shared / "tools" / "peak_memory.py"
    spec = importlib.util.spec_from_file_location("peak_memory", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setattr(torch, "linspace", np.linspace)  # the backbone reads its values
    size = dict(depth=6, patch_size=8, embed_dims=48)
    peaks = {}
    for checkpointing in (False, True):
        with FakeTensorMode():
            model = encoder(train=True, checkpointing=checkpointing, backbone=size)
            frames = torch.empty(1, 3, 128, 32, 32)
            memory = tool.PeakMemory(model)
            with memory, torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
                loss = model(frames, 64).float().mean()
            with memory:
                loss.backward()
        peaks[checkpointing] = memory.peak
    assert peaks[True] < 0.6 * peaks[False]
