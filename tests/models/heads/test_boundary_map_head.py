import re

import pytest
import torch
from mmengine.structures import InstanceData
from torch.testing import assert_close

from mmtad.models.detectors import TADDetector
from mmtad.models.heads import BoundaryMapHead

STEPS, DURATIONS = 12, 8
BMN = dict(
    extractor=dict(
        type="BoundaryMatchingExtractor", hidden_channels=6, roi_channels=8, num_points=4
    ),
    extractor_channels=8,
)
GTAD = dict(
    boundary_block="gcnext",
    boundary_groups=4,
    extractor=dict(type="SubGraphAlignment", roi_size=4, context_size=2, groups=4),
    extractor_channels=8,
)
BOTH = pytest.mark.parametrize("options", [BMN, GTAD], ids=["bmn", "gtad"])


def build(options=BMN, **more):
    torch.manual_seed(0)
    sizes = dict(in_channels=8, num_steps=STEPS, num_durations=DURATIONS, feat_channels=6)
    return BoundaryMapHead(**{**sizes, **options, **more})


def level(lengths=(12, 7)):
    mask = torch.arange(STEPS) < torch.tensor(lengths)[:, None]
    x = torch.randn(len(lengths), 8, STEPS, generator=torch.Generator().manual_seed(1))
    return [x * mask[:, None]], [mask]


def truth(*samples):
    return [
        InstanceData(
            segments=torch.tensor(sample).float().reshape(-1, 2),
            labels=torch.zeros(len(sample), dtype=torch.int64),
        )
        for sample in samples
    ]


@BOTH
@pytest.mark.parametrize("preset", ["padding_free", "official", "opentad"])
@pytest.mark.parametrize("actions", [[], [(2, 7)], [(0, 12)], [(3.1, 3.3)]])
def test_losses_are_finite_and_reach_every_parameter(options, preset, actions):
    head = build(options, preset=preset)
    losses = head.loss(*level(), truth(actions, []))
    assert set(losses) == {"loss_boundary", "loss_cls", "loss_reg"}
    assert all(loss.isfinite() for loss in losses.values())
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


@BOTH
def test_a_window_without_a_valid_step(options):
    head = build(options)
    losses = head.loss(*level((0, 0)), truth([], []))
    assert all(float(loss.detach()) == 0 for loss in losses.values())
    assert [len(found) for found in head.predict(*level((0, 0)))] == [0, 0]


def detector(options, preset, num_steps=STEPS, num_durations=DURATIONS):
    torch.manual_seed(0)
    groups = dict(groups=4)
    sizes = dict(in_channels=8, num_steps=num_steps, num_durations=num_durations, feat_channels=6)
    graph = options is GTAD
    return TADDetector(
        projection=dict(type="ConvProjection", in_channels=4, out_channels=8, **groups),
        neck=dict(type="GCNeXtNeck", channels=8, preset=preset, **groups) if graph else None,
        head=dict(type="BoundaryMapHead", preset=preset, **sizes, **options),
    )


@BOTH
def test_padding_touches_nothing(options):
    model = detector(options, "padding_free").double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    mask = torch.arange(STEPS) < torch.tensor([[12], [7]])
    x = torch.randn(2, 4, STEPS, dtype=torch.float64)
    other = x.masked_fill(~mask[:, None], torch.nan)
    actions = truth([(2, 7)], [(1, 4)])
    choice = [torch.rand(2, int(model.head.inside.sum())) for _ in range(2)]
    results = []
    for inputs in (x, other):
        features, masks = model.extract_features(inputs, mask)
        outputs = model.head(features, masks)
        losses = model.head.loss_by_outputs(outputs, masks, actions, draws=choice)
        results.append((losses, model.head.predict(features, masks)))
    (losses, found), (other_losses, other_found) = results
    assert losses == other_losses and all(loss.isfinite() for loss in losses.values())
    for a, b in zip(found, other_found, strict=True):
        assert torch.equal(a.segments, b.segments) and torch.equal(a.scores, b.scores)
    assert len(found[1]) and float(found[1].segments.max()) <= 7


def alone_and_padded(options, preset):
    """Boundary and map logits of 7 steps: in a model of that length, and in one of 12."""
    long = detector(options, preset).double().eval()
    torch.nn.init.constant_(long.projection.convs[-1].bias, 0.5)
    short = detector(options, preset, num_steps=7, num_durations=7).double().eval()
    short.load_state_dict(long.state_dict())
    x = torch.randn(1, 4, STEPS, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    mask = torch.arange(STEPS)[None] < 7
    alone, padded = short(x[..., :7], mask[:, :7]), long(x, mask)
    inside = short.head.inside
    return (
        (alone.boundary_logits, alone.map_logits[:, :, inside]),
        (padded.boundary_logits[..., :7], padded.map_logits[:, :, :7, :7][:, :, inside]),
    )


@BOTH
def test_valid_steps_do_not_see_how_much_padding_follows(options):
    alone, padded = alone_and_padded(options, "padding_free")
    assert_close(padded, alone)


@BOTH
@pytest.mark.parametrize("preset", ["official", "opentad"])
def test_public_codes_let_padding_leak(options, preset):
    alone, padded = alone_and_padded(options, preset)
    leaks = [float((a - b).detach().abs().max()) for a, b in zip(alone, padded, strict=True)]
    assert leaks[1] > 1e-4  # the map
    # A convolution sees zeros behind the last step; the graph takes those zeros for neighbours.
    assert leaks[0] > 1e-4 if options is GTAD else leaks[0] < 1e-12


def test_what_the_presets_decide():
    ours, official, opentad = (build(preset=p) for p in ("padding_free", "official", "opentad"))
    assert [len(head.towers) for head in (ours, official, opentad)] == [1, 1, 2]
    assert [head.loss_reg.loss_weight for head in (ours, official, opentad)] == [10, 10, 5]
    assert [head.loss_reg.as_published for head in (ours, official, opentad)] == [False, True, True]
    kinds = [head.loss_reg.overlapping_only for head in (ours, official, opentad)]
    assert kinds == [False, True, False]
    assert [head.score_type for head in (ours, official, opentad)] == ["product", "product", "iou"]
    assert [head.accept_ends for head in (ours, official, opentad)] == [False, False, True]
    graphs = [build(GTAD, preset=p) for p in ("padding_free", "official", "opentad")]
    assert all(len(head.towers) == 2 and head.score_type == "iou" for head in graphs)
    assert all(head.loss_reg.loss_weight == 5 for head in graphs)
    assert [head.candidates for head in graphs] == ["boundaries", "all", "boundaries"]
    every = graphs[1].predict(*level((12, 12)))[0]
    assert len(every) == int(graphs[1].inside.sum())
    mixed = build(preset="opentad", shared_tower=True, reg_weight=2, score_type="product")
    assert len(mixed.towers) == 1 and mixed.loss_reg.loss_weight == 2
    assert mixed.score_type == "product"


@pytest.mark.parametrize("score_type", ["product", "iou"])
def test_predictions_by_hand(score_type):
    head = build(score_type=score_type)
    features, masks = level((12,))
    outputs = head(features, masks)
    (found,) = head.predict(features, masks)
    assert len(found) and found.labels.dtype == torch.int64 and not found.labels.any()
    start, end = outputs.boundary_logits[0].sigmoid()
    cls, reg = outputs.map_logits[0].sigmoid()
    for (a, b), score in zip(found.segments.int().tolist(), found.scores, strict=True):
        expected = cls[b - a - 1, a] * reg[b - a - 1, a]
        if score_type == "product":
            expected = expected * start[a] * end[b - 1]
        assert_close(score, expected.detach())
    strict = build(score_type=score_type, score_threshold=1.0)
    assert strict.predict(features, masks)[0].segments.shape == (0, 2)


def test_losses_and_predictions_are_float32_under_autocast():
    head, (features, masks) = build(), level()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = head.loss(features, masks, truth([(2, 7)], []))
        found = head.predict(features, masks)
    assert all(x.dtype == torch.float32 for x in losses.values())
    assert found[0].scores.dtype == found[0].segments.dtype == torch.float32


def test_wrong_configs_and_inputs_are_named():
    with pytest.raises(ValueError, match="got 'sum'"):
        build(score_type="sum")
    with pytest.raises(ValueError, match="got None and 'some'"):
        build(candidates="some")
    for wrong in ([1, 3, 3], 2):
        with pytest.raises(
            ValueError, match=f"as many kernels, all odd, got {re.escape(str(wrong))}"
        ):
            build(kernel_size=wrong)
    with pytest.raises(ValueError, match="between 1 and num_steps=12, got 13"):
        build(num_durations=13)
    with pytest.raises(ValueError, match="padding"):
        build(preset="paper")
    head = build()
    with pytest.raises(ValueError, match="num_steps=12 steps, got features of 9; set the window"):
        head([torch.zeros(1, 8, 9)], [torch.ones(1, 9, dtype=torch.bool)])
    with pytest.raises(ValueError, match="one level, got 2"):
        head([torch.zeros(1, 8, 12)] * 2, [torch.ones(1, 12, dtype=torch.bool)] * 2)
