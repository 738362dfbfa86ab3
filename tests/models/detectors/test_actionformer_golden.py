"""ActionFormer against stored values of the authors' code and of OpenTAD."""

import pytest
import torch
from torch.testing import assert_close

from mmtad.ops import batched_nms, segment_voting
from mmtad.structures import TemporalGrid

OFFICIAL = ["actionformer_official", "actionformer_official_global"]
CASES = [*OFFICIAL, "actionformer_opentad"]
TOL = dict(rtol=1e-5, atol=1e-5)
EXACT = dict(rtol=1e-9, atol=1e-9)


def valid_only(levels, masks):
    return [x.masked_fill(~m[:, None], 0) for x, m in zip(levels, masks, strict=True)]


@pytest.mark.parametrize("case", CASES)
def test_forward(actionformer_golden, case):
    model, io, _ = actionformer_golden(case)
    batch = io["batch_eval"]
    x, mask = batch["feats"], batch["masks"].reshape(3, 64)
    features, masks = model.projection(x, mask)
    assert_close(features, list(batch.get("backbone_feats", batch.get("proj_feats"))), **TOL)
    features, masks = model.neck(features, masks)
    assert_close(features, list(batch["neck_feats"]), **TOL)
    assert_close(masks, [m.reshape(3, -1) for m in batch["level_masks"]])
    outputs = model.head(features, masks)
    # OpenTAD leaves the padded steps of its outputs as they are.
    assert_close(outputs.class_logits, valid_only(batch["cls_logits"], masks), **TOL)
    assert_close(outputs.offsets, valid_only(batch["offsets"], masks), **TOL)
    assert_close(model.head._points(outputs), list(batch["points"]), **EXACT)


@pytest.mark.parametrize("case", OFFICIAL)
def test_forward_in_double(actionformer_golden, case):
    model, io, _ = actionformer_golden(case)
    batch = io["batch_eval"]
    outputs = model.double()(batch["feats"].double(), batch["masks"].reshape(3, 64))
    assert_close(outputs.class_logits, list(batch["float64"]["cls_logits"]), **EXACT)
    assert_close(outputs.offsets, list(batch["float64"]["offsets"]), **EXACT)


def every_candidate(model, x, mask):
    """Segments and scores of all points, as OpenTAD stores them: padded points left out."""
    model.head.score_threshold, model.head.pre_nms_topk = -1.0, 10**6
    features, masks = model.extract_features(x, mask)
    results = model.head.predict(features, masks)
    valid = torch.cat(masks, dim=1).sum(1)
    for result, points in zip(results, valid.tolist(), strict=True):
        real = result.scores > 0
        result = result[real]
        assert len(result) == points * model.head.num_classes
        yield result


def pairs(result):
    """Rows (score, label, start, end) in an order that does not depend on ties."""
    rows = torch.cat([result.scores[:, None], result.labels[:, None], result.segments], dim=1)
    return rows[rows[:, 0].argsort(descending=True, stable=True)]


def test_opentad_candidates_in_double(actionformer_golden):
    model, io, _ = actionformer_golden("actionformer_opentad")
    batch = io["batch_eval"]
    segments, scores = batch["float64"]["out"]
    found = every_candidate(model.double(), batch["feats"].double(), batch["masks"])
    for result, s, p in zip(found, segments, scores, strict=True):
        labels = torch.arange(5).repeat(len(s))
        expected = torch.cat(
            [p.reshape(-1, 1), labels[:, None], s.repeat_interleave(5, dim=0)], dim=1
        )
        expected = expected[expected[:, 0].argsort(descending=True, stable=True)]
        assert_close(pairs(result), expected, **EXACT)


def test_opentad_longer_than_trained(actionformer_golden):
    model, io, _ = actionformer_golden("actionformer_opentad")
    long = io["long"]
    segments, scores = long["out"]
    (result,) = every_candidate(model, long["feats"], long["masks"])
    assert_close(result.scores, scores[0].flatten().sort(descending=True)[0], **TOL)
    assert len(result) == scores[0].numel()
    assert_close(result.segments.sum(), segments[0].sum() * 5, rtol=1e-5, atol=1e-3)
    assert model.projection.legal_length(100) == long["padded_len"]


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


def suppress(found, options, iou_weighted):
    """Suppress in grid units; class-agnostic settings of the goldens also vote."""
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
        segments = segment_voting(segments, found.segments, found.scores, 0.7, iou_weighted)
    return segments, scores, found.labels[keep]


@pytest.mark.parametrize("case", OFFICIAL)
@pytest.mark.parametrize("index", [0, 1, 2])
def test_official_inference(actionformer_golden, case, index):
    model, io, _ = actionformer_golden(case)
    video = io["inference"][index]
    length = video["feats"].shape[1]
    assert model.projection.legal_length(length) == video["padded_len"]
    features = model.extract_features(video["feats"][None], torch.ones(1, length, dtype=torch.bool))
    (found,) = model.head.predict(*features)
    expected = video["pre_nms"]
    assert_close(found.segments, expected["segments"], **TOL)
    assert_close(found.scores, expected["scores"], **TOL)
    assert_close(found.labels, expected["labels"])
    grid = TemporalGrid(
        origin=0.5 * video["feat_num_frames"] / video["fps"],
        step=video["feat_stride"] / video["fps"],
        length=length,
        duration=video["duration"],
    )
    for tag, expected in video["post"].items():
        segments, scores, labels = suppress(found, OFFICIAL_NMS[tag], iou_weighted=True)
        assert_close(grid.to_seconds(segments), expected["segments"], **TOL)
        assert_close(scores, expected["scores"], **TOL)
        assert_close(labels, expected["labels"])


def test_opentad_results(actionformer_golden):
    model, io, _ = actionformer_golden("actionformer_opentad")
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
            segments, scores, labels = suppress(found, OPENTAD_NMS[tag], iou_weighted=False)
            segments = grid.to_seconds(segments)
            assert segments.isfinite().all()
            assert_close(scores, expected["scores"], rtol=0, atol=5.1e-5)  # rounded by OpenTAD
            assert_close(labels, expected["labels"])
            # Where OpenTAD's vote divides 0 by 0, ours keeps the segment.
            known = expected["segments"].isfinite().all(dim=1)
            assert_close(segments[known], expected["segments"][known], rtol=0, atol=5.1e-3)


@pytest.mark.parametrize("case", CASES)
def test_training(actionformer_golden, training_batch, case):
    model, io, convert = actionformer_golden(case)
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


@pytest.mark.parametrize("case", CASES)
def test_targets(actionformer_golden, training_batch, case):
    model, io, _ = actionformer_golden(case)
    x, masks, truth = training_batch(io)
    expected = io["train"].get("train_mode", io["train"])
    classes, offsets = model.head.get_targets(model(x, masks), truth)
    assert_close(classes, torch.stack(expected["gt_cls"]))
    positive = classes.sum(-1) > 0
    assert positive.any()
    assert_close(offsets[positive], torch.stack(expected["gt_offsets"])[positive], **EXACT)


def test_opentad_losses_in_eval_mode(actionformer_golden, training_batch):
    model, io, _ = actionformer_golden("actionformer_opentad")
    x, masks, truth = training_batch(io)
    losses = model.head.loss(*model.extract_features(x, masks), truth)
    expected = io["train"]["eval_mode"]["losses"]
    assert_close(losses["loss_cls"], expected["cls_loss"], **TOL)
    assert_close(losses["loss_reg"], expected["reg_loss"], **TOL)
    assert float(model.head.normalizer.average) == 100


@pytest.mark.parametrize("case", OFFICIAL)
@pytest.mark.parametrize(
    "name, head",
    [
        ("losses_label_smoothing_0.1", dict(label_smoothing=0.1)),
        ("losses_auto_weight", dict(loss_weight="auto")),
        ("losses_center_sample_none", dict(assigner=dict(type="PointAssigner", radius=None))),
    ],
)
def test_loss_variants(actionformer_golden, training_batch, case, name, head):
    model, io, _ = actionformer_golden(case, **head)
    model.train()
    x, masks, truth = training_batch(io)
    losses = model.head.loss(*model.extract_features(x, masks), truth)
    expected = io["train"][name]
    assert_close(losses["loss_cls"], expected["cls_loss"], **TOL)
    assert_close(sum(losses.values()), expected["final_loss"], **TOL)
