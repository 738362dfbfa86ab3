import pytest
import torch
from torch.testing import assert_close

from mmtad.models.heads import decode_offsets, init_class_prior, select_candidates


def test_decode_by_hand():
    points = torch.tensor([[4.0, 0, 4, 2], [3.0, 0, 4, 1]])
    segments = decode_offsets(points, torch.tensor([[[1.0, 2.0], [0.5, 0.0]]]))
    assert_close(segments, torch.tensor([[[2.0, 8.0], [2.5, 3.0]]]))


def test_select_by_hand():
    segments = torch.tensor([[0.0, 4.0], [2.0, 2.0], [1.0, 9.0]])
    scores = torch.tensor([[0.9, 0.0005], [0.8, 0.7], [0.1, 0.95]])
    found = select_candidates(segments, scores, 0.001, topk=3, min_duration=0.0)
    assert_close(found.scores, torch.tensor([0.95, 0.9]))
    assert found.labels.tolist() == [1, 0]
    assert_close(found.segments, torch.tensor([[1.0, 9.0], [0.0, 4.0]]))
    everything = select_candidates(segments, scores, 0.001, topk=100, min_duration=-1.0)
    assert len(everything) == 5


def test_select_segments_that_depend_on_the_class():
    def segments(points, labels):
        return torch.stack([points, points + labels], dim=1).float()

    scores = torch.tensor([[0.9, 0.3], [0.1, 0.8]])
    found = select_candidates(segments, scores, 0.2, topk=9, min_duration=0.5)
    assert found.segments.tolist() == [[1.0, 2.0], [0.0, 1.0]] and found.labels.tolist() == [1, 1]


def test_select_nothing():
    found = select_candidates(torch.zeros(3, 2), torch.zeros(3, 4), 0.001, 10, 0.0)
    assert found.segments.shape == (0, 2) and len(found.scores) == len(found.labels) == 0


def test_prior():
    bias = torch.zeros(3)
    init_class_prior(bias, 0.01, empty_classes=[1])
    assert_close(bias.sigmoid(), torch.tensor([0.01, 1e-6, 0.01]))
    with pytest.raises(ValueError, match="prior is a probability between 0 and 1, got 0"):
        init_class_prior(bias, 0)
