"""TadTR against stored values of the authors' code and of OpenTAD's, each under its preset."""

import pytest
import torch
from mmengine.structures import InstanceData
from torch.testing import assert_close

from mmtad.checkpoints import convert
from mmtad.models.losses import make_targets
from mmtad.postprocessing import DetectionPostProcessor
from mmtad.registry import MODELS
from mmtad.structures import TemporalGrid, centerwidth_to_segment

TOL = dict(rtol=1e-5, atol=5e-5)
SOURCES = {"official": "tadtr", "opentad": "opentad_tadtr"}
BOTH = pytest.mark.parametrize("preset", SOURCES)


def detector(preset, num_classes, in_channels, groups):
    sizes = dict(embed_dims=32, num_heads=4, feedforward_channels=64, preset=preset)
    return MODELS.build(
        dict(
            type="TADDetector",
            projection=dict(
                type="ConvProjection",
                in_channels=in_channels,
                out_channels=32,
                num_convs=1,
                kernel_size=1,
                groups=1,
                activation=False,
                norm_groups=groups,
                isolate_padding=False,
            ),
            head=dict(
                type="DETRHead",
                num_classes=num_classes,
                encoder=dict(type="DeformableEncoder", num_layers=2, **sizes),
                decoder=dict(type="DeformableDecoder", num_layers=3, num_queries=10, **sizes),
                actionness=dict(type="ActionnessRegressor", embed_dims=32, preset=preset),
                shared_classifier=False,
                merge_labels=False,
                preset=preset,
            ),
        )
    )


@pytest.fixture(scope="module")
def load(golden):
    """``load(preset)`` -> (detector with the stored weights, their names, io, inputs)."""

    def read(preset):
        state, io, _ = golden(f"tadtr_{preset}")
        sizes = (5, 24, 8) if preset == "opentad" else (20, 2048, 32)
        model = detector(preset, *sizes)
        model.load_state_dict(convert(state, SOURCES[preset]))
        if preset == "opentad":
            inputs = io["feats"], io["masks"]
        else:
            inputs = io["feats_half"].float(), ~io["padding_mask"]
        assert not inputs[1].all()
        return model.eval(), state, io, inputs

    return read


def layers_of(io):
    """Logits and segments of the decoder layers, the last one last."""
    output = io["output"]
    earlier = output.get("aux_outputs") or io["train"]["layer_outputs"][:-1]
    segments = "pred_segments" if "pred_segments" in output else "pred_boxes"
    return [(layer["pred_logits"], layer[segments]) for layer in [*earlier, output]]


def actions(io, masks):
    """Ground truth in grid units."""
    train = io["train"]
    if "targets" in train:
        pairs = [
            (centerwidth_to_segment(target["segments"]) * length, target["labels"])
            for target, length in zip(train["targets"], masks.sum(1), strict=True)
        ]
    else:
        pairs = zip(train["gt_segments"], train["gt_labels"], strict=True)
    return [InstanceData(segments=segments, labels=labels) for segments, labels in pairs]


@BOTH
def test_every_layer(load, preset):
    model, _, io, inputs = load(preset)
    outputs = model(*inputs)
    assert_close(outputs.memory, io["memory"], **TOL)
    assert_close(torch.stack(outputs.states), io["inter_states"], **TOL)
    assert_close(torch.stack(outputs.references), io["inter_references"], **TOL)
    for layer, (logits, segments) in enumerate(layers_of(io)):
        assert_close(outputs.class_logits[layer], logits, **TOL)
        assert_close(outputs.segments[layer], segments, **TOL)
    regressor = model.head.actionness
    rois = regressor.rois(outputs.mask, outputs.segments[-1])
    assert_close(rois.flatten(0, 1), io["rois"][:, 1:], **TOL)
    features = regressor.roi_features(outputs.memory, outputs.mask, rois)
    assert_close(features.flatten(0, 1), io["roi_features"], rtol=0, atol=1e-4)
    assert_close(outputs.actionness, io["output"]["pred_actionness"].squeeze(-1), **TOL)


def test_positions_and_projection(load):
    model, _, io, (features, masks) = load("official")
    assert_close(model.head.position(masks).mT, io["pos_embed"], **TOL)
    assert_close(model.projection(features, masks)[0][0], io["projected"], **TOL)


@BOTH
def test_matching_is_identical_in_every_layer(load, preset):
    model, _, io, inputs = load(preset)
    outputs, train = model(*inputs), io["train"]
    targets = make_targets(actions(io, inputs[1]), outputs.mask, model.head.num_classes, False)
    found = model.head.criterion.matcher(
        torch.stack(outputs.class_logits), torch.stack(outputs.segments), targets
    )
    # The authors' criterion forgets the last layer's for those of the earlier ones that follow; it
    # shows in the losses.
    expected = train.get("indices") or train["indices_aux"]
    assert len(found) == 3 and len(expected) == (2 if preset == "official" else 3)
    for matches, layer in zip(found, expected, strict=False):
        for sample, (queries, wanted) in enumerate(layer):
            chosen = matches.samples == sample
            assert torch.equal(matches.queries[chosen], queries)
            assert torch.equal(matches.targets[chosen], wanted)


def expected_losses(train):
    """Weighted losses by our names."""
    names = dict(loss_class="cls", loss_ce="cls", loss_bbox="l1", loss_segments="l1")
    names |= dict(loss_iou="iou", loss_actionness="actionness")
    losses = train.get("losses") or {
        key: loss * train["weight_dict"].get(key, 0)
        for key, loss in train["losses_unweighted"].items()
    }
    renamed = {}
    for key, loss in losses.items():
        name, _, layer = key.partition("_")[2].partition("_")
        if f"loss_{name}" in names:
            renamed[f"{f'd{layer}.' * bool(layer)}loss_{names[f'loss_{name}']}"] = loss
    return renamed


@BOTH
def test_losses_and_gradients(load, preset):
    model, state, io, (features, masks) = load(preset)
    losses = model.head.loss(*model.extract_features(features, masks), actions(io, masks))
    expected = expected_losses(io["train"])
    assert len(expected) == 10 and losses.pop("unmatched_instances") == 0
    assert losses.keys() == expected.keys()
    for name, loss in expected.items():
        assert_close(losses[name], loss, rtol=1e-5, atol=1e-5)
    total = io["train"]["total"] if preset == "official" else io["train"]["losses"]["cost"]
    assert_close(sum(losses.values()), total, rtol=1e-5, atol=1e-5)
    sum(losses.values()).backward()
    parameters = dict(model.named_parameters())
    for key, norm in io["train"]["grad_norm"].items():
        ours = [name for name in convert({key: state[key]}, SOURCES[preset]) if name in parameters]
        if not key.endswith("convs.0.conv.weight"):  # beside it stands a bias that is not theirs
            assert ours, key
        parts = [parameters[name].grad for name in ours if not name.endswith("convs.0.bias")]
        if parts:
            found = torch.cat([part.flatten() for part in parts]).norm()
            assert float(found) == pytest.approx(norm, rel=2e-4, abs=1e-6), key


def test_actions_with_several_classes(load):
    """An action that two annotations describe is one target with two classes."""
    model, _, io, inputs = load("opentad")
    model.head.merge_labels = True
    case = io["train_multi_class"]
    losses = model.head.loss(*model.extract_features(*inputs), actions({"train": case}, inputs[1]))
    for name, loss in expected_losses(case).items():
        assert_close(losses[name], loss, rtol=1e-5, atol=1e-5)


def test_actionness_of_the_authors_mixes_the_videos_of_a_batch(load):
    """The named difference: ours looks for the nearest action of the same video only."""
    model, _, io, (features, masks) = load("official")
    outputs = model(features, masks)
    targets = [
        target.segments for target in make_targets(actions(io, masks), outputs.mask, 20, False)
    ]
    own = MODELS.build(dict(type="ActionnessRegressor", embed_dims=32))
    mixed = model.head.actionness.target(outputs.segments[-1], targets)
    alone = own.target(outputs.segments[-1], targets)
    assert (mixed >= alone).all() and (mixed > alone).any()
    for sample in range(2):
        single = model.head.actionness.target(
            outputs.segments[-1][sample : sample + 1], targets[sample : sample + 1]
        )
        assert_close(single[0], alone[sample])


def test_half_of_what_is_read_counts_in_opentad(load):
    """Twice the output projection makes up for it: the difference is one of scale alone."""
    _, state, io, inputs = load("opentad")
    model = detector("opentad", 5, 24, 8).eval()
    weights = convert(state, "opentad_tadtr")
    for name, module in model.named_modules():
        if hasattr(module, "halve"):
            assert module.halve
            module.halve = False
            weights[f"{name}.out_proj.weight"] = weights[f"{name}.out_proj.weight"] / 2
    model.load_state_dict(weights)
    assert_close(model(*inputs).memory, io["memory"], **TOL)


@pytest.mark.parametrize("tag", ["sliding", "top20", "soft"])
def test_results_of_opentad(load, tag):
    model, _, io, inputs = load("opentad")
    model.head.max_per_window = 20 if tag == "top20" else 200
    # The stored runs end, or suppress in grid units, before their seconds are rounded.
    soft = dict(type="soft_nms", sigma=0.4, min_score=0.0)
    process = DetectionPostProcessor(nms=soft if tag == "soft" else None)
    found = model.head.predict(*model.extract_features(*inputs))
    for result, meta in zip(found, io["post"]["metas"], strict=True):
        expected = io["post"]["results"][tag][meta["video_name"]]
        final = process([result])
        assert_close(final.scores, expected["scores"], rtol=0, atol=5.2e-5)
        assert torch.equal(final.labels, expected["labels"])
        first = (meta["offset_frames"] + meta["window_start_frame"]) / meta["fps"]
        grid = TemporalGrid(first, meta["snippet_stride"] / meta["fps"], 64, meta["duration"])
        seconds = grid.to_seconds(final.segments)
        assert_close(seconds, expected["segments"], rtol=0, atol=5.1e-3)


def by_class(fields):
    """Order by class, and by falling score within one."""
    return (2 * fields["labels"] - fields["scores"]).argsort(stable=True)


@pytest.mark.parametrize("tag", ["fused", "not_fused"])
def test_results_of_the_authors(load, tag):
    model, _, io, (features, masks) = load("official")
    model.head.max_per_window = 100
    if tag == "not_fused":
        model.head.actionness = None
    found = model.head.predict(*model.extract_features(features, masks))
    lengths = masks.sum(1)
    for sample, (result, expected) in enumerate(zip(found, io["post"][tag], strict=True)):
        duration = io["post"]["video_duration"][sample]
        assert_close(result.scores, expected["scores"], rtol=0, atol=1e-5)
        # Two scores of different classes are closer than rounding.
        ours, theirs = by_class(result), by_class(expected)
        assert torch.equal(result.labels[ours], expected["labels"][theirs])
        seconds = result.segments[ours] * duration / lengths[sample]
        assert_close(seconds, expected["segments"][theirs], rtol=1e-5, atol=1e-4)
