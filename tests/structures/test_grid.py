import dataclasses
import math

import pytest
import torch

from mmtad.structures import TemporalGrid

# Where a window begins (seconds), seconds per step, steps, seconds of the video.
GRIDS = [
    (0.0, 4 / 30, 2304, 1000.0),
    (-0.25, 16 / 25, 192, 120.0),
    (1234.5, 1 / 30, 768, 2000.0),
    (3599.9, 8 / 30, 2304, 4300.0),
    (0.0, 250 / 192, 192, 250.0),
]


def test_by_hand():
    grid = TemporalGrid(origin=2.0, step=0.5, length=8, duration=5.0)
    assert grid.to_seconds(torch.tensor([[0.0, 4.0], [1.0, 100.0]])).tolist() == [[2, 4], [2.5, 5]]
    assert grid.to_grid(torch.tensor([[2.0, 4.0], [0.0, 5.0]])).tolist() == [[0, 4], [-4, 6]]
    outside = torch.tensor([[-10.0, 100.0]])
    assert grid.to_seconds(outside).tolist() == [[0, 5]]
    assert grid.to_seconds(outside, clamp=False).tolist() == [[-3, 52]]


def test_equals_the_formula_of_the_field():
    stride, clip, fps = 4, 16, 30.0  # frames, frames, frames per second
    grid = TemporalGrid(clip / 2 / fps, stride / fps, 2304, 1000.0)
    seconds = torch.tensor([[1.0, 2.0], [3.5, 900.0]], dtype=torch.float64)
    torch.testing.assert_close(grid.to_grid(seconds), seconds * fps / stride - clip / (2 * stride))


@pytest.mark.parametrize("values", GRIDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_there_and_back(values, dtype):
    grid = TemporalGrid(*values)
    generator = torch.Generator().manual_seed(0)
    share = torch.rand(1000, 2, generator=generator, dtype=torch.float64)
    seconds = (grid.origin + share * grid.step * grid.length).clamp(0, grid.duration).to(dtype)
    error = (grid.to_seconds(grid.to_grid(seconds)) - seconds).abs().max()
    assert error < (1e-4 if dtype == torch.float32 else 1e-9)


@pytest.mark.parametrize("values", GRIDS)
def test_order_is_kept_and_seconds_lie_in_the_video(values):
    grid = TemporalGrid(*values)
    steps = torch.linspace(-50, grid.length + 50, 999).view(-1, 1).repeat(1, 2)
    seconds = grid.to_seconds(steps)
    assert (seconds.diff(dim=0) >= 0).all()
    assert seconds.min() >= 0 and seconds.max() <= grid.duration


def test_any_leading_shape_and_empty():
    grid = TemporalGrid(*GRIDS[0])
    for shape in [(0, 2), (2,), (3, 4, 2)]:
        assert grid.to_seconds(torch.zeros(shape)).shape == shape
        assert grid.to_grid(torch.zeros(shape)).shape == shape


def test_input_is_not_changed_and_the_grid_neither():
    grid, steps = TemporalGrid(*GRIDS[1]), torch.tensor([[1.0, 2.0]])
    grid.to_seconds(steps)
    grid.to_grid(steps)
    assert steps.tolist() == [[1, 2]]
    with pytest.raises(dataclasses.FrozenInstanceError):
        grid.step = 3.0
    assert grid == TemporalGrid(*GRIDS[1]) and hash(grid) == hash(TemporalGrid(*GRIDS[1]))


def test_a_video_without_length_is_allowed():
    grid = TemporalGrid(origin=0.0, step=1.0, length=0, duration=0.0)
    assert grid.to_seconds(torch.tensor([[1.0, 3.0]])).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    "change",
    [
        {"step": 0.0},
        {"step": -1.0},
        {"step": math.nan},
        {"step": math.inf},
        {"origin": math.nan},
        {"length": -1},
        {"duration": -0.1},
        {"duration": math.nan},
    ],
)
def test_wrong_values_are_named(change):
    (value,) = change.values()
    with pytest.raises(ValueError, match=f"got .*{value}"):
        TemporalGrid(**{"origin": 0.0, "step": 1.0, "length": 4, "duration": 4.0, **change})


def test_extent_is_limited_to_the_video():
    assert TemporalGrid(2.0, 0.5, 8, 30.0).extent == (2.0, 6.0)
    assert TemporalGrid(-1.0, 0.5, 100, 30.0).extent == (0.0, 30.0)
