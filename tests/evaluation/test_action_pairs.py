import numpy as np
import pytest

from mmtad.evaluation import pair_verbs_and_nouns


def results(rows, video="a"):
    return {
        "results": {
            video: [{"segment": [s, e], "label": label, "score": p} for s, e, label, p in rows]
        }
    }


def pair(verbs, nouns, **options):
    found = pair_verbs_and_nouns(results(verbs), results(nouns), **options)["a"]
    return [(*one["segment"], one["label"], one["score"]) for one in found]


def test_mean_segment_and_geometric_mean_score():
    found = pair([(0, 10, "take", 0.9)], [(2, 10, "plate", 0.4), (50, 60, "cup", 1.0)])
    assert found == [(1.0, 10.0, "take plate", pytest.approx(0.6))]


def test_threshold():
    verbs, nouns = [(0, 10, "take", 1.0)], [(0, 5, "plate", 1.0)]
    assert len(pair(verbs, nouns, iou_threshold=0.5)) == 1
    assert pair(verbs, nouns, iou_threshold=0.51) == []


def test_every_combination_that_overlaps_by_falling_score():
    verbs = [(0, 10, "take", 0.9), (0, 10, "put", 0.5)]
    nouns = [(0, 10, "plate", 0.8), (0, 10, "cup", 0.1)]
    assert [one[2] for one in pair(verbs, nouns)] == [
        "take plate",
        "put plate",
        "take cup",
        "put cup",
    ]
    assert [one[2] for one in pair(verbs, nouns, max_per_video=2)] == ["take plate", "put plate"]


def test_within_an_action_a_detection_is_used_once():
    verbs = [(0, 10, "take", 0.9), (1, 10, "take", 0.8)]
    nouns = [(0, 10, "plate", 0.7), (1, 10, "plate", 0.6)]
    found = pair(verbs, nouns)
    assert [(one[0], one[3]) for one in found] == [
        (0.0, pytest.approx(np.sqrt(0.63))),
        (1.0, pytest.approx(np.sqrt(0.48))),
    ]


def test_like_all_pairs_sorted():
    """The lazy search gives what a sorted list of all pairs would give."""
    rng = np.random.default_rng(0)

    def rows(names, count):
        starts = rng.uniform(0, 60, count)
        return [
            (s, s + rng.uniform(1, 20), names[rng.integers(len(names))], p)
            for s, p in zip(starts.tolist(), rng.permutation(count) / count + 0.001, strict=True)
        ]

    verbs, nouns = rows(["take", "put", "cut"], 60), rows(["cup", "pan"], 50)
    pairs = []
    for i, (vs, ve, verb, vp) in enumerate(verbs):
        for j, (ns, ne, noun, np_) in enumerate(nouns):
            inter = max(min(ve, ne) - max(vs, ns), 0)
            if inter / (ve - vs + ne - ns - inter) >= 0.4:
                pairs.append((-vp * np_, i, j, verb, noun))
    used, expected = set(), []
    for product, i, j, verb, noun in sorted(pairs):
        if ("v", i, noun) not in used and ("n", j, verb) not in used:
            used |= {("v", i, noun), ("n", j, verb)}
            start, end = (verbs[i][0] + nouns[j][0]) / 2, (verbs[i][1] + nouns[j][1]) / 2
            expected.append((start, end, f"{verb} {noun}", np.sqrt(-product)))
    found = pair(verbs, nouns, iou_threshold=0.4)
    assert [one[2] for one in found] == [one[2] for one in expected]
    np.testing.assert_allclose([one[:2] for one in found], [one[:2] for one in expected])
    np.testing.assert_allclose([one[3] for one in found], [one[3] for one in expected])
    assert len(found) > 50


def test_videos_of_only_one_file_and_nothing_found():
    verbs = results([(0, 10, "take", 0.9)], "only verbs")
    nouns = results([(0, 10, "cup", 0.9)], "only nouns")
    assert pair_verbs_and_nouns(verbs, nouns) == {"only verbs": [], "only nouns": []}
    assert pair([], []) == []
    assert pair([(5, 5, "take", 1.0)], [(5, 5, "cup", 1.0)]) == []  # zero length


@pytest.mark.parametrize(
    "verbs, options, message",
    [
        ([(0, 1, "take", -0.1)], {}, "video 'a' has the score -0.1; scores below 0 have no geom"),
        ([(1, 0, "take", 0.1)], {}, "the verb detections: video 'a' has the reversed segment"),
        ([], dict(iou_threshold=0), r"iou_threshold must be in \(0, 1\], got 0"),
        ([], dict(max_per_video=0), "max_per_video must be at least 1, got 0"),
    ],
)
def test_bad_input(verbs, options, message):
    with pytest.raises(ValueError, match=message):
        pair(verbs, [(0, 1, "cup", 1.0)], **options)
