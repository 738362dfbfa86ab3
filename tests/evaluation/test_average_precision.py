import numpy as np
import pytest

from mmtad.evaluation.average_precision import (
    average_precision,
    check_tiou_thresholds,
    interpolated_average_precision,
)

TIOU = [0.3, 0.5, 0.7]


def random_arrays(seed=0, num_videos=6, num_classes=3):
    """Ground truth and detections with unique scores and unique positions, as keyword arguments."""
    rng = np.random.default_rng(seed)
    num_gt, num_pred = 40, 300
    starts = rng.uniform(0, 100, num_gt)
    gt_segments = np.stack([starts, starts + rng.uniform(2, 20, num_gt)], axis=1)
    base = rng.integers(num_gt, size=num_pred)
    gt_videos, gt_labels = (rng.integers(n, size=num_gt) for n in (num_videos, num_classes))
    return dict(
        gt_videos=gt_videos,
        gt_labels=gt_labels,
        gt_segments=gt_segments,
        pred_videos=gt_videos[base],
        pred_labels=np.where(rng.random(num_pred) < 0.8, gt_labels[base], -1),
        pred_segments=np.sort(gt_segments[base] + rng.normal(0, 2, (num_pred, 2)), axis=1),
        pred_scores=rng.permutation(num_pred) / num_pred,
        tiou_thresholds=TIOU,
        num_classes=num_classes,
    )


def one_class(gt, predictions, tiou=(0.5,)):
    """AP of one class in one video; predictions are (start, end, score)."""
    gt, predictions = np.array(gt, float).reshape(-1, 2), np.array(predictions, float)
    predictions = predictions.reshape(-1, 3)
    n, m = len(gt), len(predictions)
    return average_precision(
        np.zeros(n, int),
        np.zeros(n, int),
        gt,
        np.zeros(m, int),
        np.zeros(m, int),
        predictions[:, :2],
        predictions[:, 2],
        tiou,
        1,
    )[0]


def test_hand_computed():
    # Ranks: hit, miss, hit; precision 1, 1/2, 2/3; two actions.
    ap = one_class([[0, 10], [20, 30]], [[0, 10, 0.9], [50, 60, 0.8], [20, 29, 0.7]])
    np.testing.assert_allclose(ap, [(1 + 2 / 3) / 2])


def test_precision_envelope():
    matched = np.array([[False], [True], [True], [False]])
    # Precision 0, 1/2, 2/3, 1/2: both hits are worth 2/3.
    np.testing.assert_allclose(interpolated_average_precision(matched, 3), [2 * (2 / 3) / 3])
    assert interpolated_average_precision(np.zeros((0, 2), bool), 3).tolist() == [0, 0]


def test_each_action_is_found_once():
    ap = one_class([[0, 10], [20, 30]], [[0, 10, 0.9], [0, 10, 0.8], [20, 30, 0.7]])
    np.testing.assert_allclose(ap, [(1 + 2 / 3) / 2])


def test_second_best_action_is_taken_when_the_best_is_gone():
    gt = [[0, 10], [2, 12]]
    np.testing.assert_allclose(one_class(gt, [[0, 10, 0.9], [0.5, 10, 0.8]], (0.5, 0.9)), [1, 0.5])


def test_threshold_is_inclusive_and_counted_per_threshold():
    np.testing.assert_allclose(one_class([[0, 10]], [[0, 5, 1]], (0.5, 0.51)), [1, 0])


def test_ties_keep_the_given_order():
    gt, hit, miss = [[0, 10]], [0, 10, 0.5], [50, 60, 0.5]
    assert one_class(gt, [hit, miss])[0] == 1
    assert one_class(gt, [miss, hit])[0] == 0.5


def test_zero_length_and_reversed_segments_overlap_nothing():
    assert one_class([[5, 5]], [[5, 5, 1]])[0] == 0
    assert one_class([[0, 10]], [[5, 5, 1]])[0] == 0
    assert one_class([[0, 10]], [[8, 2, 1]])[0] == 0


def test_videos_and_classes_do_not_mix():
    # Class 1 has its action in video 0; a detection of class 1 on an unknown video must not reach
    # the last video of class 0, which is its neighbour in the grouped order.
    ap = average_precision(
        gt_videos=np.array([1, 0]),
        gt_labels=np.array([0, 1]),
        gt_segments=np.array([[0.0, 10.0], [0.0, 10.0]]),
        pred_videos=np.array([-1, 0, 1]),
        pred_labels=np.array([1, 1, -1]),
        pred_segments=np.array([[0.0, 10.0]] * 3),
        pred_scores=np.array([0.9, 0.8, 0.95]),
        tiou_thresholds=[0.5],
        num_classes=3,
    )
    np.testing.assert_allclose(ap[:, 0], [0, 0.5, np.nan])


def test_order_of_detections_and_videos_does_not_matter():
    arrays = random_arrays()
    expected = average_precision(**arrays)
    assert 0.05 < expected.mean() < 0.95
    rng = np.random.default_rng(1)
    order, videos = rng.permutation(300), rng.permutation(6)
    shuffled = dict(arrays)
    for key in ("pred_videos", "pred_labels", "pred_segments", "pred_scores"):
        shuffled[key] = arrays[key][order]
    shuffled["gt_videos"] = videos[arrays["gt_videos"]]
    shuffled["pred_videos"] = videos[shuffled["pred_videos"]]
    np.testing.assert_array_equal(average_precision(**shuffled), expected)


@pytest.mark.parametrize("shift", [-3.5, 1000.0])
def test_shift_and_scale_of_time_do_not_matter(shift):
    arrays = random_arrays(seed=2)
    expected = average_precision(**arrays)
    moved = dict(arrays)
    for key in ("gt_segments", "pred_segments"):
        moved[key] = 2 * arrays[key] + shift
    np.testing.assert_allclose(average_precision(**moved), expected, rtol=0, atol=1e-12)


def test_perfect_and_empty():
    arrays = random_arrays()
    perfect = arrays | dict(
        pred_videos=arrays["gt_videos"],
        pred_labels=arrays["gt_labels"],
        pred_segments=arrays["gt_segments"],
        pred_scores=np.ones(40),
        tiou_thresholds=[0.5, 1.0],
    )
    assert (average_precision(**perfect) == 1).all()
    empty = arrays | {k: arrays[k][:0] for k in arrays if k.startswith("pred_")}
    assert (average_precision(**empty) == 0).all()


def test_no_ground_truth_is_nan():
    arrays = random_arrays()
    empty = arrays | {k: arrays[k][:0] for k in arrays if k.startswith("gt_")}
    assert np.isnan(average_precision(**empty)).all()


@pytest.mark.parametrize("bad", [[], [0.0], [1.1], [0.5, float("nan")], [0.5, 0.5], [[0.5]]])
def test_bad_thresholds(bad):
    with pytest.raises(ValueError, match="tIoU threshold"):
        check_tiou_thresholds(bad)
