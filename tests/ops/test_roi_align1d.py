import math

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing import assert_close

from mmtad.ops import align_sample_points, roi_align1d

EXACT = dict(rtol=1e-12, atol=1e-12)


def by_loops(feature, start, end, size, ratio):
    """One segment of one sequence ``[C, T]``, position by position."""
    steps = feature.shape[1]
    length = max(end - start, 1.0)
    count = ratio or math.ceil(length / size)
    out = torch.zeros(len(feature), size, dtype=feature.dtype)
    for index in range(size):
        for j in range(count):
            t = start + (index + (j + 0.5) / count) * length / size
            if t < -1 or t > steps:
                continue
            t = min(max(t, 0.0), steps - 1.0)
            low = int(t)
            high = min(low + 1, steps - 1)
            out[:, index] += (
                feature[:, low] * (1 - t + low) + feature[:, high] * (t - low)
            ) / count
    return out


@pytest.mark.parametrize("size, ratio", [(1, 0), (3, 0), (8, 0), (4, 2), (3, 1)])
def test_against_loops(size, ratio):
    torch.manual_seed(0)
    feature = torch.randn(4, 12, dtype=torch.float64)
    cases = [
        (0.0, 12.0),
        (2.3, 2.9),
        (-3.0, 15.0),
        (5.5, 5.5),
        (7.0, 3.0),
        (-9.0, -4.0),
        (3.2, 9.9),
    ]
    segments = torch.tensor(cases, dtype=torch.float64)
    out = roi_align1d(feature[None], segments[None], size, ratio)[0]
    assert out.shape == (len(cases), 4, size)
    for result, (start, end) in zip(out, cases, strict=True):
        assert_close(result, by_loops(feature, start, end, size, ratio))


def test_a_ramp_gives_the_centres_of_the_bins():
    ramp = torch.arange(20.0)[None, None]
    out = roi_align1d(ramp, torch.tensor([[[4.0, 12.0]]]), 4)
    assert_close(out[0, 0, 0], torch.tensor([5.0, 7.0, 9.0, 11.0]))


def test_golden(golden):
    """The kernel of OpenTAD in double precision, forward and backward."""
    _, io, _ = golden("tadtr_opentad")
    case = io["align1d"]
    index, segments = case["rois"][:, 0].long(), case["rois"][:, 1:]
    feature = case["feat"].double().requires_grad_()
    out = roi_align1d(feature, segments, 8, batch_index=index)
    assert_close(out, case["out_r8_s0"], **EXACT)
    assert_close(roi_align1d(feature, segments, 4, 2, index), case["out_r4_s2"], **EXACT)
    out.backward(case["grad_out"].double())
    assert_close(feature.grad, case["grad_in_r8_s0"], **EXACT)
    # OpenTAD's layer around the kernel rounds its input to half precision first; ours does not.
    layer = case["layer_float32"]
    exact = roi_align1d(case["feat"].float(), segments.float(), 8, batch_index=index)
    rounded = roi_align1d(
        case["feat"].half().float(), segments.half().float(), 8, batch_index=index
    )
    assert_close(rounded, layer, rtol=1e-6, atol=1e-6)
    assert 1e-5 < float((exact - layer).detach().abs().max()) < 5e-3


def test_gradients_reach_the_features_only():
    feature = torch.randn(2, 3, 6, dtype=torch.float64, requires_grad=True)
    segments = torch.tensor([[[0.5, 4.0]], [[2.0, 9.0]]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: roi_align1d(x, segments.detach(), 4), feature)
    roi_align1d(feature, segments, 4).sum().backward()
    assert segments.grad is None


def test_half_precision_and_no_segment():
    feature = torch.randn(1, 3, 6).bfloat16()
    assert roi_align1d(feature, torch.tensor([[[0.0, 3.0]]]), 4).dtype == torch.bfloat16
    assert roi_align1d(feature, torch.zeros(1, 0, 2), 4).shape == (1, 0, 3, 4)


def test_constant_segments_become_sums():
    feature = torch.randn(2, 5, 9)
    segments = torch.tensor([[-1.5, 4.5], [0.0, 9.0], [3.0, 4.0]])
    sums = align_sample_points(segments.numpy(), 9, 4).sampling()
    ours = sums(feature.transpose(1, 2)).unflatten(1, (3, 4)).transpose(2, 3)
    assert_close(ours, roi_align1d(feature, segments.expand(2, -1, -1), 4))


def test_an_open_end_is_padding_that_follows():
    feature = torch.randn(1, 5, 9)
    segments = torch.tensor([[-1.5, 4.5], [0.0, 9.0], [7.5, 9.5], [8.0, 14.0]])
    sums = align_sample_points(segments.numpy(), 9, 4, open_end=True).sampling()
    ours = sums(feature.transpose(1, 2)).unflatten(1, (4, 4)).transpose(2, 3)
    for zeros in (1, 20):
        padded = torch.nn.functional.pad(feature, (0, zeros))
        assert_close(ours, roi_align1d(padded, segments[None], 4))
    assert not torch.allclose(ours, roi_align1d(feature, segments[None], 4))


def test_wrong_arguments_are_named():
    feature = torch.zeros(2, 3, 6)
    with pytest.raises(ValueError, match=r"B=2, or \[M, 2\] with a batch_index; got \(5, 2\)"):
        roi_align1d(feature, torch.zeros(5, 2), 4)
    with pytest.raises(ValueError, match=r"3 batch indices need segments \[M, 2\], got \(5, 2\)"):
        roi_align1d(feature, torch.zeros(5, 2), 4, batch_index=torch.zeros(3, dtype=torch.long))
    with pytest.raises(ValueError, match="got 0 and 0"):
        roi_align1d(feature, torch.zeros(2, 1, 2), 0)


@pytest.mark.parametrize("sampling_ratio", [0, 2])
def test_tensors_without_values(sampling_ratio):
    """A planner of memory sees shapes alone."""
    with FakeTensorMode():
        features = torch.empty(2, 8, 20, requires_grad=True)
        pooled = roi_align1d(features, torch.empty(2, 5, 2), 4, sampling_ratio)
        assert pooled.shape == (2, 5, 8, 4)
        pooled.sum().backward()
        assert features.grad.shape == features.shape
