import copy

import pytest
import torch
from torch.testing import assert_close

vit_mae = pytest.importorskip("mmaction.models.backbones.vit_mae")


@pytest.mark.parametrize("qkv_bias", [True, False])
def test_equal_to_the_explicit_softmax(qkv_bias):
    from mmtad.models.backbones.fused_attention import FusedAttention, fuse_attention

    torch.manual_seed(0)
    block = vit_mae.Block(16, 4, qkv_bias=qkv_bias)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    fused = copy.deepcopy(block)
    fuse_attention(fused)
    assert type(fused.attn) is FusedAttention and not fused.attn.shifts_clips
    assert fused.state_dict().keys() == block.state_dict().keys()
    x = torch.randn(3, 10, 16)
    ours, theirs = fused(x), block(x)
    assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    ours.square().sum().backward()
    theirs.square().sum().backward()
    for ours, theirs in zip(fused.parameters(), block.parameters(), strict=True):
        scale = max(1.0, theirs.grad.abs().max().item())
        assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_shifted_clips_keep_the_shape(count):
    from mmtad.models.backbones.fused_attention import FusedAttention

    attention = FusedAttention(16, 4)
    x = torch.randn(count, 6, 16)
    plain = attention(x)
    attention.shifts_clips = True
    shifted = attention(x)
    assert shifted.shape == plain.shape
    # The outer half clips attend to their own clip in every head.
    assert_close(shifted[0, :3], plain[0, :3], rtol=1e-5, atol=1e-6)
    assert_close(shifted[-1, 3:], plain[-1, 3:], rtol=1e-5, atol=1e-6)
    assert torch.allclose(shifted, plain, atol=1e-6) == (count == 1)
