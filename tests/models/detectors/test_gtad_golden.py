"""G-TAD against stored values of OpenTAD, under the preset that does as it does.

OpenTAD rounds features to half precision before their alignment, and so does the preset. A value
that lies between two halves may then go either way: features of proposals agree to 2e-4, and all
that follows from them to 1e-5. Its training and its post-processed results are compared in
``test_bmn_golden.py``.
"""

import torch
from torch.testing import assert_close

from mmtad.ops import roi_align1d

TOL = dict(rtol=1e-5, atol=1e-5)
HALF = dict(rtol=0, atol=2e-4)


def test_forward(boundary_map_golden):
    model, io, _ = boundary_map_golden("gtad")
    features, masks = model.projection(io["feats"], io["masks"])
    assert_close(features[0], io["projected"], **TOL)
    features, masks = model.neck(features, masks)
    assert_close(features[0], io["neck"], **TOL)
    assert_close(model.head.extractor(features[0], masks[0]), io["proposal_feats"], **HALF)
    outputs = model.head(features, masks)
    assert_close(outputs.boundary_logits, io["tem"], **TOL)
    assert_close(outputs.map_logits, io["pem"], **TOL)


def test_alignment(boundary_map_golden):
    """Bins of the first proposals of the first video, which the extractor itself never forms."""
    model, io, _ = boundary_map_golden("gtad")
    x = model.head.extractor.graph(io["neck"], io["masks"])[:1].detach()
    anchors = io["anchors"].reshape(1, -1, 2)[:, :40]
    exact = roi_align1d(x, anchors, 8)[0]
    rounded = roi_align1d(x.half().float(), anchors, 8)[0]
    expected = io["align_inner_first40"]
    spacing = expected.abs() * 2.0**-10 + 1e-6  # of half precision
    assert ((rounded - expected).abs() <= spacing).all()
    assert float((rounded - expected).abs().mean()) < 0.1 * float((exact - expected).abs().mean())


def test_without_rounding_the_difference_is_small(boundary_map_golden):
    model, io, _ = boundary_map_golden("gtad")
    model.head.extractor.half_precision = False
    outputs = model(io["feats"], io["masks"])
    assert_close(outputs.map_logits, io["pem"], rtol=0, atol=1e-4)


def test_map_and_targets(boundary_map_golden, map_truth):
    model, io, _ = boundary_map_golden("gtad")
    head = model.head
    assert_close(torch.tensor(head.extractor.anchors), io["anchors"].reshape(-1, 2))
    assert torch.equal(head.inside, io["valid_mask"])
    assert torch.equal(head.segments * head.inside[..., None], io["proposal_map"])
    boundaries, overlaps = head.get_targets(map_truth(io))
    assert_close(overlaps, io["train"]["iou_targets"], rtol=0, atol=1e-7)
    assert_close(boundaries, torch.stack(io["train"]["tem_targets"], dim=1).float())
