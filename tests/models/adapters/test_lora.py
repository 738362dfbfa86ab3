"""LoRA and LongLoRA on MMAction2's transformer block."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from mmtad.models.adapters import LongLoRA, LoRA
from mmtad.registry import MODELS

vit_mae = pytest.importorskip("mmaction.models.backbones.vit_mae")

DIM, HEADS, TOKENS = 16, 4, 8
TOL = dict(rtol=1e-5, atol=1e-5)


@pytest.fixture
def block():
    torch.manual_seed(0)
    block = vit_mae.Block(DIM, HEADS)
    for parameter in block.parameters():  # biases and norms off their start values
        nn.init.normal_(parameter, std=0.3)
    return block.requires_grad_(False).eval()


@pytest.fixture
def x():
    torch.manual_seed(1)
    return torch.randn(3, TOKENS, DIM)


def stir(block):
    """Give the updates values as training would."""
    for name, parameter in block.named_parameters():
        if name.endswith("up_proj"):
            nn.init.normal_(parameter, std=0.5)
    return block


def new_parameters(block):
    return {name for name, _ in block.named_parameters() if "adapter" in name.split(".")}


# ---- LoRA


@pytest.mark.parametrize("targets", [("qkv",), ("proj",), ("qkv", "proj", "mlp.layers.0.0")])
def test_fresh_changes_nothing(block, x, targets):
    before = block(x)
    names = set(block.state_dict())
    LoRA(DIM, targets=targets).install(block)
    assert torch.equal(copy.deepcopy(block).train()(x), block(x))
    assert_close(block(x), before, **TOL)  # fused attention rounds otherwise
    assert set(block.state_dict()) - names == new_parameters(block)


def test_fresh_is_exact_on_fused_attention(block, x):
    from mmtad.models.backbones.fused_attention import fuse_attention

    fuse_attention(block)
    before = block(x)
    LoRA(DIM).install(block)
    assert torch.equal(block(x), before)


def test_names_shapes_and_total(block):
    before = sum(p.numel() for p in block.parameters())
    LoRA(DIM, rank=3, targets=("qkv", "attn.proj", "layers.1")).install(block)
    shapes = {n: tuple(p.shape) for n, p in block.named_parameters() if p.requires_grad}
    assert shapes == {
        "attn.qkv.adapter.down_proj": (3, DIM),
        "attn.qkv.adapter.up_proj": (3 * DIM, 3),
        "attn.proj.adapter.down_proj": (3, DIM),
        "attn.proj.adapter.up_proj": (DIM, 3),
        "mlp.layers.1.adapter.down_proj": (3, 4 * DIM),
        "mlp.layers.1.adapter.up_proj": (DIM, 3),
    }
    added = 3 * (DIM + 3 * DIM) + 3 * (DIM + DIM) + 3 * (4 * DIM + DIM)
    assert sum(p.numel() for p in block.parameters()) - before == added


def test_restatement(block, x):
    """The update is a change of the weights: W + alpha / rank * B A."""
    merged, plain = copy.deepcopy(block), block(x)
    LoRA(DIM, rank=4, alpha=6, targets=("qkv", "proj", "mlp.layers.0.0")).install(block)
    stir(block)
    for name, layer in block.named_modules():
        if hasattr(layer, "adapter"):
            update = layer.adapter.up_proj @ layer.adapter.down_proj
            merged.get_submodule(name).weight.data += 6 / 4 * update.data
    assert_close(block(x), merged(x), **TOL)
    assert not torch.allclose(block(x), plain, atol=0.1)


def test_gradients(block, x):
    LoRA(DIM).install(block)
    stir(block)
    block(x).square().sum().backward()
    touched = {name for name, p in block.named_parameters() if p.grad is not None}
    assert touched == new_parameters(block) and len(touched) == 4
    assert all(p.grad.abs().max() > 0 for _, p in block.named_parameters() if p.grad is not None)


def test_copies_and_state_dicts(block, x):
    plain = copy.deepcopy(block)
    LoRA(DIM).install(block)
    stir(block)
    twin = copy.deepcopy(block)
    assert torch.equal(twin(x), block(x))
    nn.init.zeros_(twin.attn.qkv.adapter.up_proj)
    assert block.attn.qkv.adapter.up_proj.abs().max() > 0
    LoRA(DIM).install(plain)
    plain.load_state_dict(block.state_dict())
    assert torch.equal(plain(x), block(x))


def test_precision(block, x):
    block.bfloat16()
    LoRA(DIM).install(block)
    stir(block)
    assert all(block.get_parameter(n).dtype is torch.float32 for n in new_parameters(block))
    assert block(x.bfloat16()).dtype is torch.bfloat16
    block.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = block(x)
    y.float().sum().backward()
    assert block.attn.qkv.adapter.down_proj.grad.dtype is torch.float32
    assert_close(y.float(), block(x), rtol=0.1, atol=0.2)


def test_dropout_acts_in_training_only(block, x):
    LoRA(DIM, dropout=0.5).install(block)
    stir(block)
    assert torch.equal(block(x), block(x))
    block.train()
    assert not torch.equal(block(x), block(x))


def test_a_backbones_initialisation_leaves_it_alone():
    vit = MODELS.build(
        dict(
            type="mmaction.VisionTransformer", img_size=32, embed_dims=DIM, depth=1, num_heads=HEADS
        )
    )
    LoRA(DIM).install(vit.blocks[0])
    before = vit.blocks[0].attn.qkv.adapter.down_proj.clone()
    vit.init_weights()
    assert torch.equal(vit.blocks[0].attn.qkv.adapter.down_proj, before)
    assert not vit.blocks[0].attn.qkv.adapter.up_proj.any()


@pytest.mark.parametrize("adapter", ["LoRA", "LongLoRA", "BiasTuning"])
def test_in_an_encoder(adapter):
    """In groups of clips and half precision the gradients point where they do in full precision."""
    vit = dict(type="mmaction.VisionTransformer", img_size=32, embed_dims=DIM, depth=2)
    vit.update(num_heads=HEADS, num_frames=16, return_feat_map=True)
    torch.manual_seed(0)
    config = dict(type="VideoEncoder", backbone=vit, adapter=dict(type=adapter))
    plain = stir(MODELS.build(config)).train()
    saving = dict(frozen_dtype="bfloat16", stream_dtype="bfloat16")
    saving.update(checkpointing=True, clips_per_group=2)
    light = MODELS.build(dict(config, **saving)).train()
    light.load_state_dict(plain.state_dict())
    frames, weights = torch.randn(2, 3, 64, 32, 32), torch.randn(2, DIM, 32)
    gradients = []
    for model in (plain, light):
        (model(frames) * weights).sum().backward()
        trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
        assert all(p.grad is not None and p.dtype is torch.float32 for p in trained.values())
        gradients.append(torch.cat([p.grad.flatten() for p in trained.values()]))
    assert F.cosine_similarity(*gradients, dim=0) > 0.999
    if adapter != "BiasTuning":
        plain.init_weights()
        assert not any(p.any() for n, p in plain.named_parameters() if n.endswith("up_proj"))


def test_video_swin_block():
    swin = pytest.importorskip("mmaction.models.backbones.swin")
    block = swin.SwinTransformerBlock3D(DIM, HEADS, window_size=(2, 2, 2), drop_path=0.0)
    x = torch.randn(1, 2, 4, 4, DIM)
    before = block(x, None)
    LoRA(DIM, targets=("qkv", "proj", "fc1")).install(block)
    assert torch.equal(block(x, None), before)
    assert len(new_parameters(block)) == 6
    with pytest.raises(ValueError, match="SwinTransformerBlock3D has none of it; use LoRA instead"):
        LongLoRA(DIM).install(block)


def test_bad_arguments(block):
    bottleneck = nn.Sequential(nn.Conv3d(4, 4, 1), nn.BatchNorm3d(4))
    with pytest.raises(ValueError, match="Sequential has no linear layer 'qkv'.*has: none"):
        LoRA(4).install(bottleneck)
    with pytest.raises(ValueError, match="has no linear layer 'fc1' .*has: attn.qkv, attn.proj, m"):
        LoRA(DIM, targets=("qkv", "fc1")).install(block)
    assert not new_parameters(block)
    with pytest.raises(ValueError, match="rank=0"):
        LoRA(DIM, rank=0)
    with pytest.raises(ValueError, match="targets='qkv' must be a list"):
        LoRA(DIM, targets="qkv")
    LoRA(DIM).install(block)
    with pytest.raises(ValueError, match="no linear layer 'qkv'"):
        LoRA(DIM).install(block)


# ---- LongLoRA


def test_long_lora_trains_norms_too(block, x):
    LongLoRA(DIM).install(block)
    stir(block)
    block(x).square().sum().backward()
    touched = {name for name, p in block.named_parameters() if p.grad is not None}
    norms = {f"norm{i}.{p}" for i in (1, 2) for p in ("weight", "bias")}
    assert touched == new_parameters(block) | norms
    assert LongLoRA.couples_clips and not LoRA.couples_clips


def test_one_clip_is_not_shifted(block, x):
    before = block(x[:1])
    LongLoRA(DIM).install(block)
    assert_close(block(x[:1]), before, **TOL)
    assert not torch.allclose(block(x), torch.cat([block(clip) for clip in x.split(1)]))


def test_half_of_the_heads_see_the_other_clip(block, x):
    LongLoRA(DIM).install(block)
    block.attn.proj = nn.Identity()  # heads side by side
    dim, half = DIM // HEADS, TOKENS // 2
    before = block.attn(x).unflatten(-1, (HEADS, dim))
    x[0, -1] += 1  # the last half of the first clip
    moved = (block.attn(x).unflatten(-1, (HEADS, dim)) != before).any(-1)
    assert not moved[1:, :, : HEADS // 2].any() and moved[0, :, : HEADS // 2].all()
    shifted = moved[..., HEADS // 2 :]
    # The shifted clip, and the first half clip, which keeps to its own.
    assert shifted[1, :half].all() and shifted[0].all()
    assert not shifted[1, half:].any() and not shifted[2].any()


def test_the_end_does_not_meet_the_beginning(block, x):
    LongLoRA(DIM).install(block)
    before = block(x)
    x[-1, -1] = torch.randn(DIM)  # a constant would be taken off by the norm
    moved = (block(x) != before).any(-1)
    assert not moved[0].any() and not moved[1].any() and moved[2].all()


def test_shifted_attention_restated(block, x):
    """With masks over the whole video instead of cutting it up."""
    LongLoRA(DIM).install(block)
    q, k, v = (torch.randn(3, TOKENS, HEADS, 4) for _ in range(3))
    ours = block.attn._attend_with_shift(q, k, v)
    token = torch.arange(3 * TOKENS)
    clip, group = token // TOKENS, (token + TOKENS // 2) // TOKENS
    own = clip[:, None] == clip
    shifted = group[:, None] == group
    outer = (group == 0) | (group == 3)
    shifted[outer] = own[outer]
    masks = torch.stack([own, own, shifted, shifted])
    flat = (t.flatten(0, 1).transpose(0, 1) for t in (q, k, v))
    expected = F.scaled_dot_product_attention(*flat, attn_mask=masks, scale=block.attn.scale)
    assert_close(ours, expected.transpose(0, 1).unflatten(0, (3, TOKENS)), **TOL)


def test_long_lora_needs_two_heads_and_even_clips(x):
    single = vit_mae.Block(DIM, 1)
    with pytest.raises(ValueError, match="half of the heads, and this attention has 1"):
        LongLoRA(DIM).install(single)
    block = vit_mae.Block(DIM, HEADS)
    LongLoRA(DIM).install(block)
    with pytest.raises(ValueError, match="a clip of 7 tokens has no half"):
        block(x[:, :7])
