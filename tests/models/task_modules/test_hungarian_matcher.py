from itertools import permutations

import pytest
import torch
from mmengine.logging import MessageHub
from torch.testing import assert_close

from mmtad.models.task_modules import HungarianMatcher, SetTargets


def problem(counts=(2, 0, 3), layers=2, queries=4, classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(layers, len(counts), queries, classes, generator=generator).double()
    segments = torch.rand(layers, len(counts), queries, 2, generator=generator).double()
    targets = []
    for count in counts:
        points = torch.rand(count, 2, generator=generator).double().sort(dim=-1).values
        labels = torch.randint(classes, (count,), generator=generator)
        targets.append(SetTargets(points, torch.nn.functional.one_hot(labels, classes).double()))
    return logits, segments, targets


def cost(logits, pair, target, label, weights=(6, 5, 2)):
    """One pair, by hand."""
    p = logits.sigmoid()[label]
    of_class = -0.25 * (1 - p) ** 2 * (p + 1e-8).log() + 0.75 * p**2 * (1 - p + 1e-8).log()
    start, end = pair[0] - pair[1] / 2, pair[0] + pair[1] / 2
    inter = max(0.0, float(min(end, target[1]) - max(start, target[0])))
    union = float(end - start + target[1] - target[0]) - inter
    center, width = target.mean(), target[1] - target[0]
    of_l1 = abs(pair[0] - center) + abs(pair[1] - width)
    return float(weights[0] * of_class + weights[1] * of_l1 - weights[2] * inter / union)


def test_the_matching_is_the_cheapest_of_all():
    logits, segments, targets = problem()
    matches = HungarianMatcher()(logits, segments, targets)
    assert len(matches) == 2
    for layer, found in enumerate(matches):
        for sample, target in enumerate(targets):
            own = found.samples == sample
            count = len(target.segments)
            table = [
                [
                    cost(logits[layer, sample, q], segments[layer, sample, q], segment, int(label))
                    for segment, label in zip(
                        target.segments, target.labels.argmax(-1), strict=True
                    )
                ]
                for q in range(4)
            ]
            totals = {
                order: sum(table[q][n] for n, q in enumerate(order))
                for order in permutations(range(4), count)
            }
            best = min(totals, key=totals.get)
            pairs = set(zip(found.targets[own].tolist(), found.queries[own].tolist(), strict=True))
            assert pairs == set(enumerate(best))


def test_costs_by_hand_in_the_other_formats():
    logits, segments, targets = problem((1,), layers=1, queries=1)
    pair, (start, end) = segments[0, 0, 0], targets[0].segments[0]
    own = (pair[0] - pair[1] / 2, pair[0] + pair[1] / 2)
    matcher = HungarianMatcher(0, 1, 0, l1_format="segment")
    found = matcher.costs(
        logits, segments, *(t[None] for t in (targets[0].segments, targets[0].labels))
    )
    assert_close(found.flatten()[0], abs(own[0] - start) + abs(own[1] - end))
    apart = SetTargets(torch.tensor([[5.0, 6.0]]).double(), targets[0].labels)
    near = HungarianMatcher(0, 0, 1, iou_type="giou")
    found = near.costs(logits, segments, apart.segments[None], apart.labels[None])
    gap, hull = 5 - own[1], 6 - own[0]
    assert_close(found.flatten()[0], gap / hull)


def test_an_action_of_two_classes_sums_their_costs():
    logits, segments, targets = problem((1,), layers=1, queries=2)
    both = torch.tensor([[[1.0, 1.0, 0.0]]]).double()
    matcher = HungarianMatcher(1, 0, 0)
    wanted = targets[0].segments[None]
    parts = [matcher.costs(logits, segments, wanted, both * torch.eye(3)[i]) for i in range(2)]
    assert_close(matcher.costs(logits, segments, wanted, both), sum(parts))


def test_more_actions_than_queries_leaves_the_dearest_out():
    logits, segments, targets = problem((6,), layers=1, queries=2)
    (found,) = HungarianMatcher()(logits, segments, targets)
    assert found.queries.tolist() == [0, 1] and len(set(found.targets.tolist())) == 2


def test_nothing_to_match():
    logits, segments, targets = problem((0, 0))
    for found in HungarianMatcher()(logits, segments, targets):
        assert len(found.samples) == len(found.queries) == len(found.targets) == 0


def test_costs_that_are_not_finite_are_named(monkeypatch):
    logits, segments, targets = problem()
    segments[1, 2, 3] = torch.nan
    hub = MessageHub.get_current_instance()
    monkeypatch.setattr(hub, "get_info", lambda key, default=None: {"iter": 41}.get(key, default))
    message = "sample 2 in the batch, decoder layer 2 of 2, are NaN or infinite at step 41"
    with pytest.raises(ValueError, match=message):
        HungarianMatcher()(logits, segments, targets)


def test_predictions_that_are_not_finite_are_named_without_any_action_too():
    logits, segments, targets = problem((0, 0))
    logits[1, 0, 2] = torch.inf
    with pytest.raises(ValueError, match="1 of 8 queries, decoder layer 2 of 2, are NaN"):
        HungarianMatcher()(logits, segments, targets)


@pytest.mark.parametrize("bad", [dict(iou_type="diou"), dict(l1_format="xy")])
def test_unknown_names_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad.values()))):
        HungarianMatcher(**bad)
