"""TriDet against stored values of the authors' code and of OpenTAD."""

from functools import partial

import pytest
import torch
from torch.testing import assert_close

CASES = ["tridet_official", "tridet_opentad"]
TOL = dict(rtol=1e-5, atol=1e-5)
EXACT = dict(rtol=1e-9, atol=1e-9)


def valid_only(levels, masks):
    return [x.masked_fill(~m[:, None], 0) for x, m in zip(levels, masks, strict=True)]


@pytest.mark.parametrize("case", CASES)
def test_forward(point_golden, case):
    """Theirs in single precision, ours in double: values up to 128 cancel to 0.1 on the way."""
    model, io, _ = point_golden(case)
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


def test_forward_in_double(point_golden):
    model, io, _ = point_golden("tridet_official")
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


def test_opentad_decodes_every_pair(point_golden):
    model, io, _ = point_golden("tridet_opentad")
    batch = io["batch_eval"]
    features, masks = model.extract_features(batch["feats"], batch["masks"])
    found, points, outputs = decoded(model, features, masks)
    valid = torch.cat(masks, dim=1)[:, None, :, None]
    assert_close(points, batch["points_cat"])
    assert_close(found * valid, batch["decoded_reg"] * valid, **TOL)
    scores = torch.cat(outputs.class_logits, dim=2).sigmoid().transpose(1, 2) * valid[:, 0]
    assert_close(scores, batch["scores"], **TOL)


def test_opentad_longer_than_trained(point_golden):
    model, io, _ = point_golden("tridet_opentad")
    points, distances, scores = io["long"]["out"]
    assert model.projection.legal_length(100) == io["long"]["padded_len"] == 104
    features, masks = model.extract_features(io["long"]["feats"], io["long"]["masks"])
    found, _, outputs = decoded(model, features, masks)
    valid = torch.cat(masks, dim=1)[:, None, :, None]
    assert_close(torch.cat(model.head._points(outputs)), points)
    assert_close(found * valid, distances * valid, **TOL)
    logits = torch.cat(outputs.class_logits, dim=2).transpose(1, 2)
    assert_close(logits.sigmoid() * valid[:, 0], scores, **TOL)


def test_opentad_losses_in_eval_mode(point_golden, training_batch):
    """OpenTAD divides one loss by the running count, the other by that of the batch; ours agree."""
    model, io, _ = point_golden("tridet_opentad")
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
