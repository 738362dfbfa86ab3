"""Suppression and voting beside the compiled operators of OpenTAD and ActionFormer."""

import importlib

import numpy as np
import pytest
import torch

from mmtad.ops import batched_nms, nms, segment_voting, soft_nms

PEERS = ["nms_opentad", "nms_actionformer"]
INPUTS = ["n10", "n60_ties", "n200", "n500_1cls", "n2000"]
METHODS = {0: "nms", 1: "linear", 2: "gaussian", 3: "improved_gaussian"}


@pytest.fixture(params=[256, -1], ids=["dense", "sorted"])
def loop(request, monkeypatch):
    """The loop that the size of the groups asks for, or always the one for large groups."""
    monkeypatch.setattr(importlib.import_module("mmtad.ops.nms"), "_SMALL_GROUP", request.param)


def sorted_rows(segments, scores, labels):
    """Rows in an order that does not depend on how ties were broken."""
    segments, scores, labels = segments.double(), scores.double(), labels.double()
    columns = (labels, segments[:, 1], segments[:, 0], (scores * 1e4).round())
    order = np.lexsort([column.numpy() for column in columns])
    return segments[order], scores[order], labels[order]


def run_setting(segments, scores, labels, setting, iou_weighted):
    method = METHODS[setting.get("method", 2)]
    keep, lowered = batched_nms(
        segments,
        scores,
        labels,
        method if setting["use_soft_nms"] else "nms",
        class_agnostic=not setting["multiclass"],
        iou_threshold=setting.get("t1", setting["iou_threshold"]),
        sigma=setting["sigma"],
        min_score=setting["min_score"],
        max_per_class=setting["max_seg_num"],
        max_total=setting["max_seg_num"],
        iou_slope=setting.get("t2", 0.0),
        duration=1.0,  # the goldens compare with lengths as they are
    )
    kept = segments[keep]
    if setting["voting_thresh"] > 0 and not setting["multiclass"]:
        kept = segment_voting(kept, segments, scores, setting["voting_thresh"], iou_weighted)
    return kept, lowered, labels[keep]


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("name", INPUTS)
def test_equal_to_public_code(golden, loop, peer, name):
    _, io, case = golden(peer)
    segments, scores, labels = (io["inputs"][name][key] for key in ("segs", "scores", "labels"))
    assert len(case["config"]) == {"nms_opentad": 18, "nms_actionformer": 15}[peer]
    for setting_name, setting in case["config"].items():
        ours = run_setting(segments, scores, labels, setting, peer == "nms_actionformer")
        theirs = [io["out"][name][setting_name][key] for key in ("segs", "scores", "labels")]
        assert len(ours[1]) == len(theirs[1]), setting_name
        assert all(values.isfinite().all() for values in ours), setting_name
        torch.testing.assert_close(ours[1], theirs[1], atol=1e-5, rtol=0, msg=setting_name)
        if name == "n60_ties":  # equal scores and even equal segments: any order is right
            ours, theirs = sorted_rows(*ours), sorted_rows(*theirs)
        torch.testing.assert_close(ours[0], theirs[0], atol=1e-5, rtol=2e-7, msg=setting_name)
        same = (ours[2] == theirs[2]).float().mean()
        assert same == 1 or (name == "n60_ties" and same > 0.9), setting_name


@pytest.mark.parametrize("peer", PEERS)
def test_empty_input_of_public_code(golden, peer):
    _, io, case = golden(peer)
    for setting_name, theirs in io["out"]["empty"].items():
        none = torch.zeros(0)
        ours = run_setting(
            torch.zeros(0, 2), none, none.long(), case["config"][setting_name], False
        )
        assert [tuple(x.shape) for x in ours] == [tuple(x.shape) for x in theirs.values()]


def raw_options(key):
    """What the operators were called with; t1 and t2 as in the setting of the fourth method."""
    options = dict(sigma=0.5, min_score=0.01, class_agnostic=True, iou_threshold=0.4)
    if key == "softnms_m3":
        options |= dict(iou_threshold=0.3, iou_slope=0.01, duration=1.0)
    return dict(method=METHODS[int(key[-1])], **options)


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("name", ["n10", "n200", "n500_1cls"])
def test_equal_to_the_operators_of_public_code(golden, loop, peer, name):
    _, io, _ = golden(peer)
    segments, scores = io["inputs"][name]["segs"], io["inputs"][name]["scores"]
    raw = io["raw"][name]
    assert nms(segments, scores, iou_threshold=0.5).tolist() == raw["nms_0.5"].tolist()
    methods = [key for key in raw if key.startswith("softnms")]
    assert len(methods) == (4 if peer == "nms_opentad" else 3)
    for key in methods:
        keep, lowered = batched_nms(segments, scores, **raw_options(key))
        assert keep.tolist() == raw[key]["inds"].tolist()
        torch.testing.assert_close(segments[keep], raw[key]["dets"][:, :2], atol=0, rtol=0)
        torch.testing.assert_close(lowered, raw[key]["dets"][:, 2], atol=1e-5, rtol=0)
    voted = segment_voting(segments[:20], segments, scores, 0.7, peer == "nms_actionformer")
    torch.testing.assert_close(voted, raw["seg_voting_0.7"], atol=1e-5, rtol=2e-7)


@pytest.mark.parametrize("peer", PEERS)
def test_ties_agree_but_for_the_order_of_equal_scores(golden, loop, peer):
    _, io, _ = golden(peer)
    segments, scores = (io["inputs"]["n60_ties"][key] for key in ("segs", "scores"))
    raw = io["raw"]["n60_ties"]
    kept = segments[nms(segments, scores, iou_threshold=0.5)]
    assert kept.sort(dim=0)[0].equal(segments[raw["nms_0.5"]].sort(dim=0)[0])
    for key in (key for key in raw if key.startswith("softnms")):
        keep, lowered = batched_nms(segments, scores, **raw_options(key))
        dets = raw[key]["dets"]
        torch.testing.assert_close(lowered, dets[:, 2], atol=1e-5, rtol=0)
        labels = torch.zeros(len(keep))
        ours = sorted_rows(segments[keep], lowered, labels)
        theirs = sorted_rows(dets[:, :2], dets[:, 2], labels)
        assert ours[0].equal(theirs[0]), key


def test_a_lone_segment_below_the_least_score_is_dropped():
    """Public code keeps it: there scores are compared with the least one only after a decay."""
    keep, _ = soft_nms(torch.tensor([[0.0, 1.0]]), torch.tensor([0.0005]), min_score=0.001)
    assert len(keep) == 0
