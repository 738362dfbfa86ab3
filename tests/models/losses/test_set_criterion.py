import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData
from torch.testing import assert_close

from mmtad.models.losses import SetCriterion, make_targets, sigmoid_focal_loss
from mmtad.models.task_modules import SetTargets
from mmtad.structures import centerwidth_to_segment, segment_giou, segment_iou

K = 3


def truth(*actions):
    actions = torch.tensor(actions, dtype=torch.float64).reshape(-1, 3)
    return InstanceData(segments=actions[:, :2], labels=actions[:, 2].long())


def predictions(batch=2, queries=4, layers=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = [torch.randn(batch, queries, K, generator=generator).double() for _ in range(layers)]
    pairs = [torch.rand(batch, queries, 2, generator=generator).double() for _ in range(layers)]
    return [x.requires_grad_() for x in logits], [x.requires_grad_() for x in pairs]


def test_targets_are_shares_of_the_valid_length():
    masks = torch.tensor([[True] * 8, [True] * 4 + [False] * 4])
    whole, half = make_targets([truth((2, 6, 1)), truth((2, 4, 0))], masks, K)
    assert_close(whole.segments, torch.tensor([[0.25, 0.75]]).double())
    assert_close(half.segments, torch.tensor([[0.5, 1.0]]).double())
    assert whole.labels.tolist() == [[0, 1, 0]]


def test_actions_with_one_segment_share_a_query():
    sample = truth((2, 6, 1), (1, 3, 0), (2, 6, 2), (2, 6, 2))
    masks = torch.ones(1, 8, dtype=torch.bool)
    (merged,) = make_targets([sample], masks, K)
    assert merged.segments.tolist() == [[0.125, 0.375], [0.25, 0.75]]
    assert merged.labels.tolist() == [[1, 0, 0], [0, 1, 1]]
    (single,) = make_targets([sample], masks, K, merge_labels=False)
    assert len(single.segments) == 4 and single.labels.sum(-1).eq(1).all()


def test_one_class_takes_every_label_and_more_classes_check_them():
    masks = torch.ones(1, 8, dtype=torch.bool)
    (target,) = make_targets([truth((2, 6, 7))], masks, 1)
    assert target.labels.tolist() == [[1]]
    with pytest.raises(ValueError, match="labels must lie in 0 to 2, got 7 to 7"):
        make_targets([truth((2, 6, 7))], masks, K)


@pytest.mark.parametrize("kind", ["iou", "giou"])
@pytest.mark.parametrize("view", ["centerwidth", "segment"])
def test_losses_by_hand(kind, view):
    logits, pairs = predictions()
    masks = torch.ones(2, 10, dtype=torch.bool)
    targets = make_targets([truth((1, 4, 0), (5, 9, 2)), truth((2, 8, 1))], masks, K)
    criterion = SetCriterion(iou_type=kind, l1_format=view)
    losses = criterion(logits, pairs, targets)
    overlap = dict(iou=segment_iou, giou=segment_giou)[kind]
    matches = criterion.matcher(torch.stack(logits), torch.stack(pairs), targets)
    for layer, prefix in enumerate(["d0.", ""]):
        hot, l1, iou = torch.zeros(2, 4, K).double(), 0.0, 0.0
        m = matches[layer]
        for b, q, n in zip(m.samples, m.queries, m.targets, strict=True):
            hot[b, q] = targets[b].labels[n]
            own, wanted = centerwidth_to_segment(pairs[layer][b, q]), targets[b].segments[n]
            if view == "segment":
                l1 += (own - wanted).abs().sum()
            else:
                l1 += (pairs[layer][b, q, 0] - wanted.mean()).abs()
                l1 += (pairs[layer][b, q, 1] - wanted.diff()[0]).abs()
            iou += 1 - overlap(own[None], wanted[None])[0, 0]
        assert len(m.samples) == 3
        focal = sigmoid_focal_loss(logits[layer], hot).sum()
        assert_close(losses[f"{prefix}loss_cls"], 2 * focal / 3)
        assert_close(losses[f"{prefix}loss_l1"], 5 * l1 / 3)
        assert_close(losses[f"{prefix}loss_iou"], 2 * iou / 3)
    assert losses["unmatched_instances"] == 0 and len(losses) == 7


def test_windows_without_actions_are_background():
    logits, pairs = predictions()
    targets = make_targets([truth(), truth()], torch.ones(2, 10, dtype=torch.bool), K)
    losses = SetCriterion()(logits, pairs, targets)
    focal = sigmoid_focal_loss(logits[1], torch.zeros(2, 4, K).double()).sum()
    assert_close(losses["loss_cls"], 2 * focal)
    assert losses["loss_l1"] == losses["loss_iou"] == 0
    gradients = torch.autograd.grad(sum(losses.values()), logits + pairs)
    assert all(g.isfinite().all() for g in gradients)


def test_actions_without_a_query_are_counted_and_reported_once(caplog):
    logits, pairs = predictions(batch=1, queries=2)
    sample = truth(*((i, i + 2, 0) for i in range(5)))
    targets = make_targets([sample], torch.ones(1, 10, dtype=torch.bool), K)
    criterion = SetCriterion()
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    for _ in range(2):
        assert criterion(logits, pairs, targets)["unmatched_instances"] == 3
    logger.removeHandler(caplog.handler)
    warnings = [r.getMessage() for r in caplog.records]
    assert sum("3 actions of a batch found no query" in w for w in warnings) == 1
    assert "a window has 5 actions and the head 2 queries; raise num_queries" in warnings[0]


def test_half_precision_is_computed_in_float32():
    logits, pairs = ([x.detach().bfloat16() for x in xs] for xs in predictions())
    targets = [SetTargets(torch.rand(1, 2), torch.ones(1, K)) for _ in range(2)]
    losses = SetCriterion()(logits, pairs, targets)
    assert all(loss.dtype == torch.float32 for loss in losses.values())
