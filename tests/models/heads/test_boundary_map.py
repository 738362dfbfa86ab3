import pytest
import torch
from torch.testing import assert_close

from mmtad.models.heads.boundary_map import (
    boundary_scores,
    candidate_cells,
    resolve_map_behaviour,
    valid_cells,
)
from mmtad.ops import proposal_segments

SEGMENTS = proposal_segments(6, 3)[0]


def test_cells_within_the_valid_steps():
    mask = torch.arange(6) < torch.tensor([[6], [3], [0]])
    cells = valid_cells(SEGMENTS, mask)
    assert cells[0].int().tolist() == [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 0, 0]]
    assert cells[1].int().tolist() == [[1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]]
    assert not cells[2].any()


def test_candidates_by_hand():
    start = [0.1, 0.9, 0.2, 0.1, 0.05, 0.0]  # step 1
    end = [0.0, 0.1, 0.2, 0.8, 0.3, 0.2]  # step 3
    boundary = torch.tensor([[start, end]])
    mask = torch.ones(1, 6, dtype=torch.bool)
    cells = candidate_cells(boundary, SEGMENTS, mask)[0]
    assert SEGMENTS[cells].tolist() == [[1, 4]]
    # The first step becomes a start, the last an end: [0, t] with an end at 3 is too long.
    assert SEGMENTS[candidate_cells(boundary, SEGMENTS, mask, True)[0]].tolist() == [[1, 4]]
    short = torch.arange(6)[None] < 3
    cells = candidate_cells(boundary, SEGMENTS, short, accept_ends=True)[0]
    assert SEGMENTS[cells].tolist() == [[1, 3], [0, 3]]
    nothing = torch.zeros(1, 6, dtype=torch.bool)
    assert not candidate_cells(boundary, SEGMENTS, nothing, accept_ends=True).any()


def test_score_of_start_and_end():
    boundary = torch.rand(1, 2, 6)
    scores = boundary_scores(boundary, SEGMENTS)
    assert_close(scores[0, 2, 1], boundary[0, 0, 1] * boundary[0, 1, 3])


def test_unknown_block_is_named():
    with pytest.raises(ValueError, match="got 'lstm'"):
        resolve_map_behaviour("lstm", "opentad")
