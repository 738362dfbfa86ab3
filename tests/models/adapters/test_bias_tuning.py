import pytest
import torch
from torch import nn

from mmtad.models.adapters import BiasTuning


def trained(block):
    return {name for name, parameter in block.named_parameters() if parameter.requires_grad}


def test_transformer_block():
    vit_mae = pytest.importorskip("mmaction.models.backbones.vit_mae")
    block = vit_mae.Block(16, 2).requires_grad_(False)
    names = set(block.state_dict())
    BiasTuning(16).install(block)
    biases = {"norm1.bias", "norm2.bias", "attn.q_bias", "attn.v_bias", "attn.proj.bias"}
    biases |= {"mlp.layers.0.0.bias", "mlp.layers.1.bias"}
    assert trained(block) == biases and set(block.state_dict()) == names
    # C for each of two norms, q, v, proj and the second layer; 4C for the first.
    assert sum(p.numel() for p in block.parameters() if p.requires_grad) == 10 * 16
    block(torch.randn(1, 4, 16)).sum().backward()
    assert {name for name, p in block.named_parameters() if p.grad is not None} == biases


def test_swin_and_convolutional_blocks():
    block = nn.Sequential(nn.Conv3d(4, 4, 1, bias=False), nn.BatchNorm3d(4)).requires_grad_(False)
    BiasTuning(4).install(block)
    assert trained(block) == {"1.bias"}
    swin = pytest.importorskip("mmaction.models.backbones.swin")
    block = swin.SwinTransformerBlock3D(16, 2, window_size=(2, 2, 2)).requires_grad_(False)
    BiasTuning(16).install(block)
    assert "attn.qkv.bias" in trained(block) and len(trained(block)) == 6


def test_block_without_biases():
    with pytest.raises(ValueError, match="Linear has no bias that could be trained"):
        BiasTuning(4).install(nn.Linear(4, 4, bias=False))
    assert not BiasTuning.couples_clips
