"""Hand-computed numbers, and DETAD's definitions written down once more, slowly."""

import numpy as np
import pytest

from mmtad.evaluation import load_ground_truth, load_predictions
from mmtad.evaluation.average_precision import average_precision
from mmtad.evaluation.diagnosis_matching import (
    match,
    normalized_average_precision,
    normalized_precision,
)
from mmtad.evaluation.diagnosis_profiles import (
    DETECTION_TYPES,
    error_types,
    false_positives,
    found_actions,
    missed_rates,
    sensitivity,
)

TRUTH = {
    "a": [(0, 10, "run"), (20, 30, "run"), (40, 50, "jump")],
    "b": [(0, 4, "run"), (0, 4, "jump")],  # one segment, two classes
    "c": [],
}
DETECTIONS = [
    # video, start, end, class, score, type at tIoU 0.5
    ("a", 0, 10, "run", 0.90, "true positive"),
    ("a", 1, 10, "run", 0.85, "double detection"),  # tIoU 0.9, but the action is found
    ("a", 40, 50, "run", 0.80, "wrong label"),
    ("a", 20, 24, "run", 0.75, "localisation"),  # tIoU 0.4
    ("a", 48, 60, "run", 0.70, "confusion"),  # 2 / 20 = 0.1 with a jump
    ("a", 49, 60, "run", 0.65, "background"),  # 1 / 20 = 0.05
    ("c", 0, 10, "run", 0.60, "background"),  # a video without actions
    ("c", 1, 9, "run", 0.59, "background"),
    ("z", 0, 10, "run", 0.55, "background"),  # a video outside the ground truth
    ("b", 0, 4, "jump", 0.50, "true positive"),
    ("b", 0, 3, "jump", 0.45, "double detection"),  # equally near to a run: its own class counts
    ("a", 5, 5, "run", 0.40, "background"),  # no length, no overlap
    ("a", 0, 10, "fly", 0.99, None),  # a class without action counts nowhere
]


def build(truth, detections, thresholds=(0.5,)):
    database = {
        video: {"annotations": [{"segment": [s, e], "label": name} for s, e, name in actions]}
        for video, actions in truth.items()
    }
    results = {}
    for video, start, end, label, score, *_ in detections:
        one = {"segment": [start, end], "label": label, "score": score}
        results.setdefault(video, []).append(one)
    ground_truth = load_ground_truth({"database": database})
    predictions = load_predictions({"results": results}, ground_truth)
    return ground_truth, predictions, match(ground_truth, predictions, np.array(thresholds))


def test_every_type_of_detection():
    _, predictions, matches = build(TRUTH, DETECTIONS)
    types = error_types(matches)[:, 0]
    got = {float(predictions.scores[row]): t for row, t in zip(matches.rows, types, strict=True)}
    expected = {d[4]: DETECTION_TYPES.index(d[5]) for d in DETECTIONS if d[5]}
    assert got == expected


def test_a_wrong_label_may_be_the_nearest_though_its_own_class_is_near_too():
    truth = {"a": [(0, 10, "run"), (0, 11, "jump")]}
    detections = [("a", 0, 10, "run", 0.9), ("a", 0, 10.9, "run", 0.8), ("a", 0, 9, "run", 0.7)]
    types = error_types(build(truth, detections)[2])[:, 0]
    assert [DETECTION_TYPES[t] for t in types] == [
        "true positive",
        "wrong label",
        "double detection",
    ]


def test_profile_of_false_positives_by_hand():
    _, _, matches = build(TRUTH, DETECTIONS)
    profile = false_positives(matches, normalizer=2.5, num_bands=2)
    # jump has 2 actions: both its detections are in band 1. run has 3: bands of three.
    # TP, double, label, localisation, confusion, background
    assert profile.counts.tolist() == [[2, 2, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]
    np.testing.assert_allclose(profile.shares.sum(axis=1), 1)
    # run: found 1 of 3 at rank 1, precision 1: AP 1/3. jump: found 1 of 2 at rank 1: AP 1/2.
    assert profile.base == pytest.approx((1 / 3 + 1 / 2) / 2)
    np.testing.assert_allclose(profile.impact, 0, atol=1e-12)  # nothing stands above them

    # A background error above the only find: precision N/3 / (N/3 + 1) with N = 3.
    one = [("a", 12, 15, "run", 0.95), *DETECTIONS[:1]]
    _, _, matches = build({"a": TRUTH["a"][:2] + [(60, 70, "run")]}, one)
    profile = false_positives(matches, normalizer=3.0, num_bands=1)
    assert profile.base == pytest.approx(0.5 / 3)
    np.testing.assert_allclose(profile.impact, [0, 0, 0, 0, 1 / 3 - 0.5 / 3], atol=1e-12)


def test_bands_without_detections_have_no_shares():
    _, _, matches = build(TRUTH, DETECTIONS[:1])
    profile = false_positives(matches, 2.5, num_bands=3)
    assert profile.counts.sum() == 1 and np.isnan(profile.shares[1:]).all()
    _, _, matches = build(TRUTH, [])
    profile = false_positives(matches, 2.5)
    assert profile.base == 0 and not profile.counts.any() and not profile.impact.any()


def test_sensitivity_by_hand():
    truth, _, matches = build(TRUTH, DETECTIONS)
    order = [
        (truth.video_ids[v], s) for v, s in zip(truth.videos, truth.segments[:, 0], strict=True)
    ]
    # Bin 0: the run at 0 s of a, bin 1: everything else, bin 2: nothing.
    bins = np.array([0 if one == ("a", 0) else 1 for one in order])
    result = sensitivity(matches, truth.labels, bins, 3, normalizer=2.5)
    # Bin 1: no run is found, one of two jumps is, at rank 1.
    np.testing.assert_allclose(result, [1, (0 + 1 / 2) / 2, np.nan])


def test_low_precision_does_not_find():
    _, _, matches = build(TRUTH, DETECTIONS)
    assert found_actions(matches, 5, 2.5, 0.05).sum() == 2
    late = [("a", 12, 15, "run", 0.95 - i / 100) for i in range(20)] + [("a", 0, 10, "run", 0.1)]
    truth, _, matches = build({"a": [(0, 10, "run")]}, late)
    # One of one action found: N / (N + 20), with N = 1 below 0.05, with N = 2 above.
    assert normalized_precision(matches, 1.0)[-1, 0] == pytest.approx(1 / 21)
    assert not found_actions(matches, 1, 1.0, 0.05).any()
    assert found_actions(matches, 1, 2.0, 0.05).all()


def test_missed_rates_by_hand():
    found = np.array([[True, True], [True, False], [False, False]])
    rates = missed_rates(found, np.array([0, 0, 2]), 3)
    np.testing.assert_allclose(rates, [0.25, np.nan, 1])


def test_plain_ap_is_that_of_the_evaluation():
    truth, predictions, matches = random_case(3)
    kinds = matches.found.astype(np.int8)
    ours = normalized_average_precision(kinds, matches.bounds, matches.num_gt, matches.num_gt)
    expected = average_precision(
        truth.videos,
        truth.labels,
        truth.segments,
        predictions.videos,
        predictions.labels,
        predictions.segments,
        predictions.scores,
        matches.thresholds,
        len(truth.classes),
    )
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


def random_case(seed, thresholds=(0.3, 0.5, 0.7)):
    rng = np.random.default_rng(seed)
    truth, detections = {}, []
    for video in map(str, range(12)):
        starts = rng.uniform(0, 90, rng.integers(0, 6))
        truth[video] = [(s, s + rng.uniform(1, 10), str(rng.choice(list("pqr")))) for s in starts]
        for start, end, label in truth[video] * 3:
            shift = rng.normal(0, 2, 2)
            segment = sorted((start + shift[0], end + shift[1]))
            name = label if rng.random() < 0.7 else str(rng.choice(list("pqr")))
            detections.append((video, *segment, name, float(rng.random())))
        for start in rng.uniform(0, 90, 3):
            detections.append((video, start, start + 5, "p", float(rng.random())))
    return build(truth, detections, thresholds)


def slow_ap(flags, num_gt, normalizer):
    """Normalised AP from its formula; flags by falling score: True, False or None (left out)."""
    precisions, found, wrong = [], 0, 0
    for flag in flags:
        found, wrong = found + (flag is True), wrong + (flag is False)
        if flag is True:
            weight = normalizer * found / num_gt
            precisions.append(weight / (weight + wrong))
    return sum(max(precisions[i:]) for i in range(len(precisions))) / num_gt


@pytest.mark.parametrize("seed", range(3))
def test_against_the_definitions(seed):
    truth, _, matches = random_case(seed)
    bins = np.random.default_rng(seed).integers(0, 2, len(truth.labels))
    types, normalizer = error_types(matches), 7.0
    sensitive, gains = np.zeros((2, 3)), np.zeros(5)
    for t in range(3):
        per_bin, base, without = [[], []], [], [[] for _ in range(5)]
        for k, num_gt in enumerate(matches.num_gt):
            rows = range(matches.bounds[k], matches.bounds[k + 1])
            best = [i for i in rows if matches.ranks[i] < 2 * num_gt]
            actions = matches.actions[:, t]
            flags = [bool(actions[i] >= 0) for i in best]
            base.append(slow_ap(flags, num_gt, normalizer))
            for error in range(5):
                kept = [f for i, f in zip(best, flags, strict=True) if types[i, t] != error + 1]
                without[error].append(slow_ap(kept, num_gt, normalizer))
            for b in range(2):
                flags = [
                    False if actions[i] < 0 else (True if bins[actions[i]] == b else None)
                    for i in rows
                ]
                size = int(((bins == b) & (truth.labels == k)).sum())
                if size:
                    per_bin[b].append(slow_ap(flags, size, normalizer))
        sensitive[:, t] = [np.mean(values) for values in per_bin]
        gains += (np.mean(without, axis=1) - np.mean(base)) / 3
    got = sensitivity(matches, truth.labels, bins, 2, normalizer)
    np.testing.assert_allclose(got, sensitive.mean(axis=1), rtol=1e-12)
    profile = false_positives(matches, normalizer, num_bands=2)
    np.testing.assert_allclose(profile.impact, gains, atol=1e-12)
    assert gains.max() > 0.01


@pytest.mark.parametrize("min_tiou", [0, -0.1, 0.6])
def test_the_background_overlap_stays_below_the_thresholds(min_tiou):
    matches = build(TRUTH, DETECTIONS)[2]
    with pytest.raises(ValueError, match="at most the lowest threshold 0.5, got"):
        error_types(matches, min_tiou)


def test_bad_numbers():
    matches = build(TRUTH, DETECTIONS)[2]
    with pytest.raises(ValueError, match="one band of ranks or more, got 0"):
        false_positives(matches, 2.5, 0)
    with pytest.raises(ValueError, match="at least 0 and below 1, got 1"):
        found_actions(matches, 5, 2.5, 1)
