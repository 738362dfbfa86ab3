import copy

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

swin = pytest.importorskip("mmaction.models.backbones.swin")
fused_window_attention = pytest.importorskip("mmtad.models.backbones.fused_window_attention")
ShiftedWindows = fused_window_attention.ShiftedWindows

WINDOW = (4, 3, 3)
CASES = [
    ((8, 6, 6), (2, 1, 1)),  # whole windows, shifted along all axes
    ((8, 6, 6), (0, 0, 0)),
    ((7, 5, 8), (2, 1, 1)),  # padded
    ((7, 5, 8), (0, 0, 0)),
    ((9, 2, 7), (2, 1, 1)),  # smaller than a window along one axis
    ((3, 7, 3), (2, 1, 1)),  # shifted along one axis only
    ((2, 2, 3), (2, 1, 1)),  # one window, nothing to shift
    ((12, 9, 6), (1, 0, 2)),
]


def blocks(shift, **kwargs):
    """MMAction2's block and a copy with fused attention."""
    torch.manual_seed(0)
    block = swin.SwinTransformerBlock3D(8, 2, WINDOW, shift, drop_path=0.0, **kwargs)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    fused = copy.deepcopy(block)
    fused_window_attention.fuse_window_attention(fused)
    assert type(fused.attn) is fused_window_attention.FusedWindowAttention
    assert fused.state_dict().keys() == block.state_dict().keys()
    return block, fused


def theirs_mask(sizes, shift):
    window, shift = swin.get_window_size(sizes, WINDOW, shift)
    padded = [-(-size // length) * length for size, length in zip(sizes, window, strict=True)]
    return swin.compute_mask(*padded, window, shift, "cpu")


def close(ours, theirs):
    assert_close(ours, theirs, rtol=1e-5, atol=1e-5 * max(1.0, theirs.abs().max().item()))


@pytest.mark.parametrize("scores", [1, 1 << 24])
@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("sizes, shift", CASES)
def test_equal_to_mmaction(sizes, shift, trained, scores, monkeypatch):
    """Output and all gradients, with the bias table trained (window by window too) or frozen."""
    monkeypatch.setattr(fused_window_attention, "MAX_SCORES", scores)
    block, fused = blocks(shift)
    for module in (block, fused):
        module.attn.relative_position_bias_table.requires_grad_(trained)
    own = torch.randn(2, *sizes, 8, requires_grad=True)
    x = own.detach().clone().requires_grad_()
    theirs = block(own, theirs_mask(sizes, shift))
    ours = fused(x, ShiftedWindows.of(sizes, WINDOW, shift))
    close(ours, theirs)
    weight = torch.randn_like(ours)
    (ours * weight).sum().backward()
    (theirs * weight).sum().backward()
    close(x.grad, own.grad)
    for p, q in zip(fused.parameters(), block.parameters(), strict=True):
        assert (p.grad is None) == (q.grad is None) == (not p.requires_grad)
        if p.requires_grad:
            close(p.grad, q.grad)


@pytest.mark.parametrize("sizes, shift", CASES)
def test_mask_is_that_of_mmaction(sizes, shift):
    windows = ShiftedWindows.of(sizes, WINDOW, shift)
    assert (windows is None) == (not any(swin.get_window_size(sizes, WINDOW, shift)[1]))
    if windows is None:
        return
    expected = theirs_mask(sizes, shift)
    kinds = []

    def masks(x, last):
        kinds.append(last)
        return windows.foreign(last, x.device).expand(len(x), -1, -1)

    assert torch.equal(windows.by_kind(torch.zeros_like(expected), masks), expected != 0)
    assert len(kinds) == len(set(kinds)) == 2 ** sum(s > 0 for s in windows.shift)


def test_takes_masks_of_mmaction_too():
    """Whoever calls the backbone itself gets what it computed before."""
    block, fused = blocks((2, 1, 1))
    x, mask = torch.randn(2, 7, 6, 5, 8), theirs_mask((7, 6, 5), (2, 1, 1))
    close(fused(x, mask), block(x, mask))


@pytest.mark.parametrize("trained", [True, False])
def test_dropout_in_training_only(trained):
    _, fused = blocks((2, 1, 1), attn_drop=0.5)
    fused.attn.relative_position_bias_table.requires_grad_(trained)
    x, windows = torch.randn(1, 8, 6, 6, 8), ShiftedWindows.of((8, 6, 6), WINDOW, (2, 1, 1))
    assert not torch.equal(fused(x, windows), fused(x, windows))
    # The backward pass meets the same dropout: the gradient agrees with a difference quotient.
    fused.double()
    x = x.double().requires_grad_()
    step = torch.randn_like(x)

    def loss(x):
        torch.manual_seed(1)
        return fused(x, windows).sum()

    (gradient,) = torch.autograd.grad(loss(x), x)
    with torch.no_grad():
        quotient = (loss(x + 1e-6 * step) - loss(x - 1e-6 * step)) / 2e-6
    assert_close((gradient * step).sum(), quotient, rtol=1e-5, atol=1e-5)
    fused.eval()
    assert torch.equal(fused(x, windows), fused(x, windows))


class Largest(TorchDispatchMode):
    """Elements of the largest tensor that any operator returns."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        tensors = out if isinstance(out, (tuple, list)) else (out,)
        sizes = [t.untyped_storage().nbytes() // 4 for t in tensors if isinstance(t, torch.Tensor)]
        self.elements = max([self.elements, *sizes])
        return out


@pytest.mark.parametrize("trained", [True, False])
def test_scores_are_never_in_memory(trained, monkeypatch):
    monkeypatch.setattr(fused_window_attention, "MAX_SCORES", 4 * 2 * 36 * 36)
    sizes, shift = (8, 12, 6), (2, 0, 0)
    _, fused = blocks(shift)
    fused.attn.relative_position_bias_table.requires_grad_(trained)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        x = mode.from_tensor(torch.randn(1, *sizes, 8)).requires_grad_()
        largest = Largest()
        with largest:
            fused(x, ShiftedWindows.of(sizes, WINDOW, shift)).sum().backward()
    # The widest layer of the MLP; the scores of one kind of windows are 8 * 2 * 36 * 36 = 20736.
    assert largest.elements == 8 * 12 * 6 * 32
