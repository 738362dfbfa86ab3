import torch
from torch.testing import assert_close

from mmtad.models.task_modules import boundary_targets, choose_boundaries, map_targets


def test_boundaries_by_hand():
    # Regions of three steps: around 1.0 from -0.5 to 2.5, around 7.5 from 6 to 9.
    start, end = boundary_targets(torch.tensor([[1.0, 7.5]]), 10)
    assert_close(start, torch.tensor([1.0, 1, 0.5, 0, 0, 0, 0, 0, 0, 0]))
    assert_close(end, torch.tensor([0.0, 0, 0, 0, 0, 0, 1, 1, 1, 0]))
    both = boundary_targets(torch.tensor([[1.0, 7.5], [1.8, 4.0]]), 10)[0]
    assert_close(both[:4], torch.tensor([1.0, 1, 1, 0.3]))
    whole = boundary_targets(torch.tensor([[1.0, 7.5], [1.8, 4.0]]), 10, whole_only=True)[0]
    assert_close(whole[:4], torch.tensor([1.0, 1, 1, 0]))


def test_map_by_hand():
    proposals = torch.tensor([[0.0, 4.0], [4.0, 8.0], [2.0, 6.0]])
    overlaps = map_targets(torch.tensor([[0.0, 2.0], [4.0, 8.0]]), proposals)
    assert_close(overlaps, torch.tensor([0.5, 1.0, 1 / 3]))


def test_no_action():
    nothing = torch.zeros(0, 2)
    assert not boundary_targets(nothing, 5).any()
    assert boundary_targets(nothing, 5).shape == (2, 5)
    assert not map_targets(nothing, torch.tensor([[0.0, 4.0]])).any()


def test_boundaries_are_high_or_peaks():
    scores = torch.tensor([[0.1, 0.05, 0.2, 0.1, 0.9, 0.5, 0.46, 0.0]])
    chosen = choose_boundaries(scores, torch.ones(1, 8, dtype=torch.bool))
    assert chosen[0].tolist() == [True, False, True, False, True, True, True, False]
    mask = torch.arange(8)[None] < 4
    chosen = choose_boundaries(scores, mask)
    assert chosen[0].tolist() == [True, False, True, False, False, False, False, False]
