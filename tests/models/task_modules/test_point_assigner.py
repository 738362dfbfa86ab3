import pytest
import torch
from torch.testing import assert_close

from mmtad.models.task_modules import PointAssigner, PointGenerator


def points(length=16):
    generator = PointGenerator((1, 2), ((0, 4), (4, 100)))
    return torch.cat(generator([length, length // 2]))


def assign(segments, labels, num_classes=3, **kwargs):
    return PointAssigner(**kwargs)(
        points(), torch.tensor(segments).reshape(-1, 2), torch.tensor(labels).long(), num_classes
    )


def test_centre_sampling_by_hand():
    classes, offsets = assign([[2.0, 8.0]], [1])
    # Level 0: within 1.5 of the centre 5 and at most 4 from either boundary.
    positive = classes[:16].sum(1).nonzero().squeeze(1).tolist()
    assert positive == [4, 5, 6]
    assert_close(offsets[4], torch.tensor([2.0, 4.0]))
    # Level 1: within 3 of the centre and at least 4 from the farther boundary; 2 is on the edge.
    positive = classes[16:].sum(1).nonzero().squeeze(1).mul(2).tolist()
    assert positive == [4, 6]
    assert_close(offsets[16 + 2], torch.tensor([1.0, 2.0]))
    assert classes.sum(0).tolist() == [0, 5, 0]


def test_without_centre_sampling_the_whole_action_counts():
    classes, _ = assign([[2.0, 12.0]], [1], radius=None)
    assert classes[16:].sum(1).nonzero().squeeze(1).mul(2).tolist() == [4, 6, 8, 10]


def test_shortest_action_wins_and_equals_share():
    classes, offsets = assign([[0.0, 15.0], [6.0, 9.0], [6.0, 9.0]], [0, 1, 2], radius=None)
    assert classes[7].tolist() == [0, 1, 1]
    assert_close(offsets[7], torch.tensor([1.0, 2.0]))


def test_every_action_may_give_its_class():
    segments, labels = [[0.0, 15.0], [1.0, 9.0]], [0, 1]
    assert assign(segments, labels, radius=None)[0][16 + 2].tolist() == [0, 1, 0]
    both = assign(segments, labels, radius=None, similar_length=None)[0]
    assert both[16 + 2].tolist() == [1, 1, 0]


@pytest.mark.parametrize("segments", [[], [[5.0, 5.0]], [[100.0, 120.0]]])
def test_nothing_to_learn(segments):
    classes, offsets = assign(segments, [0] * len(segments))
    assert classes.shape == (24, 3) and (classes == 0).all()
    assert offsets.shape == (24, 2) and (offsets == 0).all()


def test_rejects_radius():
    with pytest.raises(ValueError, match="0"):
        PointAssigner(radius=0)
