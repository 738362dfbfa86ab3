import math

import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers import SinePosition, sine_code, unit_positions


def test_codes_by_hand():
    found = sine_code(torch.tensor([0.0, 0.25]), 4, temperature=100.0)
    angle = math.pi / 2
    expected = [
        [0.0, 1.0, 0.0, 1.0],
        [math.sin(angle), math.cos(angle), math.sin(angle / 10), math.cos(angle / 10)],
    ]
    assert_close(found, torch.tensor(expected))


def test_close_positions_have_alike_codes():
    codes = sine_code(torch.linspace(0, 1, 50), 256)
    likeness = codes[10] @ codes.T
    assert int(likeness.argmax()) == 10
    assert (likeness[10:21].diff() < 0).all() and (likeness[:11].diff() > 0).all()


def test_positions_are_shares_of_the_valid_length():
    mask = torch.tensor([[True, True, True, True], [True, True, False, False]])
    assert_close(
        unit_positions(mask, offset=-0.5),
        torch.tensor([[0.125, 0.375, 0.625, 0.875], [0.25, 0.75, 0.75, 0.75]]),
    )
    assert_close(unit_positions(mask)[:, 1], torch.tensor([0.5, 1.0]))
    assert unit_positions(torch.zeros(1, 3, dtype=torch.bool)).isfinite().all()


def test_the_module_codes_the_positions():
    mask = torch.ones(2, 5, dtype=torch.bool)
    found = SinePosition(8, temperature=20.0, offset=0.0)(mask)
    assert_close(found, sine_code(unit_positions(mask), 8, 20.0))
    assert found.shape == (2, 5, 8)


def test_an_odd_width_is_refused():
    for make in (lambda: sine_code(torch.zeros(1), 5), lambda: SinePosition(5)):
        with pytest.raises(ValueError, match="even number of channels, got 5"):
            make()
