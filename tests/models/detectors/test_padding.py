"""What padding does to whole detectors: nothing in ours, in the public codes' presets as theirs."""

import pytest
import torch
from mmengine.structures import InstanceData
from torch.testing import assert_close

from mmtad.registry import MODELS

DENSE = ["actionformer", "tridet", "bmn", "gtad"]
QUERIES = ["dab-detr", "dab-detr-qd", "self-detr", "deformable-detr", "tadtr", "sp-tad"]
KINDS = pytest.mark.parametrize("kind", DENSE + QUERIES)
PRESETS = ["padding_free", "official", "opentad"]
PAIRS = pytest.mark.parametrize(
    "kind, preset",
    [(k, p) for k in DENSE + QUERIES for p in (PRESETS[:1] if k == "sp-tad" else PRESETS)],
)
PUBLIC = pytest.mark.parametrize("preset", ["official", "opentad"])
VALID = 13


def points(kind, preset, length):
    """ActionFormer or TriDet of three levels, which the public presets pad to ``length``."""
    projection = dict(
        in_channels=6,
        out_channels=16,
        arch=(2, 1, 2),
        max_seq_len=length,
        drop_path=0.0,
        preset=preset,
    )
    if kind == "actionformer":
        projection.update(type="ConvTransformerProjection", num_heads=2, window=5)
        head = dict(type="ActionFormerHead")
    else:
        projection.update(type="SGPProjection", window=3, k=1.5, mlp_channels=24, num_groups=4)
        head = dict(type="TridentHead", num_bins=4)
    return dict(
        type="TADDetector",
        projection=projection,
        neck=dict(type="FPNIdentity", channels=16, num_levels=3, preset=preset),
        head=dict(
            **head,
            num_classes=3,
            in_channels=16,
            feat_channels=16,
            point_generator=dict(type="PointGenerator", num_levels=3),
            preset=preset,
        ),
    )


def maps(kind, preset, length):
    """BMN or G-TAD on ``length`` steps."""
    head = dict(extractor=dict(type="BoundaryMatchingExtractor", hidden_channels=6, num_points=4))
    neck = None
    if kind == "gtad":
        extractor = dict(type="SubGraphAlignment", roi_size=4, context_size=2, groups=4)
        head = dict(boundary_block="gcnext", extractor=extractor)
        neck = dict(type="GCNeXtNeck", channels=8, groups=4, preset=preset)
    return dict(
        type="TADDetector",
        projection=dict(type="ConvProjection", in_channels=6, out_channels=8, groups=2),
        neck=neck,
        head=dict(
            type="BoundaryMapHead",
            in_channels=8,
            num_steps=length,
            num_durations=10,
            boundary_groups=4,
            extractor_channels=8,
            feat_channels=6,
            preset=preset,
            **head,
        ),
    )


@pytest.fixture
def build(query_config):
    """``build(kind, preset, length)``: a detector in double precision.

    Every norm, bias and scale is such that a leak would show.
    """

    def make(kind, preset, length):
        if kind in QUERIES:
            config = query_config(kind, preset)
        else:
            config = (points if kind in ("actionformer", "tridet") else maps)(kind, preset, length)
        model = MODELS.build(config).double()
        generator = torch.Generator().manual_seed(0)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3, generator=generator)
        if kind in ("actionformer", "tridet"):
            torch.nn.init.ones_(model.head.reg_out.bias)  # no distance is 0
        return model

    return make


def sample(length, value, valid=VALID):
    """Features ``[1, 6, length]`` and their mask; what is not valid holds the value."""
    x = torch.full((1, 6, length), value, dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    x[..., :valid] = torch.randn(6, valid, generator=generator, dtype=torch.float64)
    return x, torch.arange(length)[None] < valid


def step(model, x, mask, actions=((1.0, 6.0, 0), (3.5, 12.0, 2))):
    """Losses, gradients and detections of a step of training."""
    actions = torch.tensor(actions, dtype=torch.float64).reshape(-1, 3)
    truth = InstanceData(segments=actions[:, :2], labels=actions[:, 2].long())
    features, masks = model.train().extract_features(x, mask)
    losses = model.head.loss(features, masks, [truth])
    gradients = torch.autograd.grad(sum(losses.values()), list(model.parameters()))
    (found,) = model.eval().head.predict(features, masks)
    return losses, gradients, (found.segments, found.scores, found.labels)


@pytest.fixture(autouse=True)
def same_draws(monkeypatch):
    """The cells that the losses of maps sample do not depend on how many there are."""
    monkeypatch.setattr(torch, "rand", lambda size, **_: torch.full(size, 0.7))


@PAIRS
@pytest.mark.parametrize("value", [torch.nan, -torch.inf, 1e30])
def test_values_of_the_padding_never_matter(build, kind, preset, value):
    expected, found = (step(build(kind, preset, 24), *sample(24, v)) for v in (0.0, value))
    assert all(loss.isfinite() for loss in found[0].values())
    assert_close(found, expected, rtol=0, atol=0)


@KINDS
@pytest.mark.parametrize("length", [14, 16, 37])
def test_the_amount_of_padding_never_matters(build, kind, length):
    alone = step(build(kind, "padding_free", VALID), *sample(VALID, 0.0))
    padded = step(build(kind, "padding_free", length), *sample(length, torch.nan))
    assert len(alone[2][0]) > 10
    assert_close(padded, alone)


@PAIRS
def test_windows_without_actions_and_without_a_valid_step(build, kind, preset):
    losses, gradients, _ = step(build(kind, preset, 16), *sample(16, torch.nan), actions=())
    assert all(x.isfinite().all() for x in [*losses.values(), *gradients])
    nothing = sample(16, torch.nan, valid=0)
    losses, gradients, found = step(build(kind, preset, 16), *nothing, actions=())
    assert all(x.isfinite().all() for x in [*losses.values(), *gradients, *found])


def changed_steps(build, kind, preset, amounts, norm_bias=True, valid=40):
    """Which of the valid steps of level 0 get other class logits if the padding grows."""
    logits = []
    for length in amounts:
        model = build(kind, preset, length).eval()
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm) and not norm_bias:
                torch.nn.init.zeros_(module.bias)
        outputs = model(*sample(length, 0.0, valid))
        logits.append(outputs.class_logits[0][0, :, :valid].detach())
    return ((logits[0] - logits[1]).abs().amax(0) > 1e-12).tolist()


@PUBLIC
def test_actionformer_leaks_the_bias_of_its_norms_into_the_last_steps(build, preset):
    changed = changed_steps(build, "actionformer", preset, (40, 64))
    assert changed[-1] and not any(changed[:24])
    # Padding that is there already hides how much more follows.
    assert not any(changed_steps(build, "actionformer", preset, (64, 96)))
    assert not any(changed_steps(build, "actionformer", preset, (40, 64), norm_bias=False))


@PUBLIC
def test_tridet_changes_everywhere_with_any_padding(build, preset):
    for amounts in ((40, 64), (64, 96)):
        assert all(changed_steps(build, "tridet", preset, amounts))
