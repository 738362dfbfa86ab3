import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from mmtad.models.layers import MaskedGroupNorm, SGPBlock, SGPLayer, resolve_sgp_init

VARIANTS = [dict(), dict(window=3, k=1.5), dict(window=5, k=0.4, stride=2), dict(stride=2)]


def randomise(module, seed=0):
    """Give norms, biases and scales values with which a leak would show."""
    torch.manual_seed(seed)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module.double()


def sequence(length, channels=32, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, channels, length, generator=generator, dtype=torch.float64)
    return x.to(dtype), torch.ones(1, length, dtype=torch.bool)


@pytest.mark.parametrize("window, k", [(1, 5), (3, 1.5), (7, 0.4)])
def test_layer_is_its_formula(window, k):
    layer = randomise(SGPLayer(32, window, k))
    x, mask = sequence(20)
    psi, fc, conv_w, conv_kw = (
        conv(x) for conv in (layer.psi, layer.fc, layer.conv_w, layer.conv_kw)
    )
    gate = F.relu(layer.global_fc(x.mean(-1, keepdim=True)))
    assert_close(layer(x, mask), fc * gate + (conv_w + conv_kw) * psi + x)


@pytest.mark.parametrize("window, k, wide", [(1, 5, 11), (5, 2, 13), (1, 4, 9), (15, 1.3, 21)])
def test_kernels_of_the_published_configs(window, k, wide):
    layer = SGPLayer(4, window, k)
    assert layer.conv_kw.kernel_size == (wide,)
    assert layer.psi.kernel_size == layer.conv_w.kernel_size == (window,)
    assert layer.fc.kernel_size == layer.global_fc.kernel_size == (1,)


def train(init, steps=20):
    """A few steps of AdamW on one block; returns its SGP layer before and after."""
    torch.manual_seed(0)
    block = SGPBlock(32, window=3, init=init, drop_path=0.0)
    nn.init.ones_(block.sgp_path.scale)
    before = {name: p.detach().clone() for name, p in block.named_parameters()}
    optimizer = torch.optim.AdamW(block.parameters(), lr=1e-2, weight_decay=0.1)
    x, mask = sequence(16, dtype=torch.float32)
    gradients = []
    for _ in range(steps):
        optimizer.zero_grad()
        block(x, mask)[0].square().mean().backward()
        gradients.append({name: p.grad.clone() for name, p in block.named_parameters()})
        optimizer.step()
    return before, dict(block.named_parameters()), gradients


def test_published_init_is_dead():
    """As in the authors' configs of THUMOS14 and EPIC: every gradient is exactly zero, for good."""
    _, after, gradients = train("published")
    names = [name for name in after if name.startswith("sgp.")]
    assert len(names) == 10
    for name in names:
        assert not after[name].any(), name
        assert not any(step[name].any() for step in gradients), name
    assert gradients[0]["mlp_in.weight"].any()


@pytest.mark.parametrize("init", ["live", 0.2])
def test_live_init_moves(init):
    before, after, _ = train(init, steps=3)
    for name in before:
        if name.startswith("sgp."):
            assert not torch.equal(before[name], after[name]), name


def test_published_layer_is_the_identity():
    x, mask = sequence(9, dtype=torch.float32)
    assert torch.equal(SGPLayer(32, 3, init="published")(x, mask), x)


def test_inits():
    assert resolve_sgp_init("published") == 0 and resolve_sgp_init("live") == 0.1
    assert resolve_sgp_init(0.2) == 0.2
    with pytest.raises(ValueError, match="'dead'.*live.*published"):
        resolve_sgp_init("dead")
    with pytest.raises(ValueError, match="-1"):
        resolve_sgp_init(-1)


def test_group_norm_of_the_valid_steps():
    norm = randomise(MaskedGroupNorm(4, 32))
    x, mask = sequence(11)
    padded, wide = F.pad(x, (0, 9)), F.pad(mask, (0, 9))
    assert_close(
        norm(padded, wide)[..., :11], nn.functional.group_norm(x, 4, norm.weight, norm.bias)
    )
    assert_close(norm(x), norm(x, mask))
    assert norm(torch.zeros_like(x), torch.zeros_like(mask)).isfinite().all()


@pytest.mark.parametrize("options", VARIANTS)
def test_padding_never_reaches_a_valid_step(options):
    block = randomise(SGPBlock(32, drop_path=0.0, mlp_channels=8, **options))
    x, mask = sequence(13)
    alone, alone_mask = block(x, mask)
    out, out_mask = block(F.pad(x, (0, 10)), F.pad(mask, (0, 10)))
    assert torch.equal(out_mask[:, : alone_mask.shape[1]], alone_mask)
    assert int(out_mask.sum()) == int(alone_mask.sum())
    assert_close(out[..., : alone.shape[-1]], alone)
    assert not out[..., alone.shape[-1] :].any()


@pytest.mark.parametrize("options", VARIANTS)
def test_public_codes_leak(options):
    """Their temporal mean and group norm run over padding: with more of it, all steps change."""
    block = randomise(SGPBlock(32, drop_path=0.0, isolate_padding=False, **options))
    x, mask = sequence(12)
    outs = [block(F.pad(x, (0, n)), F.pad(mask, (0, n)))[0] for n in (4, 12)]
    steps = -(-12 // block.stride)
    difference = (outs[0][..., :steps] - outs[1][..., :steps]).abs().amax((0, 1))
    assert difference.min() > 1e-3
    # Without padding nothing tells them apart.
    ours = randomise(SGPBlock(32, drop_path=0.0, **options))
    assert_close(ours(x, mask), block(x, mask))


def test_any_length_and_half_precision():
    for length in (1, 2, 5):
        out, mask = SGPBlock(32, stride=2)(*sequence(length, dtype=torch.float32))
        assert out.shape[-1] == mask.shape[1] == -(-length // 2) and out.isfinite().all()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out, _ = SGPBlock(32)(*sequence(5, dtype=torch.float32))
    assert out.isfinite().all()


def test_without_drop_path_there_is_no_scale():
    names = dict(SGPBlock(32).named_parameters())
    scaled = dict(SGPBlock(32, drop_path=0.1).named_parameters())
    assert scaled.keys() - names.keys() == {"sgp_path.scale", "mlp_path.scale"}


def test_wrong_sizes_are_named():
    with pytest.raises(ValueError, match="got 4"):
        SGPLayer(32, window=4)
    with pytest.raises(ValueError, match="16 groups do not divide 24"):
        SGPBlock(24)
