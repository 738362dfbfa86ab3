import numpy as np
import pytest

from mmtad.evaluation.average_recall import (
    area_under_curve,
    average_recall,
    first_hits,
    proposal_budgets,
    recall_at_kx,
)

NEVER = np.iinfo(np.int64).max


def hits(actions, found, thresholds=(0.5,)):
    """Actions (group, start, end), detections (group, start, end, score)."""
    actions, found = np.array(actions, dtype=float), np.array(found, dtype=float).reshape(-1, 4)
    return first_hits(
        actions[:, 0].astype(np.int64),
        actions[:, 1:],
        found[:, 0].astype(np.int64),
        found[:, 1:3],
        found[:, 3],
        thresholds,
    )


def test_first_hits_by_hand():
    actions = [(0, 0, 10), (0, 20, 30), (1, 0, 10), (2, 0, 10)]
    found = [
        (0, 2, 10, 0.1),  # rank 3 of group 0: tIoU 0.8 with the first action
        (0, 0, 6, 0.5),  # rank 2: 0.6
        (0, 0, 30, 0.9),  # rank 0: 1/3 with both
        (0, 21, 30, 0.7),  # rank 1: 0.9 with the second
        (1, 0, 10, 0.2),  # rank 0 of group 1
        (-1, 0, 10, 1.0),  # no group
    ]
    assert hits(actions, found, [0.3, 0.6, 0.75, 1.0]).tolist() == [
        [0, 2, 3, NEVER],
        [0, 1, 1, NEVER],
        [0, 0, 0, 0],
        [NEVER] * 4,
    ]


def test_equal_scores_keep_their_order_and_nothing_is_found_by_zero_length():
    assert hits([(0, 0, 10)], [(0, 50, 60, 0.5), (0, 0, 10, 0.5)]).tolist() == [[1]]
    assert hits([(0, 0, 10)], [(0, 5, 5, 0.5)]).tolist() == [[NEVER]]
    assert hits([(0, 5, 5)], [(0, 5, 5, 0.5)]).tolist() == [[NEVER]]
    assert hits([(0, 0, 10)], []).tolist() == [[NEVER]]


def test_budgets():
    # Two videos, 4 and 2 proposals, 3 on average: AN = 3 spends all, AN = 1 a third.
    assert proposal_budgets(np.array([4, 2]), 3).tolist() == [[1, 2, 4], [0, 1, 2]]
    # More AN than there are proposals spend no more.
    assert proposal_budgets(np.array([4, 2]), 100)[:, -1].tolist() == [4, 2]
    # 200 proposals on average, A = 100: every video keeps its better half.
    assert proposal_budgets(np.array([300, 100]), 100)[:, -1].tolist() == [150, 50]
    assert proposal_budgets(np.array([0, 0]), 2).tolist() == [[0, 0], [0, 0]]
    budgets = proposal_budgets(np.random.default_rng(0).integers(0, 300, 50), 100)
    assert (np.diff(budgets, axis=1) >= 0).all()


def test_shares_round_down_in_floating_point():
    """0.29 * 100 is 28.999...: the public evaluators look at 28 proposals for AN = 29."""
    budgets = proposal_budgets(np.array([100]), 100)[0]
    assert [an for an, n in zip(range(1, 101), budgets, strict=True) if n != an] == [29, 57, 58]


def test_average_recall_by_hand():
    ranks = np.array([[0, 2], [1, NEVER], [0, 0]])
    videos, budgets = np.array([0, 0, 1]), np.array([[1, 3], [0, 1]])
    recall = average_recall(ranks, videos, budgets)
    np.testing.assert_allclose(recall, [[[1 / 3, 1], [0, 2 / 3]]])
    recall = average_recall(ranks, videos, budgets, np.array([1, 0, 1]), 3)
    np.testing.assert_allclose(recall[:2], [[[0, 1], [0, 0]], [[0.5, 1], [0, 1]]])
    assert np.isnan(recall[2]).all()


def test_area():
    assert area_under_curve(np.ones(100)) == pytest.approx(0.99)
    assert area_under_curve(np.zeros(100)) == 0
    assert area_under_curve(np.array([0.2, 0.4, 0.8])) == pytest.approx((0.3 + 0.6) / 3)
    assert area_under_curve(np.array([0.7])) == 0


def test_recall_at_kx_by_hand():
    # Class 0: two actions in one video (keys 0), so 1x looks at two detections; class 1 one.
    ranks = np.array([[0], [2], [1]])
    recall = recall_at_kx(ranks, np.array([0, 0, 5]), np.array([0, 0, 1]), [1, 2], 3)
    assert recall[:2].tolist() == [[[0.5, 1.0]], [[0.0, 1.0]]]
    assert np.isnan(recall[2]).all()
