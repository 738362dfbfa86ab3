"""From decoded detections to final ones, beside what public code made of the same detections."""

import pytest
import torch
from mmengine.structures import InstanceData
from torch.testing import assert_close

from mmtad.postprocessing import DetectionPostProcessor
from mmtad.structures import TemporalGrid

SOFT = dict(type="soft_nms", sigma=0.5, min_score=0.001, max_per_class=200)
HARD = dict(type="nms", iou_threshold=0.1, min_score=0.001, max_per_class=200)
OPENTAD_HARD = dict(type="nms", iou_threshold=0.4, min_score=0.001, max_per_class=200)
AGNOSTIC = dict(class_agnostic=True)
# Name of the golden -> whether the vote of that code is weighted with the tIoU.
OFFICIAL = {
    "actionformer_official": True,
    "actionformer_official_global": True,
    "tridet_official": False,
}


def official(tag, iou_weighted):
    voting = dict(voting=dict(iou_threshold=0.7, iou_weighted=iou_weighted))
    return DetectionPostProcessor(
        **{
            "soft_multiclass": dict(nms=SOFT, max_per_video=200),
            "hard_multiclass": dict(nms=HARD, max_per_video=200),
            "soft_agnostic_vote": dict(nms={**SOFT, **AGNOSTIC}, max_per_video=200, **voting),
            "hard_agnostic_vote": dict(nms={**HARD, **AGNOSTIC}, max_per_video=200, **voting),
            "none": dict(),
        }[tag]
    )


def opentad(tag):
    voting = dict(iou_threshold=0.7)
    nms = {
        "soft_multiclass": dict(nms=SOFT),
        "hard_multiclass": dict(nms=OPENTAD_HARD),
        "soft_agnostic_vote": dict(nms={**SOFT, **AGNOSTIC, "sigma": 0.7}, voting=voting),
        "none": dict(),
    }[tag]
    limit = None if tag == "none" else 200
    return DetectionPostProcessor(**nms, pre_nms_topk=2000, max_per_video=limit)


def by_score(fields):
    """Sorted: without a suppression public code leaves the order of the points."""
    order = fields["scores"].argsort(descending=True, stable=True)
    return {key: fields[key][order] for key in ("segments", "scores", "labels")}


@pytest.fixture(params=OFFICIAL)
def inference(request, golden):
    """Videos of one golden: decoded detections in grid units, results in seconds."""
    _, io, _ = golden(request.param)
    videos = []
    for video in io["inference"]:
        origin = 0.5 * video["feat_num_frames"] / video["fps"]
        step = video["feat_stride"] / video["fps"]
        grid = TemporalGrid(origin, step, video["padded_len"], video["duration"])
        videos.append((grid, InstanceData(**video["pre_nms"]), video["post"]))
    return videos, OFFICIAL[request.param]


def test_official_settings_are_met_exactly(inference):
    videos, weighted = inference
    for grid, decoded, post in videos:
        assert len(post) == 5
        for tag, expected in post.items():
            final, expected = official(tag, weighted)([decoded]), by_score(expected)
            # In grid units, as there; then no near tie is decided by rounding.
            assert_close(grid.to_seconds(final.segments), expected["segments"], atol=1e-5, rtol=0)
            assert_close(final.scores, expected["scores"], atol=1e-6, rtol=0)
            assert_close(final.labels, expected["labels"])


def test_official_settings_in_seconds(inference):
    """As a metric runs it: scores differ by the 1e-6 on lengths, now of a second, and rounding."""
    videos, weighted = inference
    for grid, decoded, post in videos:
        for tag, expected in post.items():
            raw = decoded.clone()
            raw.segments = grid.to_seconds(decoded.segments, clamp=False)
            final = official(tag, weighted)([raw], duration=grid.duration)
            expected = by_score(expected)
            assert_close(final.scores, expected["scores"], atol=5e-5, rtol=0)
            same = (final.segments - expected["segments"]).abs().amax(1) < 1e-4
            assert same.float().mean() >= 0.98  # the others are near ties that change places
            assert final.segments.min() >= 0 and final.segments.max() <= grid.duration + 1e-6


def test_limiting_to_the_video_first_changes_results(golden):
    """Public code limits after the suppression; before it, segments outside overlap otherwise."""
    _, io, _ = golden("tridet_official")
    video = io["inference"][0]
    segments = video["pre_nms"]["segments"] * 4 / 25 + 8 / 25
    outside = (segments[:, 0] < 0) | (segments[:, 1] > video["duration"])
    assert 200 < outside.sum() < 300
    raw = InstanceData(**{**video["pre_nms"], "segments": segments})
    expected = video["post"]["soft_multiclass"]
    for first in (False, True):
        process = DetectionPostProcessor(nms=SOFT, max_per_video=200, clamp_first=first)
        final = process([raw], duration=video["duration"])
        assert final.segments.min() >= 0 and final.segments.max() <= video["duration"] + 1e-6
        off = (final.scores - expected["scores"]).abs().max()
        assert (off > 0.01) == first


def opentad_detections(name, io, index):
    """All pairs of a valid point and a class above 0.001, in grid units."""
    batch = io["batch_eval"]
    if name == "actionformer_opentad":
        segments, scores = (batch[key][index] for key in ("proposals", "scores"))
        segments = segments[:, None].expand(-1, scores.shape[1], -1)
    else:
        scores = batch["scores"][index]
        time, stride = batch["points_cat"][:, 0], batch["points_cat"][:, 3]
        left, right = batch["decoded_reg"][index].unbind(-1)  # [K, T]
        segments = torch.stack([time - left * stride, time + right * stride], dim=-1)
        segments = segments.transpose(0, 1)
    chosen, labels = (scores > 0.001).nonzero(as_tuple=True)
    return InstanceData(
        segments=segments[chosen, labels], scores=scores[chosen, labels], labels=labels
    )


@pytest.mark.parametrize("name", ["actionformer_opentad", "tridet_opentad"])
def test_opentad_settings(golden, name):
    """Rounded there, segments to 2 and scores to 4 decimals, and NaN where its vote divides 0/0."""
    _, io, _ = golden(name)
    undefined = 0
    for index, meta in enumerate(io["post"]["metas"]):
        decoded = opentad_detections(name, io, index)
        assert len(io["post"]["results"]) == 4
        for tag, expected in io["post"]["results"].items():
            final, expected = opentad(tag)([decoded]), expected[meta["video_name"]]
            assert all(final[key].isfinite().all() for key in ("segments", "scores"))
            frames = final.segments * meta["snippet_stride"] + meta["offset_frames"]
            seconds = (frames / meta["fps"]).clamp(0, meta["duration"])
            known = expected["segments"].isfinite().all(dim=1)
            undefined += int((~known).sum())
            assert_close(seconds[known], expected["segments"][known], atol=5.1e-3, rtol=0)
            assert_close(final.scores, expected["scores"], atol=5.1e-5, rtol=0)
            assert_close(final.labels, expected["labels"])
    # 50 to 65 a video
    assert 150 <= undefined <= 195 if name == "actionformer_opentad" else undefined == 0


def boundary_maps(io, index):
    """Proposals of a boundary map whose start and end are peaks or high, in grid units."""
    start, end = io["tem"][index].sigmoid()
    confidence = io["pem"][index].sigmoid().prod(dim=0)  # [D, T]
    rows = []
    for scores, edge in ((start, 0), (end, -1)):
        padded = torch.nn.functional.pad(scores, (1, 1))
        good = (scores > padded[:-2]) & (scores > padded[2:]) | (scores > 0.5 * scores.max())
        good[edge] = True
        rows.append(good)
    length, steps = confidence.shape
    pairs = [
        (t, t + d) for d in range(length) for t in range(steps - d) if rows[0][t] and rows[1][t + d]
    ]
    first, last = torch.tensor(pairs).T
    scores = confidence[last - first, first]
    segments = torch.stack([first, last + 1], dim=1).float()
    return InstanceData(segments=segments, scores=scores, labels=torch.zeros(len(scores)).long())


@pytest.mark.parametrize("name", ["bmn", "gtad"])
def test_proposals_for_recall(golden, name):
    """The variant of soft-NMS of BMN's recall, in seconds, with lengths taken by the video."""
    _, io, _ = golden(name)
    nms = dict(
        type="soft_nms",
        decay="improved_gaussian",
        sigma=0.4,
        iou_threshold=0.5,
        iou_slope=0.4,
        min_score=0.0,
        class_agnostic=True,
    )
    process = DetectionPostProcessor(nms=nms, max_per_video=100)
    for index, meta in enumerate(io["post"]["metas"]):
        grid = TemporalGrid(0.0, meta["duration"] / 16, 16, meta["duration"])
        decoded = boundary_maps(io, index)
        decoded.segments = grid.to_seconds(decoded.segments)
        with pytest.raises(ValueError, match="improved_gaussian needs the duration"):
            process([decoded])
        final = process([decoded], duration=grid.duration)
        expected = io["post"]["results"]["proposal_improved_gaussian"][meta["video_name"]]
        assert len(final) == len(expected["scores"])
        assert_close(final.scores, expected["scores"], atol=5.1e-5, rtol=0)
        assert_close(final.segments, expected["segments"], atol=5.1e-3, rtol=0)
