import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmtad.models.backbones import InceptionI3D
from mmtad.models.backbones.inception_i3d import STAGES, InceptionModule, Unit3D
from mmtad.registry import MODELS

SHAPES = [(480, 8, 12, 12), (832, 4, 6, 6), (1024, 2, 3, 3)]  # of 16 frames at 96 x 96


def awake(model):
    """Batch norms that do something, and are as different as those of a trained model."""
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model


@pytest.fixture(scope="module")
def small():
    """The layers up to Mixed_4b, three stages of them."""
    torch.manual_seed(0)
    return awake(InceptionI3D(out_stages=("Conv3d_2c_3x3", "Mixed_3b", "Mixed_4b")))


def test_stages_of_the_pyramid():
    model = MODELS.build(dict(type="InceptionI3D", in_channels=2)).eval()
    assert model.stage_channels == model.out_channels == (480, 832, 1024)
    with torch.inference_mode():
        maps = model(torch.randn(2, 2, 16, 96, 96))
        assert [tuple(m.shape) for m in maps] == [(2, *shape) for shape in SHAPES]
        odd = model(torch.randn(1, 2, 13, 97, 65))  # ceil(n / s) everywhere
    sizes = [(7, 13, 9), (4, 7, 5), (2, 4, 3)]
    assert [tuple(m.shape[2:]) for m in odd] == sizes


def test_parameters_are_as_many_as_published():
    trunk = sum(p.numel() for p in InceptionI3D().parameters())
    assert trunk == 12_287_264
    assert trunk + 1024 * 400 + 400 == 12_697_264  # with the classifier of Kinetics-400
    # Flow has one channel less in the first layer.
    flow = sum(p.numel() for p in InceptionI3D(in_channels=2).parameters())
    assert trunk - flow == 64 * 7**3


def test_first_layer_against_a_hand_padded_convolution():
    torch.manual_seed(0)
    unit = awake(Unit3D(3, 4, (7, 7, 7), (2, 2, 2))).eval()
    x = torch.randn(2, 3, 6, 7, 8)
    padded = F.pad(x, (2, 3, 3, 3, 2, 3))  # width 8: 2 and 3; height 7: 3 and 3; 6 frames: 2 and 3
    expected = F.relu(unit.bn(F.conv3d(padded, unit.conv3d.weight, None, 2)))
    assert expected.shape == (2, 4, 3, 4, 4)
    torch.testing.assert_close(unit(x), expected, atol=1e-5, rtol=1e-5)


def test_inception_module_against_its_branches():
    torch.manual_seed(0)
    module = awake(InceptionModule(6, (2, 3, 4, 2, 3, 5))).eval()
    x = torch.randn(1, 6, 3, 5, 4).relu()

    def unit(name, x):
        layer = getattr(module, name)
        padding = layer.conv3d.kernel_size[0] // 2
        return F.relu(layer.bn(F.conv3d(x, layer.conv3d.weight, padding=padding)))

    pooled = F.max_pool3d(x, 3, 1, 1)
    branches = unit("b0", x), unit("b1b", unit("b1a", x)), unit("b2b", unit("b2a", x))
    expected = torch.cat([*branches, unit("b3b", pooled)], dim=1)
    assert module.out_channels == expected.shape[1] == 14
    torch.testing.assert_close(module(x), expected, atol=1e-5, rtol=1e-5)


def test_only_the_layers_that_are_needed(small):
    assert list(small.layers) == list(STAGES[: STAGES.index("Mixed_4b") + 1])
    assert not hasattr(small, "Mixed_4c")
    maps = small.eval()(torch.randn(1, 3, 8, 32, 32))
    assert [m.shape[1] for m in maps] == list(small.stage_channels) == [192, 256, 512]


def test_a_stage_is_the_same_whatever_else_is_asked_for(small):
    alone = InceptionI3D(out_stages="Mixed_3b").eval()
    alone.load_state_dict(small.state_dict(), strict=False)
    x = torch.randn(1, 3, 8, 32, 32)
    assert torch.equal(alone(x)[0], small.eval()(x)[1])


def test_frozen_batch_norms_stay_frozen(small):
    before = {k: v.clone() for k, v in small.named_buffers()}
    small.train()
    assert not any(norm.training for norm in small.batch_norms())
    assert not any(p.requires_grad for norm in small.batch_norms() for p in norm.parameters())
    small(torch.randn(2, 3, 8, 32, 32))[-1].mean().backward()
    assert all(torch.equal(v, before[k]) for k, v in small.named_buffers())
    assert small.Conv3d_1a_7x7.conv3d.weight.grad.abs().max() > 0
    assert {n for n, p in small.named_parameters() if p.grad is not None} == {
        n for n, _ in small.named_parameters() if ".conv3d." in n
    }
    small.zero_grad()


def test_frozen_batch_norms_are_frozen_before_anyone_calls_train():
    assert not any(norm.training for norm in InceptionI3D(out_stages="Mixed_3b").batch_norms())


def test_batch_norms_that_are_trained():
    model = InceptionI3D(out_stages=("Conv3d_2c_3x3",), frozen_bn=False).train()
    before = model.Conv3d_1a_7x7.bn.running_mean.clone()
    x = torch.randn(2, 3, 8, 32, 32)
    (out,) = model(x)
    assert not torch.equal(model.Conv3d_1a_7x7.bn.running_mean, before)
    # Half of a normal distribution: the statistics are those of the batch.
    assert abs(float(out.detach().mean()) - 0.4) < 0.05
    affine = InceptionI3D(out_stages=("Conv3d_2c_3x3",), frozen_bn_affine=False).train()
    affine(x)[0].mean().backward()
    assert affine.Conv3d_1a_7x7.bn.weight.grad.abs().max() > 0


def test_merging_the_batch_norm_changes_no_gradient():
    torch.manual_seed(0)
    unit = awake(Unit3D(3, 4, (3, 3, 3))).eval()
    x = torch.randn(2, 3, 4, 5, 6)
    weights = torch.randn(2, 4, 4, 5, 6)
    (unit(x) * weights).sum().backward()
    merged = {k: p.grad.clone() for k, p in unit.named_parameters()}
    unit.zero_grad()
    (F.relu(unit.bn(F.conv3d(x, unit.conv3d.weight, padding=1))) * weights).sum().backward()
    for name, parameter in unit.named_parameters():
        torch.testing.assert_close(merged[name], parameter.grad, atol=1e-4, rtol=1e-4)


def test_the_order_of_the_layers(small):
    """The layers one by one, as the public code runs them, with its zeros around poolings."""
    x = torch.randn(1, 3, 7, 31, 33)
    with torch.no_grad():
        found = small.eval()(x)
        x = small.Conv3d_2c_3x3(
            small.Conv3d_2b_1x1(pool(small.Conv3d_1a_7x7(x), (1, 3, 3), (1, 2, 2)))
        )
        stages = [x]
        stages.append(small.Mixed_3b(pool(x, (1, 3, 3), (1, 2, 2))))
        stages.append(small.Mixed_4b(pool(small.Mixed_3c(stages[-1]), (3, 3, 3), (2, 2, 2))))
    for ours, theirs in zip(found, stages, strict=True):
        torch.testing.assert_close(ours, theirs)


def pool(x, kernel, stride):
    pads = []
    for size, k, s in reversed(list(zip(x.shape[2:], kernel, stride, strict=True))):
        total = max(k - (size % s or s), 0)
        pads += [total // 2, total - total // 2]
    return F.max_pool3d(F.pad(x, pads), kernel, stride)


def test_checkpointing_gives_equal_gradients(small):
    x = torch.randn(1, 3, 8, 32, 32, generator=torch.Generator().manual_seed(3))
    found = []
    for checkpointing in (False, True):
        small.train().checkpointing = checkpointing
        small.zero_grad()
        maps = small(x)
        sum((m * m).mean() for m in maps).backward()
        found.append({k: p.grad.clone() for k, p in small.named_parameters() if p.requires_grad})
    small.checkpointing = False
    for name, gradient in found[0].items():
        assert torch.equal(gradient, found[1][name]), name


def test_wrong_arguments(small):
    with pytest.raises(ValueError, match="has no stage .Mixed_6a.; its stages are Conv3d_1a_7x7, "):
        InceptionI3D(out_stages=("Mixed_3c", "Mixed_6a"))
    with pytest.raises(ValueError, match=r"has no stage \(\); its stages are"):
        InceptionI3D(out_stages=())
    with pytest.raises(ValueError, match="in the order of the layers, each once, got"):
        InceptionI3D(out_stages=("Mixed_4f", "Mixed_3c"))
    with pytest.raises(ValueError, match="in_channels must be at least 1, got 0"):
        InceptionI3D(in_channels=0)
    with pytest.raises(ValueError, match="checkpointing would count the statistics"):
        InceptionI3D(frozen_bn=False, checkpointing=True)
    with pytest.raises(ValueError, match=r"takes \[B, 3, T, H, W\], got \(1, 5, 8, 32, 32\)"):
        small(torch.randn(1, 5, 8, 32, 32))
