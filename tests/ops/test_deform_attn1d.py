import math
import time

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmtad.ops import deform_attn1d, deform_attn1d_map


def inputs(batch=2, steps=7, queries=5, heads=3, points=4, dims=6, dtype=torch.float64):
    torch.manual_seed(0)
    value = torch.randn(batch, steps, heads, dims, dtype=dtype)
    locations = torch.rand(batch, queries, heads, points, dtype=dtype) * 1.6 - 0.3
    weights = torch.rand(batch, queries, heads, points, dtype=dtype).softmax(-1)
    return value, locations, weights


def by_loop(value, locations, weights):
    """The definition, one number after the other."""
    steps = value.shape[1]
    out = torch.zeros(*locations.shape[:3], value.shape[3], dtype=value.dtype)
    for b, q, h, p in torch.cartesian_prod(*map(torch.arange, locations.shape)).tolist():
        position = locations[b, q, h, p].item() * steps - 0.5
        for step in (math.floor(position), math.floor(position) + 1):
            if 0 <= step < steps:
                share = 1 - abs(position - step)
                out[b, q, h] += weights[b, q, h, p] * share * value[b, step, h]
    return out


def by_grid_sample(value, locations, weights):
    """The formulation of the public codes: the sequence as an image of one column."""
    batch, steps, heads, dims = value.shape
    queries, points = locations.shape[1], locations.shape[3]
    image = value.permute(0, 2, 3, 1).reshape(batch * heads, dims, steps, 1)
    grid = (2 * locations - 1).transpose(1, 2).reshape(batch * heads, queries, points)
    grid = torch.stack([torch.zeros_like(grid), grid], dim=-1)
    read = F.grid_sample(image, grid, padding_mode="zeros", align_corners=False)
    read = (read * weights.transpose(1, 2).reshape(batch * heads, 1, queries, points)).sum(-1)
    return read.view(batch, heads, dims, queries).permute(0, 3, 1, 2)


def gradients(function, *tensors):
    leaves = [x.clone().requires_grad_() for x in tensors]
    out = function(*leaves)
    out.backward(torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(out.shape))
    return [out.detach(), *(x.grad for x in leaves)]


def test_by_hand():
    value = torch.tensor([10.0, 20.0, 40.0, 80.0]).view(1, 4, 1, 1)
    # Centres lie at 1/8, 3/8, 5/8 and 7/8; 0 is half a step before the first one.
    places = torch.tensor([1 / 8, 0.25, 0.5, 7 / 8, 0.0, 1.0, -1 / 8, 5.0]).view(1, 8, 1, 1)
    read = deform_attn1d(value, places, torch.ones_like(places)).flatten()
    assert_close(read, torch.tensor([10.0, 15.0, 30.0, 80.0, 5.0, 40.0, 0.0, 0.0]))


def test_is_the_definition():
    assert_close(deform_attn1d(*inputs()), by_loop(*inputs()))


def test_values_and_gradients_of_grid_sample():
    ours, theirs = gradients(deform_attn1d, *inputs()), gradients(by_grid_sample, *inputs())
    for mine, other in zip(ours, theirs, strict=True):
        assert_close(mine, other)


def test_gradients_are_numerically_right():
    tensors = [x.requires_grad_() for x in inputs(1, 5, 2, 2, 2, 3)]
    assert torch.autograd.gradcheck(deform_attn1d, tensors)
    assert torch.autograd.gradcheck(lambda *x: deform_attn1d_map(*x, 5), tensors[1:])


def test_map_times_values_is_the_result():
    value, locations, weights = inputs()
    weight_map = deform_attn1d_map(locations, weights, value.shape[1])
    assert weight_map.shape == (2, 3, 5, 7)
    out = torch.einsum("bhqt,bthd->bqhd", weight_map, value)
    assert_close(out, deform_attn1d(value, locations, weights))


def test_rows_of_the_map_sum_to_one_inside():
    _, locations, weights = inputs()
    inside = deform_attn1d_map(locations.clamp(0.5 / 7, 6.5 / 7), weights, 7)
    assert_close(inside.sum(-1), torch.ones(2, 3, 5, dtype=torch.float64))
    assert (deform_attn1d_map(locations + 9, weights, 7) == 0).all()


def test_half_precision():
    value, locations, weights = inputs(dtype=torch.float32)
    out = deform_attn1d(value.half(), locations, weights)
    assert out.dtype == torch.float16
    assert_close(out.float(), deform_attn1d(value, locations, weights), rtol=1e-2, atol=1e-2)


def test_no_query_one_step_and_no_number():
    value, locations, weights = inputs(steps=1)
    assert deform_attn1d(value, locations[:, :0], weights[:, :0]).shape == (2, 0, 3, 6)
    assert_close(deform_attn1d(value, locations, weights), by_loop(value, locations, weights))
    locations[0, 0, 0, 0] = math.nan
    assert deform_attn1d(value, locations, weights)[0, 0, 0].isnan().all()


def test_far_locations_are_finite():
    value, locations, weights = inputs()
    for far in (1e30, -1e30):
        out = gradients(deform_attn1d, value, locations * 0 + far, weights)
        assert all(x.isfinite().all() for x in out) and (out[0] == 0).all()


def test_wrong_shapes():
    value, locations, weights = inputs()
    for wrong in (
        (value[0], locations, weights),
        (value, locations[:1], weights[:1]),
        (value, locations, weights[..., :2]),
        (value[:, :0], locations, weights),
    ):
        with pytest.raises(ValueError, match=r"takes value \[B, T, H, D\] with T > 0"):
            deform_attn1d(*wrong)
    with pytest.raises(ValueError, match="positive length, got .* and 0"):
        deform_attn1d_map(locations, weights, 0)


def test_memory_is_linear():
    """Nothing of the size Q x T, and no value per place and channel, waits for the gradients."""
    value, locations, weights = inputs(1, 3000, 3000, 2, 4, 16, torch.float32)
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    leaves = [x.requires_grad_() for x in (value, locations, weights)]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = deform_attn1d(*leaves)
    assert sum(kept.values()) < 8 * (value.nbytes + locations.nbytes + weights.nbytes)
    assert sum(kept.values()) < 4 * out.numel() * 8  # bytes of the values at all places


def test_is_not_slower_than_grid_sample():
    tensors = inputs(8, 128, 128, 8, 4, 32, torch.float32)

    def seconds(function):
        start = time.process_time()
        gradients(function, *tensors)
        return time.process_time() - start

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads that wait for a busy core count as working
    try:
        ratios = [seconds(deform_attn1d) / seconds(by_grid_sample) for _ in range(9)]
    finally:
        torch.set_num_threads(threads)
    assert sorted(ratios)[4] < 1  # 0.6
