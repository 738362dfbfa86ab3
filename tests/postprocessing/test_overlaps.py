"""Suppression where two windows overlap."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from torch.testing import assert_close

from mmtad.evaluation import DetectionMetric
from mmtad.postprocessing import DetectionPostProcessor
from mmtad.postprocessing.overlaps import overlap_regions, suppress_overlaps
from mmtad.structures import TemporalGrid


def window(rows, extent=None):
    """Detections (start, end, score, label) of a window."""
    rows = torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
    found = InstanceData(segments=rows[:, :2], scores=rows[:, 2], labels=rows[:, 3].long())
    if extent is not None:
        found.set_metainfo(dict(extent=extent))
    return found


def processor(**options):
    nms = dict(type="nms", iou_threshold=0.4, overlaps_only=True) | options
    return DetectionPostProcessor(nms=nms)


def test_regions_of_neighbours_only():
    extents = [(0.0, 10.0), (15.0, 25.0), (7.5, 17.5), (30.0, 40.0)]
    regions = overlap_regions([window([], extent) for extent in extents])
    # The last window touches none.
    assert_close(regions, torch.tensor([[7.5, 10.0], [15.0, 17.5]], dtype=torch.float64))
    assert overlap_regions([window([])]).shape == overlap_regions([]).shape == (0, 2)


def test_by_hand():
    first = [[1, 3, 0.9, 0], [1, 3, 0.8, 0], [6, 9, 0.7, 0], [6, 9, 0.6, 1]]
    second = [[6, 9.1, 0.5, 0], [11, 13, 0.4, 0], [11, 13, 0.3, 0], [5.5, 7.45, 0.2, 0]]
    windows = [window(first, (0.0, 10.0)), window(second, (7.5, 17.5))]
    final = processor()(windows)
    # Gone is the 0.5 alone: it repeats the 0.7, and both touch [7.5, 10]. Of another class is the
    # 0.6; the pairs at [1, 3] and [11, 13] lie outside, and so does [5.5, 7.45].
    assert_close(final.scores, torch.tensor([0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2]))
    agnostic = processor(class_agnostic=True)(windows)
    assert_close(agnostic.scores, torch.tensor([0.9, 0.8, 0.7, 0.4, 0.3, 0.2]))
    everywhere = DetectionPostProcessor(nms=dict(type="nms", iou_threshold=0.4))(windows)
    assert_close(everywhere.scores, torch.tensor([0.9, 0.7, 0.6, 0.4]))


def by_the_authors_rules(segments, scores, labels, regions, threshold=0.4):
    """One list per region, each suppressed by itself, and those that touch none; as a loop."""
    kept, touching = [], np.zeros(len(scores), bool)
    for start, end in regions:
        inside = np.minimum(segments[:, 1], end) - np.maximum(segments[:, 0], start) > 0
        touching |= inside
        for label in np.unique(labels[inside]):
            order = np.flatnonzero(inside & (labels == label))
            order = list(order[np.argsort(-scores[order], kind="stable")])
            while order:
                best = order.pop(0)
                kept.append(best)
                overlap = [
                    min(segments[best, 1], segments[i, 1]) - max(segments[best, 0], segments[i, 0])
                    for i in order
                ]
                union = [np.ptp(segments[best]) + np.ptp(segments[i]) for i in order]
                order = [
                    i
                    for i, o, u in zip(order, overlap, union, strict=True)
                    if o / (u - o) <= threshold
                ]
    return kept, np.flatnonzero(~touching)


def test_is_what_the_authors_do_but_for_repetitions():
    generator = torch.Generator().manual_seed(0)
    starts = torch.rand(300, generator=generator, dtype=torch.float64) * 60
    lengths = torch.rand(300, generator=generator, dtype=torch.float64) * 25
    segments = torch.stack([starts, starts + lengths], dim=1)
    scores = torch.rand(300, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (300,), generator=generator)
    extents = [(start, start + 20.0) for start in (0.0, 15.0, 30.0, 45.0, 60.0)]
    regions = overlap_regions([window([], extent) for extent in extents])
    keep = suppress_overlaps(segments, scores, labels, regions, 0.4)
    kept, outside = by_the_authors_rules(*(x.numpy() for x in (segments, scores, labels, regions)))
    assert set(keep.tolist()) == {*kept, *outside.tolist()} and len(outside)
    # The named difference: theirs lists a segment once for every region in which it survives.
    assert len(kept) > len(set(kept)) and len(keep) == len(set(keep.tolist()))
    assert (scores[keep].diff() <= 0).all()


def test_nothing_to_suppress():
    one = window([[0, 5, 0.5, 0], [0, 5, 0.4, 0]])
    assert len(processor()([one])) == 2  # a single window needs no extent
    assert len(processor()([])) == 0
    empty = [window([], (0.0, 10.0)), window([], (5.0, 15.0))]
    assert len(processor()(empty)) == 0


def test_cap_and_limits_apply_as_ever():
    windows = [window([[-1, 3, 0.9, 0]], (0.0, 4.0)), window([[2.5, 9, 0.8, 0]], (2.0, 6.0))]
    process = DetectionPostProcessor(
        nms=dict(type="nms", iou_threshold=0.4, overlaps_only=True), max_per_video=1
    )
    final = process(windows, duration=6.0)
    assert_close(final.segments, torch.tensor([[0.0, 3.0]]))


def test_bad_input():
    windows = [window([[0, 1, 0.5, 0]], (0.0, 10.0)), window([[0, 1, 0.5, 0]])]
    with pytest.raises(ValueError, match="extent of every window, window 1 of 2 has none"):
        processor()(windows)
    for wrong in (dict(type="soft_nms"), dict(min_score=0.1), dict(max_per_class=3)):
        with pytest.raises(ValueError, match="overlaps_only is of type 'nms' and takes"):
            processor(**wrong)
    nms = dict(type="nms", overlaps_only=True)
    with pytest.raises(ValueError, match="not per_window"):
        DetectionPostProcessor(nms=nms, per_window=True)
    with pytest.raises(ValueError, match="voting mixes segments"):
        DetectionPostProcessor(nms=nms, voting=dict(iou_threshold=0.7))


def test_the_metric_tells_the_windows():
    """Two windows see the same action; elsewhere each may say a thing twice."""
    metric = DetectionMetric(
        post_processor=dict(
            type="DetectionPostProcessor",
            nms=dict(type="nms", iou_threshold=0.4, overlaps_only=True),
        ),
        tiou_thresholds=[0.5],
    )
    truth = dict(
        subset="test",
        duration=20.0,
        annotations=[dict(segment=[8.0, 9.5], label="a"), dict(segment=[1.0, 2.0], label="a")],
    )
    metric.dataset_meta = dict(classes=["a"], ground_truth=dict(database=dict(v=truth)))
    for index, origin in enumerate((0.0, 7.5)):
        rows = [[8, 9.5, 0.9 - index / 10, 0]] + [[1, 2, 0.5, 0]] * (1 - index)
        metric.process(
            None,
            [
                dict(
                    video_id="v",
                    window_index=index,
                    duration=20.0,
                    grid=TemporalGrid(origin, 1.0, 10, 20.0),
                    pred_instances=window(rows),
                )
            ],
        )
    assert metric.compute_metrics(metric.results)["mAP"] == pytest.approx(1.0)
