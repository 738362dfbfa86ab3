import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch.testing import assert_close

from mmtad.models.heads import ClipClassifier
from mmtad.models.heads.sparse_proposal_head import SparseOutputs
from mmtad.models.layers import AttentionMaps
from mmtad.models.task_modules import SetTargets
from mmtad.registry import MODELS

CHANNELS, K, Q, T = [3, 4, 5], 3, 6, 32
STAGE = dict(num_heads=2, hidden_channels=12, dynamic_channels=4, soi_steps=4)


def build(double=True, **kwargs):
    torch.manual_seed(0)
    options = dict(
        type="SparseProposalHead",
        num_classes=K,
        pyramid=dict(in_channels=CHANNELS),
        num_proposals=Q,
        num_stages=3,
        embed_dims=8,
        stage=STAGE,
        clip_classifier=dict(),
    )
    model = MODELS.build(options | kwargs)
    return model.double() if double else model


def stages(batch=2, length=T, valid=(T, 21)):
    torch.manual_seed(1)
    features = [torch.randn(batch, c, length >> s).double() for s, c in enumerate(CHANNELS)]
    counts = torch.tensor(valid[:batch])[:, None]
    return features, [torch.arange(length >> s)[None] < -(-counts // 2**s) for s in range(3)]


def truth(*actions):
    rows = torch.tensor(actions, dtype=torch.float64).reshape(-1, 3)
    return InstanceData(segments=rows[:, :2], labels=rows[:, 2].long())


SOME = [truth((2, 9, 0), (5, 30, 2), (5, 30, 1)), truth((10, 12, 1))]


def test_outputs_of_all_stages():
    model = build()
    out = model(*stages(), return_maps=True)
    assert isinstance(out, SparseOutputs) and isinstance(out.maps, AttentionMaps)
    assert [x.shape for x in out.class_logits] == [(2, Q, K)] * 3
    assert [x.shape for x in out.segments] == [(2, Q, 2)] * 3
    assert [x.shape for x in out.maps.decoder] == [(2, 2, Q, Q)] * 3 and not out.maps.cross
    assert out.memory.shape == (2, T, 8) and out.mask.shape == (2, T)
    assert out.clip_logits.shape == (2, K)
    assert not any(x.requires_grad for x in out.references)
    assert model(*stages()).maps is None


def test_proposals_start_as_the_whole_window():
    model = MODELS.build(
        dict(type="SparseProposalHead", num_classes=20, pyramid=dict(in_channels=CHANNELS))
    )
    assert_close(model.proposal_segments.detach(), torch.tensor([0.5, 1.0]).expand(50, 2))
    assert model.proposal_features.shape == (50, 256) and len(model.stages) == 4
    assert 0.9 < model.proposal_features.std() < 1.1
    assert model.clip_classifier is None and len(model.pyramid.laterals) == 3
    for stage in model.stages:
        assert_close(stage.classifier.bias.sigmoid(), torch.full((20,), 0.01))
    criterion = model.criterion
    assert criterion.weights == dict(cls=2.0, l1=5.0, iou=2.0)
    assert criterion.matcher.weights == (2.0, 5.0, 2.0)
    placed = build(initial_segment=(0.25, 0.5))
    assert_close(placed.proposal_segments[0].detach(), torch.tensor([0.25, 0.5]).double())


def test_losses_by_hand():
    """One matched pair: weights 2, 5 and 2, L1 of start and end, GIoU; one action divides by 1."""
    model = build(num_stages=1, num_proposals=1, clip_classifier=None)
    features, masks = stages(batch=1)
    out = model(features, masks)
    losses = model.loss(features, masks, [truth((8, 16, 1))])
    center, width = out.segments[0][0, 0]
    start, end = center - width / 2, center + width / 2
    assert_close(losses["loss_l1"], 5 * ((start - 0.25).abs() + (end - 0.5).abs()))
    inter = (end.minimum(torch.tensor(0.5)) - start.maximum(torch.tensor(0.25))).clamp(min=0)
    union = width + 0.25 - inter
    hull = end.maximum(torch.tensor(0.5)) - start.minimum(torch.tensor(0.25))
    assert_close(losses["loss_iou"], 2 * (1 - inter / union + (hull - union) / hull))
    logits, wanted = out.class_logits[0][0, 0], torch.tensor([0.0, 1.0, 0.0]).double()
    prob = logits.sigmoid()
    right = torch.where(wanted > 0, prob, 1 - prob)
    weight = torch.where(wanted > 0, 0.25, 0.75)
    assert_close(losses["loss_cls"], 2 * (-weight * (1 - right) ** 2 * right.log()).sum())


def test_loss_at_every_stage():
    losses = build().loss(*stages(), SOME)
    terms = ("loss_cls", "loss_l1", "loss_iou")
    expected = {f"{p}{t}" for p in ("", "d0.", "d1.") for t in terms}
    assert losses.keys() == expected | {"loss_clip", "unmatched_instances"}
    assert all(x.isfinite() and x >= 0 for x in losses.values())
    assert losses["unmatched_instances"] == 0
    crowded = [truth(*[(i, i + 2, 0) for i in range(Q + 3)]), truth()]
    assert build().loss(*stages(), crowded)["unmatched_instances"] == 3


@pytest.mark.parametrize("refinement", ["deltas", "sigmoid"])
def test_segments_pass_on_without_gradient_and_features_with(refinement):
    model = build(refinement=refinement)
    with torch.no_grad():
        model.proposal_segments.copy_(torch.rand(Q, 2) * 0.6 + 0.2)
    out = model(*stages())

    def reach(loss, *parameters):
        found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        return [x is not None and bool(x.any()) for x in found]

    first, second = model.stages[0].regressor.layers[2].weight, model.stages[1].interaction
    learned = model.proposal_segments, model.proposal_features
    assert reach(out.segments[0].sum(), first, *learned) == [True, True, True]
    assert reach(out.segments[1].sum(), first, *learned) == [False, False, True]
    assert reach(out.class_logits[2].sum(), first, second.out_proj.weight) == [False, True]
    # What the third stage starts from is the second stage's segment.
    delta = model.stages[2].regressor(out.states[2])
    again = model.stages[2].refine(out.segments[1].detach(), delta)
    assert_close(out.segments[2], again)


def test_stages_share_no_weights():
    model = build()
    owners = {}
    for stage in model.stages:
        for parameter in stage.parameters():
            owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    assert set(owners.values()) == {1} and len(owners) == 3 * len(list(stage.parameters()))


def test_clip_classifier_by_hand():
    """Means over the valid steps of every stage, joined; targets are all classes of the window."""
    model = ClipClassifier([1, 1], 2, loss_weight=0.5)
    torch.nn.init.eye_(model.classifier.weight)
    nan = float("nan")
    given = [torch.tensor([[[1.0, 3.0, nan]], [[nan] * 3]]), torch.tensor([[[5.0]], [[7.0]]])]
    masks = [torch.tensor([[1, 1, 0], [0, 0, 0]]).bool(), torch.tensor([[1], [0]]).bool()]
    logits = model(given, masks)
    assert logits.tolist() == [[2.0, 5.0], [0.0, 0.0]]
    targets = [
        SetTargets(torch.rand(2, 2), torch.tensor([[1.0, 0.0], [1.0, 0.0]])),
        SetTargets(torch.rand(0, 2), torch.zeros(0, 2)),
    ]
    wanted = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    expected = 0.5 * F.binary_cross_entropy_with_logits(logits, wanted)
    assert_close(model.loss(logits, targets), expected)


def test_predictions_are_class_times_clip_in_steps_of_the_first_stage():
    model = build(max_per_window=7).eval()
    features, masks = stages()
    out = model(features, masks)
    found = model.predict(features, masks)
    for sample, valid in enumerate((T, 21)):
        scores = out.class_logits[-1][sample].sigmoid() * out.clip_logits[sample].sigmoid()
        best, order = scores.flatten().sort(descending=True)
        assert_close(found[sample].scores, best[:7])
        assert torch.equal(found[sample].labels, order[:7] % K)
        center, width = out.segments[-1][sample, order[:7] // K].unbind(-1)
        pairs = torch.stack([center - width / 2, center + width / 2], -1) * valid
        assert_close(found[sample].segments, pairs)
    without = build(clip_classifier=None).eval()
    without.load_state_dict(model.state_dict(), strict=False)
    (plain, _) = without.predict(features, masks)
    assert_close(plain.scores[0], out.class_logits[-1][0].sigmoid().max())
    assert not build(score_threshold=0.999).predict(features, masks)[0].scores.numel()


@pytest.mark.parametrize("pyramid", [{}, dict(sources="last"), dict(levels=(0,))])
def test_ablations_train(pyramid):
    model = build(pyramid=dict(in_channels=CHANNELS, **pyramid), num_stages=1)
    losses = model.loss(*stages(), SOME)
    sum(v for k, v in losses.items() if "loss" in k).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("valid", [(T, 21), (0, 0)])
def test_windows_without_actions_and_without_a_valid_step(valid):
    model = build()
    features, masks = stages(valid=valid)
    for x, mask in zip(features, masks, strict=True):
        x.masked_fill_(~mask[:, None], torch.nan)
    losses = model.loss(features, masks, [truth(), truth()])
    sum(v for k, v in losses.items() if "loss" in k).backward()
    assert all(x.isfinite() for x in losses.values())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert all(x.segments.isfinite().all() for x in model.eval().predict(features, masks))


def test_a_code_for_every_window():
    model = build()
    features, masks = stages()
    nothing = model(features, masks, query_code=torch.zeros(2, 8).double())
    assert_close(nothing.segments, model(features, masks).segments)
    code = torch.randn(2, 8).double()
    both = model(features, masks, query_code=code)
    one = model([x[1:] for x in features], [m[1:] for m in masks], query_code=code[1:])
    assert_close(both.class_logits[-1][1:], one.class_logits[-1])


def test_features_that_are_not_finite_are_named():
    features, masks = stages()
    features[2][0, 0, 3] = torch.nan
    with pytest.raises(ValueError, match="matching costs of sample 0.*layer 1 of 3"):
        build().loss(features, masks, SOME)


@pytest.mark.parametrize("name", ["num_classes", "num_proposals", "num_stages", "max_per_window"])
def test_numbers_below_one_are_named(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        build(**{name: 0})


def test_wrong_arguments_of_stages_are_named():
    for name in ("eta", "soi_steps", "sampling_ratio"):
        with pytest.raises(ValueError, match=f"{name} of a stage must be positive, got 0"):
            build(stage={name: 0})
    with pytest.raises(TypeError, match="multiple values for (keyword )?argument 'refinement'"):
        build(stage=dict(refinement="sigmoid"))


def test_wrong_initial_segments_are_named():
    for segment in ((0.5, 0.0), (0.5, 1.5), (0.5,)):
        with pytest.raises(ValueError, match="initial_segment is a centre and a width"):
            build(initial_segment=segment)
