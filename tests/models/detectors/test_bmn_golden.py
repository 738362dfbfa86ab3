"""BMN against stored values of OpenTAD, under the preset that does as it does.

What G-TAD shares, training and results, is compared here too.
"""

import pytest
import torch
from torch.testing import assert_close

from mmtad.ops import batched_nms

TOL = dict(rtol=1e-5, atol=1e-5)
SUPPRESSION = dict(class_agnostic=True, sigma=0.4, min_score=0.0, max_total=100)
RECALL = dict(method="improved_gaussian", iou_threshold=0.5, iou_slope=0.4, duration=1.0)
# Name of the stored results -> score, suppression of segments that are fractions of the video.
RESULTS = {
    "iou": ("iou", dict(method="gaussian")),
    "iou_s_e": ("product", dict(method="gaussian")),
    "proposal_improved_gaussian": ("iou", RECALL),
}


def test_forward(boundary_map_golden):
    model, io, _ = boundary_map_golden("bmn")
    features, masks = model.projection(io["feats"], io["masks"])
    assert_close(features[0], io["projected"], **TOL)
    assert_close(model.head.extractor(features[0], masks[0]), io["proposal_feats"], **TOL)
    outputs = model.head(features, masks)
    assert_close(outputs.boundary_logits, io["tem"], **TOL)
    assert_close(outputs.map_logits, io["pem"], **TOL)


def test_map(boundary_map_golden):
    model, io, _ = boundary_map_golden("bmn")
    head = model.head
    assert torch.equal(head.inside, io["valid_mask"])
    assert torch.equal(head.segments * head.inside[..., None], io["proposal_map"])


def test_targets(boundary_map_golden, map_truth):
    model, io, _ = boundary_map_golden("bmn")
    boundaries, overlaps = model.head.get_targets(map_truth(io))
    assert_close(overlaps, io["train"]["iou_targets"], rtol=0, atol=1e-7)
    for index, expected in enumerate(io["train"]["tem_targets"]):
        assert_close(boundaries[:, index], expected.float())


def test_targets_of_the_paper_differ(boundary_map_golden, map_truth):
    """OpenTAD stores shares as integers, so that a step covered by 0.7 is no boundary."""
    model, io, _ = boundary_map_golden("bmn", preset="padding_free", shared_tower=False)
    boundaries, overlaps = model.head.get_targets(map_truth(io))
    assert_close(overlaps, io["train"]["iou_targets"], rtol=0, atol=1e-7)
    theirs = torch.stack(io["train"]["tem_targets"], dim=1)
    assert torch.equal(boundaries.floor().long(), theirs)
    more = (boundaries > 0.5).long() - theirs  # around 2.2 up to 3.7, around 4.6 from 3.1
    assert more.nonzero().tolist() == [[1, 0, 3], [1, 1, 3]]


# Gradients through the alignment of G-TAD are rounded to half precision as its values are.
@pytest.mark.parametrize("case, rel", [("bmn", 1e-5), ("gtad", 1e-4)])
def test_training(boundary_map_golden, map_truth, same_gradient_norms, case, rel):
    model, io, convert = boundary_map_golden(case)
    train = io["train"]
    features, masks = model.extract_features(io["feats"], io["masks"])
    losses = model.head.loss_by_outputs(
        model.head(features, masks), masks, map_truth(io), draws=train["rand_draws_in_reg_loss"]
    )
    for ours, theirs in (("boundary", "tem"), ("cls", "cls"), ("reg", "reg")):
        assert_close(losses[f"loss_{ours}"], train["losses"][f"loss_{theirs}"], **TOL)
    assert_close(sum(losses.values()), train["losses"]["cost"], **TOL)
    sum(losses.values()).backward()
    same_gradient_norms(model, convert, train["grad_norm"], rel=rel)


@pytest.mark.parametrize("tag", RESULTS)
@pytest.mark.parametrize("case", ["bmn", "gtad"])
def test_results(boundary_map_golden, case, tag):
    score_type, suppression = RESULTS[tag]
    model, io, _ = boundary_map_golden(case, score_type=score_type)
    found = model.head.predict(*model.extract_features(io["feats"], io["masks"]))
    for result, meta in zip(found, io["post"]["metas"], strict=True):
        assert not result.labels.any()
        segments = result.segments / 16
        keep, scores = batched_nms(
            segments, result.scores, result.labels, **SUPPRESSION, **suppression
        )
        expected = io["post"]["results"][tag][meta["video_name"]]
        # OpenTAD rounds scores to 4 and seconds to 2 decimals.
        assert_close(scores, expected["scores"], rtol=0, atol=5.2e-5)
        seconds = segments[keep] * meta["duration"]
        assert_close(seconds, expected["segments"], rtol=0, atol=5.1e-3)
