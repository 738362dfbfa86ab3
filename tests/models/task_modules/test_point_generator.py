import pytest
import torch
from torch.testing import assert_close

from mmtad.models.task_modules import PointGenerator


def test_by_hand():
    points = PointGenerator((1, 2), ((0, 4), (4, 100)))([3, 2])
    assert_close(points[0], torch.tensor([[0.0, 0, 4, 1], [1, 0, 4, 1], [2, 0, 4, 1]]))
    assert_close(points[1], torch.tensor([[0.0, 4, 100, 2], [2, 4, 100, 2]]))


def test_levels_that_double():
    points = PointGenerator(num_levels=3)
    assert points.strides == (1, 2, 4)
    assert points.regression_ranges == ((0, 4), (4, 8), (8, 10000))
    points = PointGenerator(num_levels=4, overlapping=True)
    assert points.regression_ranges == ((0, 4), (2, 8), (4, 16), (8, 10000))


def test_rejects_other_numbers_of_levels():
    with pytest.raises(ValueError, match="2 strides and 1"):
        PointGenerator((1, 2), ((0, 4),))
    with pytest.raises(ValueError, match="6 strides.*2 levels"):
        PointGenerator()([8, 4])
