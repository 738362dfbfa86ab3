import pytest
import torch

from mmtad.models.adapters import TIA, PlainAdapter
from mmtad.models.adapters.tia import depthwise_conv
from mmtad.registry import MODELS

CASES = ["t8_k3", "t32_k3", "t48_k5_r05", "t24_k3_d2"]


def join_clips(x, config, h, w):
    """[videos*clips, t*h*w, C] tokens of the golden to [videos, T, h, w, C]."""
    return x.reshape(config["videos"], config["temporal_size"], h, w, x.shape[-1])


def build(case, name, state):
    config = case["config"][name]
    adapter = TIA(
        config["embed_dims"],
        reduction=1 / config["mlp_ratio"],
        kernel_size=config["kernel_size"],
        dilation=config["dilation"],
    )
    prefix = f"{name}."
    own = {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
    adapter.load_state_dict(own, strict=True)
    return adapter, config


@pytest.mark.parametrize("name", CASES)
def test_golden_output_and_gradients(golden, name):
    state, io, case = golden("tia_adapter")
    adapter, config = build(case, name, state)
    data = io[name]
    x = data["x"].clone().requires_grad_()
    y = adapter(join_clips(x, config, data["h"], data["w"])).reshape(x.shape)
    torch.testing.assert_close(y, data["y"], rtol=1e-5, atol=1e-5)
    y.backward(data["grad_out"])
    torch.testing.assert_close(x.grad, data["grad_x"], rtol=1e-5, atol=1e-5)
    assert set(data["grad_params"]) == {key for key, _ in adapter.named_parameters()}
    for key, parameter in adapter.named_parameters():
        scale = data["grad_params"][key].abs().max().item()
        torch.testing.assert_close(
            parameter.grad, data["grad_params"][key], rtol=1e-5, atol=1e-5 * max(1, scale)
        )


@pytest.mark.parametrize("name", CASES)
def test_golden_float64(golden, name):
    state, io, case = golden("tia_adapter")
    adapter, config = build(case, name, state)
    data = io[name]
    tokens = join_clips(data["x"].double(), config, data["h"], data["w"])
    y = adapter.double()(tokens).reshape(data["x"].shape)
    torch.testing.assert_close(y, data["y_float64"], rtol=1e-9, atol=1e-9)


def test_golden_plain_adapter(golden):
    state, io, _ = golden("tia_adapter")
    adapter = PlainAdapter(32)
    adapter.load_state_dict({k[6:]: v for k, v in state.items() if k.startswith("plain.")})
    y = adapter(io["plain"]["x"][:, :, None, None])[:, :, 0, 0]
    torch.testing.assert_close(y, io["plain"]["y"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("adapter", [TIA(16), TIA(16, kernel_size=5, dilation=2), PlainAdapter(16)])
def test_fresh_adapter_is_identity_or_zero(adapter):
    x = torch.randn(2, 8, 3, 2, 16)
    assert torch.equal(adapter(x), x)
    adapter.residual = False
    assert torch.equal(adapter(x), torch.zeros_like(x))


def test_init_weights_restores_the_identity():
    adapter = TIA(16)
    torch.nn.init.normal_(adapter.up_proj.weight)
    adapter.init_weights()
    assert adapter.is_init and not adapter.up_proj.weight.any()


def test_start_values():
    torch.manual_seed(0)
    adapter = TIA(1024)
    assert adapter.down_proj.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert adapter.dwconv.weight.std().item() == pytest.approx((2 / 3) ** 0.5, rel=0.1)
    assert adapter.conv.weight.std().item() == pytest.approx((2 / 256) ** 0.5, rel=0.05)
    for name, parameter in adapter.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
    assert adapter.gamma.item() == 1


@pytest.mark.parametrize(
    "width, blocks, total",
    [
        (384, 12, 1_006_860),
        (768, 12, 4_004_364),
        (1024, 24, 14_217_240),
        (1280, 32, 29_593_632),
        (1408, 40, 44_746_280),
    ],
)
def test_parameter_totals(width, blocks, total):
    with torch.device("meta"):
        adapter = MODELS.build(dict(type="TIA", embed_dims=width))
    assert blocks * sum(p.numel() for p in adapter.parameters()) == total


def test_plain_adapter_total():
    with torch.device("meta"):
        adapter = PlainAdapter(768)
    assert 12 * sum(p.numel() for p in adapter.parameters()) == 3_550_476


def test_time_is_mixed_but_space_is_not():
    torch.manual_seed(0)
    adapter = TIA(8, kernel_size=3)
    torch.nn.init.normal_(adapter.up_proj.weight)
    x = torch.randn(1, 9, 2, 2, 8)
    other = x.clone()
    other[0, 4, 1, 0] += 1
    changed = (adapter(x) - adapter(other)).abs().sum(-1)[0] > 0
    expected = torch.zeros(9, 2, 2, dtype=torch.bool)
    expected[3:6, 1, 0] = True
    assert torch.equal(changed, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_depthwise_conv_equals_conv1d(dtype):
    torch.manual_seed(0)
    x, weight, bias = torch.randn(2, 7, 2, 3, 4), torch.randn(4, 1, 5), torch.randn(4)
    ours = depthwise_conv(x.to(dtype), weight, bias, dilation=2, padding=4)
    rows = x.to(dtype).float().permute(0, 2, 3, 4, 1).reshape(12, 4, 7)
    reference = torch.nn.functional.conv1d(rows, weight, bias, padding=4, dilation=2, groups=4)
    reference = reference.reshape(2, 2, 3, 4, 7).permute(0, 4, 1, 2, 3).to(dtype)
    assert ours.dtype is dtype
    torch.testing.assert_close(ours, reference, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("padding", [0, 1])
def test_spatial_kernels_equal_conv3d(padding):
    torch.manual_seed(0)
    x, weight, bias = torch.randn(2, 7, 2, 3, 4), torch.randn(4, 1, 3, 3, 5), torch.randn(4)
    ours = depthwise_conv(x, weight, bias, padding=padding)
    reference = torch.nn.functional.conv3d(
        x.permute(0, 4, 1, 2, 3), weight, bias, padding=(padding, 1, 2), groups=4
    )
    torch.testing.assert_close(ours, reference.permute(0, 2, 3, 4, 1), rtol=1e-5, atol=1e-5)


def awake(**kwargs):
    """An adapter whose every parameter matters."""
    torch.manual_seed(0)
    adapter = TIA(8, **kwargs)
    for parameter in adapter.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return adapter


@pytest.mark.parametrize("kernel", [(1, 1, 1), (3, 3, 3), (5, 1, 1)])
def test_ablations_equal_a_plain_restatement(kernel):
    x = torch.randn(2, 6, 4, 3, 8)
    for inner in (True, False):
        adapter = awake(kernel_size=kernel, inner_residual=inner, residual=False)
        hidden = torch.nn.functional.gelu(adapter.down_proj(x))
        weight = adapter.dwconv.weight.reshape(2, 1, *kernel)
        mixed = torch.nn.functional.conv3d(
            hidden.permute(0, 4, 1, 2, 3),
            weight,
            adapter.dwconv.bias,
            padding=tuple(k // 2 for k in kernel),
            groups=2,
        )
        mixed = torch.einsum("bcthw,dc->bthwd", mixed, adapter.conv.weight[..., 0])
        mixed = mixed + adapter.conv.bias
        mixed = hidden + mixed if inner else mixed
        expected = adapter.gamma * (mixed @ adapter.up_proj.weight.T + adapter.up_proj.bias)
        torch.testing.assert_close(adapter(x), expected, rtol=1e-5, atol=1e-5)


def test_context_replaces_the_padding():
    """A middle part with its neighbours' hidden steps gives what the whole sequence gives."""
    adapter = awake(kernel_size=3, dilation=2)
    hidden = torch.randn(1, 12, 2, 2, 2)
    whole = adapter.mix(hidden)
    part = adapter.mix(hidden[:, 4:9], hidden[:, 2:4], hidden[:, 9:11])
    torch.testing.assert_close(part, whole[:, 4:9])
    torch.testing.assert_close(adapter.mix(hidden[:, :5], None, hidden[:, 5:7]), whole[:, :5])
    torch.testing.assert_close(adapter.mix(hidden[:, 7:], hidden[:, 5:7], None), whole[:, 7:])


def test_parts_of_a_video_give_what_the_whole_gives():
    """With the steps around them, also where these are fewer than the convolution reaches."""
    adapter = awake(kernel_size=7)
    tokens = torch.randn(1, 12, 2, 2, 8)
    whole = adapter(tokens)
    parts = [(0, 2), (2, 3), (3, 10), (10, 12)]
    for start, stop in parts:
        before = tokens[:, max(0, start - 3) : start] if start else None
        after = tokens[:, stop : stop + 3] if stop < 12 else None
        part = adapter(tokens[:, start:stop], before, after)
        torch.testing.assert_close(part, whole[:, start:stop])


def test_mean_over_space_commutes():
    """What lets side placement pool before the convolution; not so with a spatial kernel."""
    adapter = awake()
    hidden = torch.randn(1, 6, 3, 2, 2)
    pooled = adapter.project(adapter.mix(hidden.mean((2, 3), keepdim=True)))
    whole = adapter.project(adapter.mix(hidden)).mean((2, 3), keepdim=True)
    torch.testing.assert_close(pooled, whole)
    assert adapter.spatial == 1 and awake(kernel_size=(3, 3, 3)).spatial == 9


def test_projection_to_another_width():
    adapter = TIA(16, out_dims=24, residual=False)
    assert adapter(torch.randn(1, 4, 2, 2, 16)).shape == (1, 4, 2, 2, 24)
    assert sum(p.numel() for p in adapter.parameters()) == 16 * 4 + 4 * 24 + 16 + 6 * 4 + 24 + 1
    with pytest.raises(ValueError, match="a residual adapter keeps the width 16, got out_dims=24"):
        TIA(16, out_dims=24)


def test_autocast_keeps_the_dtype_of_the_tokens():
    adapter = TIA(16)
    torch.nn.init.normal_(adapter.up_proj.weight, std=0.1)
    x = torch.randn(1, 4, 2, 2, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = adapter(x)
    assert y.dtype is torch.float32
    torch.testing.assert_close(y, adapter(x), rtol=0.05, atol=0.05)


def test_bad_arguments():
    with pytest.raises(ValueError, match="kernel_size=4 must be odd"):
        TIA(16, kernel_size=4)
    with pytest.raises(ValueError, match=r"kernel_size=\(3, 2, 3\) must be odd"):
        TIA(16, kernel_size=(3, 2, 3))
    with pytest.raises(ValueError, match="leaves no hidden channel of embed_dims=16"):
        TIA(16, reduction=32)
