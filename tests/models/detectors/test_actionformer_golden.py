"""ActionFormer against stored values of the authors' code and of OpenTAD."""

import pytest
import torch
from torch.testing import assert_close

OFFICIAL = ["actionformer_official", "actionformer_official_global"]
CASES = [*OFFICIAL, "actionformer_opentad"]
TOL = dict(rtol=1e-5, atol=1e-5)
EXACT = dict(rtol=1e-9, atol=1e-9)


def valid_only(levels, masks):
    return [x.masked_fill(~m[:, None], 0) for x, m in zip(levels, masks, strict=True)]


@pytest.mark.parametrize("case", CASES)
def test_forward(point_golden, case):
    model, io, _ = point_golden(case)
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
def test_forward_in_double(point_golden, case):
    model, io, _ = point_golden(case)
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


def test_opentad_candidates_in_double(point_golden):
    model, io, _ = point_golden("actionformer_opentad")
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


def test_opentad_longer_than_trained(point_golden):
    model, io, _ = point_golden("actionformer_opentad")
    long = io["long"]
    segments, scores = long["out"]
    (result,) = every_candidate(model, long["feats"], long["masks"])
    assert_close(result.scores, scores[0].flatten().sort(descending=True)[0], **TOL)
    assert len(result) == scores[0].numel()
    assert_close(result.segments.sum(), segments[0].sum() * 5, rtol=1e-5, atol=1e-3)
    assert model.projection.legal_length(100) == long["padded_len"]


def test_opentad_losses_in_eval_mode(point_golden, training_batch):
    model, io, _ = point_golden("actionformer_opentad")
    x, masks, truth = training_batch(io)
    losses = model.head.loss(*model.extract_features(x, masks), truth)
    expected = io["train"]["eval_mode"]["losses"]
    assert_close(losses["loss_cls"], expected["cls_loss"], **TOL)
    assert_close(losses["loss_reg"], expected["reg_loss"], **TOL)
    assert float(model.head.normalizer.average) == 100
