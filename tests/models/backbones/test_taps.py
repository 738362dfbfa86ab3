import pytest
import torch
from torch import nn

from mmtad.models.backbones import VideoEncoder, build_taps
from mmtad.registry import MODELS

pytest.importorskip("mmaction")


def vit(**kwargs):
    config = dict(img_size=32, embed_dims=16, depth=2, num_heads=2)
    return MODELS.build({"type": "mmaction.VisionTransformer", **config, **kwargs})


def test_unknown_backbone_names_the_supported_ones():
    with pytest.raises(ValueError, match="Linear has no taps.*supported are .*VisionTransformer"):
        build_taps(nn.Linear(2, 2), 16)
    with pytest.raises(ValueError, match="C3D has no taps"):
        VideoEncoder(dict(type="mmaction.C3D"))


@pytest.mark.parametrize("qkv_bias, qk_scale", [(True, None), (False, 0.3)])
def test_fused_attention_equals_explicit(qkv_bias, qk_scale):
    torch.manual_seed(0)
    backbone = vit(qkv_bias=qkv_bias, qk_scale=qk_scale).eval()
    attention = backbone.blocks[0].attn
    for parameter in attention.parameters():
        nn.init.normal_(parameter)
    keys = list(attention.state_dict())
    tokens = torch.randn(2, 9, 16, requires_grad=True)
    explicit = attention(tokens)
    (explicit_grad,) = torch.autograd.grad(explicit.square().sum(), tokens)
    build_taps(backbone, 16)
    fused = attention(tokens)
    assert type(attention).__name__ == "FusedAttention" and list(attention.state_dict()) == keys
    scale = explicit.abs().max().item()
    torch.testing.assert_close(fused, explicit, rtol=1e-5, atol=1e-5 * scale)
    (fused_grad,) = torch.autograd.grad(fused.square().sum(), tokens)
    scale = explicit_grad.abs().max().item()
    torch.testing.assert_close(fused_grad, explicit_grad, rtol=1e-4, atol=1e-5 * scale)


def test_attention_dropout_follows_the_mode():
    backbone = vit(attn_drop_rate=0.5)
    build_taps(backbone, 16)
    attention, tokens = backbone.blocks[0].attn, torch.randn(1, 9, 16)
    assert not torch.equal(attention.train()(tokens), attention(tokens))
    assert torch.equal(attention.eval()(tokens), attention(tokens))


@pytest.mark.parametrize("height, width", [(32, 32), (48, 32), (40, 55)])
def test_equals_the_backbone_itself(height, width):
    """The blocks are iterated from outside; the result is the backbone's own feature map."""
    backbone = vit(return_feat_map=True, use_mean_pooling=False).eval()
    clips = torch.randn(2, 3, 16, height, width)
    expected = backbone(clips)
    taps = build_taps(backbone, 16)
    x, aside = taps.begin(clips)
    for index in range(len(taps.blocks)):
        x = taps.block(index, x)
    (ours,) = taps.finish(x, aside)
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)
    assert taps.unused == [] and taps.widths == [16, 16]


def test_uncovered_pixels_are_named_once(monkeypatch):
    lines = []
    monkeypatch.setattr(
        "mmtad.models.backbones.vit_taps.print_log", lambda text, *args: lines.append(text)
    )
    taps = build_taps(vit(), 16)
    for _ in range(2):
        tokens, aside = taps.begin(torch.zeros(1, 3, 16, 40, 50))
    assert tokens.shape == (1, 8, 2, 3, 16) and aside == ()
    assert len(lines) == 1 and "8 rows and 2 columns are not seen" in lines[0]
    with pytest.raises(ValueError, match="frames of 40x8 are smaller than one patch of 16"):
        taps.begin(torch.zeros(1, 3, 16, 40, 8))
