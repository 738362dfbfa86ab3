"""TriDet against stored values of the authors' code and of OpenTAD."""

from functools import partial

import pytest
import torch
from torch.testing import assert_close

from mmtad.checkpoints.tridet import from_opentad_tridet, from_tridet
from mmtad.ops import batched_nms, segment_voting
from mmtad.registry import MODELS
from mmtad.structures import TemporalGrid

CASES = ["tridet_official", "tridet_opentad"]
TOL = dict(rtol=1e-5, atol=1e-5)
EXACT = dict(rtol=1e-9, atol=1e-9)


@pytest.fixture
def tridet_golden(golden):
    """``tridet_golden(case, **head)`` -> (detector with its weights, io, converter)."""

    def load(name, **head):
        state, io, _ = golden(name)
        preset = name.removeprefix("tridet_")
        convert = from_opentad_tridet if name.endswith("opentad") else from_tridet
        points = dict(
            type="PointGenerator",
            strides=(1, 2, 4, 8),
            regression_ranges=((0, 4), (4, 8), (8, 16), (16, 10000)),
        )
        model = MODELS.build(
            dict(
                type="TADDetector",
                projection=dict(
                    type="SGPProjection",
                    in_channels=32,
                    out_channels=32,
                    arch=(2, 2, 3),
                    mlp_channels=48,
                    max_seq_len=64,
                    drop_path=0.0,
                    preset=preset,
                ),
                neck=dict(type="FPNIdentity", channels=32, num_levels=4, preset=preset),
                head=dict(
                    type="TridentHead",
                    num_classes=5,
                    in_channels=32,
                    feat_channels=32,
                    num_bins=8,
                    point_generator=points,
                    preset=preset,
                    **head,
                ),
            )
        )
        report = model.load_state_dict(convert(state), strict=False)
        assert not report.unexpected_keys
        assert set(report.missing_keys) <= {"head.normalizer.average"}
        return model.eval(), io, convert

    return load


def valid_only(levels, masks):
    return [x.masked_fill(~m[:, None], 0) for x, m in zip(levels, masks, strict=True)]


@pytest.mark.parametrize("case", CASES)
def test_forward(tridet_golden, case):
    """Theirs in single precision, ours in double: values up to 128 cancel to 0.1 on the way."""
    model, io, _ = tridet_golden(case)
    batch = io["batch_eval"]
    close = partial(assert_close, **TOL, check_dtype=False)
    features, masks = model.double().projection(
        batch["feats"].double(), batch["masks"].reshape(3, 64)
    )
    expected = batch.get("backbone_feats", batch.get("proj_feats"))
    for x, theirs in zip(features, expected, strict=True):
        assert_close(x.float(), theirs, rtol=1e-5, atol=1e-6 * float(theirs.abs().max()))
    features, masks = model.neck(features, masks)
    close(features, list(batch["neck_feats"]))
    assert_close(masks, [m.reshape(3, -1) for m in batch["level_masks"]])
    outputs = model.head(features, masks)
    # OpenTAD leaves the padded steps of all its outputs as they are; of these two they matter.
    close(outputs.start_logits, list(batch["start_logits"]))
    close(outputs.end_logits, list(batch["end_logits"]))
    close(outputs.class_logits, valid_only(batch["cls_logits"], masks))
    close(outputs.offsets, valid_only(batch["offsets"], masks))
    close(model.head._points(outputs), list(batch["points"]))


def test_forward_in_double(tridet_golden):
    model, io, _ = tridet_golden("tridet_official")
    batch = io["batch_eval"]
    outputs = model.double()(batch["feats"].double(), batch["masks"].reshape(3, 64))
    for name, expected in batch["float64"].items():
        found = getattr(outputs, name.replace("cls", "class"))
        assert_close(found, list(expected), **EXACT)


def decoded(model, features, masks):
    """Distances of all points and classes ``[B, K, S, 2]``, and the points."""
    outputs = model.head(features, masks)
    points = torch.cat(model.head._points(outputs))
    shape = (len(masks[0]), model.head.num_classes, len(points))
    samples, labels, indices = (
        x.flatten() for x in torch.meshgrid(*map(torch.arange, shape), indexing="ij")
    )
    found = model.head.distances(outputs)(samples, indices, labels)
    return found.view(*shape, 2), points, outputs


def test_opentad_decodes_every_pair(tridet_golden):
    model, io, _ = tridet_golden("tridet_opentad")
    batch = io["batch_eval"]
    features, masks = model.extract_features(batch["feats"], batch["masks"])
    found, points, outputs = decoded(model, features, masks)
    valid = torch.cat(masks, dim=1)[:, None, :, None]
    assert_close(points, batch["points_cat"])
    assert_close(found * valid, batch["decoded_reg"] * valid, **TOL)
    scores = torch.cat(outputs.class_logits, dim=2).sigmoid().transpose(1, 2) * valid[:, 0]
    assert_close(scores, batch["scores"], **TOL)


def test_opentad_longer_than_trained(tridet_golden):
    model, io, _ = tridet_golden("tridet_opentad")
    points, distances, scores = io["long"]["out"]
    assert model.projection.legal_length(100) == io["long"]["padded_len"] == 104
    features, masks = model.extract_features(io["long"]["feats"], io["long"]["masks"])
    found, _, outputs = decoded(model, features, masks)
    valid = torch.cat(masks, dim=1)[:, None, :, None]
    assert_close(torch.cat(model.head._points(outputs)), points)
    assert_close(found * valid, distances * valid, **TOL)
    logits = torch.cat(outputs.class_logits, dim=2).transpose(1, 2)
    assert_close(logits.sigmoid() * valid[:, 0], scores, **TOL)


OFFICIAL_NMS = {
    "soft_multiclass": dict(sigma=0.5),
    "hard_multiclass": dict(method="nms", iou_threshold=0.1),
    "soft_agnostic_vote": dict(sigma=0.5, class_agnostic=True),
    "hard_agnostic_vote": dict(method="nms", iou_threshold=0.1, class_agnostic=True),
    "none": None,
}
OPENTAD_NMS = {
    "soft_multiclass": dict(sigma=0.5),
    "hard_multiclass": dict(method="nms", iou_threshold=0.4),
    "soft_agnostic_vote": dict(sigma=0.7, class_agnostic=True),
    "none": None,
}


def assert_same_detections(segments, scores, labels, expected):
    """Equal up to the order of equal scores, which decides rounding."""
    found = torch.cat([segments, labels[:, None], scores[:, None]], dim=1)
    theirs = [expected["segments"], expected["labels"][:, None], expected["scores"][:, None]]
    theirs = torch.cat(theirs, dim=1)
    assert found.shape == theirs.shape
    order = (found[:, None] - theirs).abs().sum(-1).argmin(1)
    assert len(order.unique()) == len(order)
    assert_close(found, theirs[order], **TOL)
    assert_close(scores, expected["scores"], **TOL)


def suppress(found, options):
    """Suppress in grid units; class-agnostic settings of the goldens also vote, without the IoU."""
    if options is None:
        return found.segments, found.scores, found.labels
    keep, scores = batched_nms(
        found.segments,
        found.scores,
        found.labels,
        min_score=0.001,
        max_per_class=200,
        max_total=200,
        **options,
    )
    segments = found.segments[keep]
    if options.get("class_agnostic"):
        segments = segment_voting(segments, found.segments, found.scores, 0.7)
    return segments, scores, found.labels[keep]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_official_inference(tridet_golden, index):
    model, io, _ = tridet_golden("tridet_official")
    video = io["inference"][index]
    length = video["feats"].shape[1]
    assert model.projection.legal_length(length) == video["padded_len"]
    features = model.extract_features(video["feats"][None], torch.ones(1, length, dtype=torch.bool))
    (found,) = model.head.predict(*features)
    assert_same_detections(found.segments, found.scores, found.labels, video["pre_nms"])
    grid = TemporalGrid(
        origin=0.5 * video["feat_num_frames"] / video["fps"],
        step=video["feat_stride"] / video["fps"],
        length=length,
        duration=video["duration"],
    )
    for tag, expected in video["post"].items():
        segments, scores, labels = suppress(found, OFFICIAL_NMS[tag])
        assert_same_detections(grid.to_seconds(segments), scores, labels, expected)


def test_opentad_results(tridet_golden):
    model, io, _ = tridet_golden("tridet_opentad")
    batch, post = io["batch_eval"], io["post"]
    results = model.head.predict(*model.extract_features(batch["feats"], batch["masks"]))
    for found, meta in zip(results, post["metas"], strict=True):
        grid = TemporalGrid(
            origin=meta["offset_frames"] / meta["fps"],
            step=meta["snippet_stride"] / meta["fps"],
            length=64,
            duration=meta["duration"],
        )
        for tag, expected in post["results"].items():
            expected = expected[meta["video_name"]]
            segments, scores, labels = suppress(found, OPENTAD_NMS[tag])
            assert_close(scores, expected["scores"], rtol=0, atol=5.1e-5)  # rounded by OpenTAD
            assert_close(labels, expected["labels"])
            assert expected["segments"].isfinite().all()
            assert_close(grid.to_seconds(segments), expected["segments"], rtol=0, atol=5.1e-3)


@pytest.mark.parametrize("case", CASES)
def test_training(tridet_golden, training_batch, case):
    model, io, convert = tridet_golden(case)
    model.train()
    x, masks, truth = training_batch(io)
    expected = io["train"].get("train_mode", io["train"])
    losses = model.head.loss(*model.extract_features(x, masks), truth)
    assert_close(losses["loss_cls"], expected["losses"]["cls_loss"], **TOL)
    assert_close(losses["loss_reg"], expected["losses"]["reg_loss"], **TOL)
    assert float(model.head.normalizer.average) == pytest.approx(expected["loss_normalizer_after"])
    sum(losses.values()).backward()
    parameters = dict(model.named_parameters())
    norms = {next(iter(convert({k: torch.zeros(1)}))): v for k, v in expected["grad_norm"].items()}
    assert norms.keys() == parameters.keys()
    for key, norm in norms.items():
        assert float(parameters[key].grad.norm()) == pytest.approx(norm, rel=1e-4, abs=1e-6), key
    for key, gradient in expected["grads_some"].items():
        (name,) = convert({key: gradient})
        assert_close(parameters[name].grad.flatten(), gradient.flatten(), **TOL)


@pytest.mark.parametrize("case", CASES)
def test_targets(tridet_golden, training_batch, case):
    model, io, _ = tridet_golden(case)
    x, masks, truth = training_batch(io)
    expected = io["train"].get("train_mode", io["train"])
    classes, offsets = model.head.get_targets(model(x, masks), truth)
    assert_close(classes, torch.stack(expected["gt_cls"]))
    positive = classes.sum(-1) > 0
    assert positive.any() and (classes.sum(-1) > 1).any()  # also a point with two classes
    assert_close(offsets[positive], torch.stack(expected["gt_offsets"])[positive], **EXACT)


def test_opentad_losses_in_eval_mode(tridet_golden, training_batch):
    """OpenTAD divides one loss by the running count, the other by that of the batch; ours agree."""
    model, io, _ = tridet_golden("tridet_opentad")
    x, masks, truth = training_batch(io)
    features, level_masks = model.extract_features(x, masks)
    losses = model.head.loss(features, level_masks, truth)
    expected = io["train"]["eval_mode"]["losses"]
    classes, _ = model.head.get_targets(model.head(features, level_masks), truth)
    count = int(((classes.sum(-1) > 0) & torch.cat(level_masks, dim=1)).sum())
    running = float(model.head.normalizer.average)
    assert_close(losses["loss_reg"], expected["reg_loss"], **TOL)
    assert_close(losses["loss_cls"] * count / running, expected["cls_loss"], **TOL)
    assert running == float(model.head.normalizer.average) == 100


@pytest.mark.parametrize(
    "name, head",
    [
        ("losses_label_smoothing_0.1", dict(label_smoothing=0.1)),
        ("losses_auto_weight", dict(loss_weight="auto")),
        ("losses_center_sample_none", dict(assigner=dict(type="PointAssigner", radius=None))),
    ],
)
def test_official_loss_variants(tridet_golden, training_batch, name, head):
    model, io, _ = tridet_golden("tridet_official", **head)
    model.train()
    x, masks, truth = training_batch(io)
    losses = model.head.loss(*model.extract_features(x, masks), truth)
    expected = io["train"][name]
    assert_close(losses["loss_cls"], expected["cls_loss"], **TOL)
    assert_close(sum(losses.values()), expected["final_loss"], **TOL)
