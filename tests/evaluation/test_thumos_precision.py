import numpy as np
import pytest
import scipy.io

from mmtad.evaluation import STYLES, detection_report, evaluate_detections, read_text_results
from mmtad.evaluation.thumos_precision import plain_average_precision, thumos_average_precision

# tIoU: (ActivityNet style, THUMOS style) in percent.
CBR = {
    0.1: (60.81, 61.72),
    0.3: (50.18, 50.90),
    0.4: (41.31, 41.80),
    0.5: (31.33, 31.39),
    0.6: (19.53, 19.24),
    0.7: (10.20, 9.89),
}
TURN_FLOW = {
    0.1: (56.64, 57.35),
    0.2: (52.64, 53.06),
    0.3: (44.98, 44.90),
    0.4: (35.24, 34.95),
    0.5: (25.88, 25.44),
    0.6: (15.42, 15.18),
    0.7: (7.43, 7.29),
}
TABLE = [
    *(("cbr/CBR_THUMOS-14_IoU", tiou, *row) for tiou, row in CBR.items()),
    *(("turn_tap/TURN-FLOW-16_SCNN_thumos14_iou", tiou, *row) for tiou, row in TURN_FLOW.items()),
    ("turn_tap/TURN-C3D-16_SCNN_thumos14_iou", 0.5, 23.44, 23.12),
]
# What the CBR paper reports (Gao et al., BMVC 2017), one decimal.
CBR_PUBLISHED = {0.1: 60.1, 0.3: 50.1, 0.4: 41.3, 0.5: 31.0, 0.6: 19.1, 0.7: 9.9}


@pytest.fixture(scope="module")
def thumos(shared):
    """THUMOS14 test ground truth from the original text files, and class names by id."""
    database = {}
    for path in sorted((shared / "data/thumos14/original_txt/test").glob("*_test.txt")):
        for line in path.read_text().split("\n"):
            if line.strip():
                video, start, end = line.split()
                actions = database.setdefault(video, {"subset": "test", "annotations": []})
                label = path.name.removesuffix("_test.txt")
                # Text on purpose: files of the field hold numbers as text.
                actions["annotations"].append({"segment": [start, end], "label": label})
    index = (shared / "data/thumos14/afsd/Class Index_Detection.txt").read_text()
    names = dict(line.split() for line in index.strip().split("\n"))
    assert len(database) == 213
    return {"database": database}, {int(number): name for number, name in names.items()}


@pytest.mark.parametrize("name, tiou, activitynet, thumos_style", TABLE)
def test_published_predictions(shared, thumos, name, tiou, activitynet, thumos_style):
    ground_truth, names = thumos
    path = shared / f"data/predictions/{name}{tiou}.txt.gz"
    # 1,771 detections of CBR end before they start; the table counts them as misses.
    predictions = {"results": read_text_results(path, names, reversed_segments="empty")}
    result = evaluate_detections(ground_truth, predictions, tiou)
    assert round(100 * result["mAP"], 2) == activitynet
    result = evaluate_detections(ground_truth, predictions, tiou, style="thumos")
    assert round(100 * result["mAP"], 2) == thumos_style


@pytest.mark.parametrize("tiou", CBR_PUBLISHED)
def test_the_evaluation_kit_gives_the_figures_of_the_paper(shared, thumos, tiou):
    ground_truth, names = thumos
    path = shared / f"data/predictions/cbr/CBR_THUMOS-14_IoU{tiou}.txt.gz"
    predictions = {"results": read_text_results(path, names, reversed_segments="swap")}
    result = evaluate_detections(ground_truth, predictions, tiou, style="thumos_kit")
    assert round(100 * result["mAP"], 1) == CBR_PUBLISHED[tiou]


def test_curves_of_the_official_evaluation(shared):
    """The official kit's own AP from its own curves: S-CNN, 20 classes at five thresholds."""
    path = shared / "data/predictions/scnn/res_scnn_thumos14.mat"
    content = scipy.io.loadmat(path, simplify_cells=True)
    for curves, official in zip(content["PR_all"], content["mAP"], strict=True):
        values = []
        for curve in curves:
            recall, precision = np.atleast_1d(curve.rec), np.atleast_1d(curve.prec)
            num_gt = round(1 / np.diff(np.unique(np.append(0, recall))).min())
            matched = np.diff(recall, prepend=0) > 0
            # The rank of every true positive follows from its precision.
            assert np.allclose(np.cumsum(matched) / np.arange(1, len(matched) + 1), precision)
            counted = np.ones(len(matched), dtype=bool)
            ap = plain_average_precision(matched[:, None], counted, num_gt)[0]
            assert ap == pytest.approx(curve.ap, abs=1e-9)
            values.append(ap)
        assert np.mean(values) == pytest.approx(official, abs=1e-9)


def ap(actions, found, ambiguous=(), matching="detections", tiou=0.5, videos=None):
    """AP of one class: actions [start, end], found [start, end, score], all in video 0."""
    found = np.array(found, dtype=float).reshape(-1, 3)
    actions = np.array(actions, dtype=float).reshape(-1, 2)
    ambiguous = np.array(ambiguous, dtype=float).reshape(-1, 2)
    count = len(found)
    return thumos_average_precision(
        np.zeros(len(actions), dtype=np.int64),
        np.zeros(len(actions), dtype=np.int64),
        actions,
        np.zeros(count, dtype=np.int64) if videos is None else np.array(videos),
        np.zeros(count, dtype=np.int64),
        found[:, :2],
        found[:, 2],
        np.zeros(len(ambiguous), dtype=np.int64),
        ambiguous,
        [tiou],
        1,
        matching,
    )[0, 0]


@pytest.mark.parametrize("matching", ["detections", "annotations"])
def test_no_interpolation(matching):
    # hit, miss, miss, hit: (1/1 + 2/4) / 2; the envelope would not change it. Then a late rise:
    # miss, hit, hit: (1/2 + 2/3) / 2, where the envelope gives (2/3 + 2/3) / 2.
    actions = [[0, 10], [20, 30]]
    found = [[0, 10, 0.9], [50, 60, 0.8], [60, 70, 0.7], [20, 30, 0.6]]
    assert ap(actions, found, matching=matching) == pytest.approx(0.75)
    found = [[50, 60, 0.9], [0, 10, 0.8], [20, 30, 0.7]]
    assert ap(actions, found, matching=matching) == pytest.approx((1 / 2 + 2 / 3) / 2)


@pytest.mark.parametrize("matching", ["detections", "annotations"])
def test_ambiguous_segments_excuse_false_positives_only(matching):
    actions, late = [[0, 10]], [0, 10, 0.1]
    miss = [20, 30, 0.9]
    assert ap(actions, [miss, late], matching=matching) == 0.5
    assert ap(actions, [miss, late], [[29, 40]], matching=matching) == 1
    assert ap(actions, [miss, late], [[30, 40]], matching=matching) == 0.5  # they meet, no overlap
    assert ap(actions, [late], [[0, 10]], matching=matching) == 1
    # A detection in a video that nothing is known of is not excused.
    assert ap(actions, [miss, late], [[29, 40]], matching=matching, videos=[-1, 0]) == 0.5


def test_the_two_matchings_differ():
    # The first detection overlaps the second action most; the kit lets every action choose.
    actions = [[0, 10], [10, 20]]
    found = [[6, 19, 0.9], [9, 20, 0.8], [0, 9, 0.7]]
    # By detection: hit (second action), then 9-20 finds it taken: miss, then hit.
    assert ap(actions, found) == pytest.approx((1 + 2 / 3) / 2)
    # By annotation: the first action takes 0-9, the second 9-20; 6-19 is the miss.
    assert ap(actions, found, matching="annotations") == pytest.approx((1 / 2 + 2 / 3) / 2)
    # The kit asks for more than the threshold, the other for the threshold.
    assert ap([[0, 10]], [[0, 5, 1.0]]) == 1
    assert ap([[0, 10]], [[0, 5, 1.0]], matching="annotations") == 0


@pytest.mark.parametrize("matching", ["detections", "annotations"])
def test_nothing_found_and_zero_length(matching):
    assert ap([[0, 10]], [], matching=matching) == 0
    assert ap([[0, 10]], [[5, 5, 1.0]], matching=matching) == 0
    assert np.isnan(ap([], [[0, 1, 1.0]], matching=matching))


def test_unknown_style_and_matching():
    with pytest.raises(ValueError, match="style must be one of activitynet, thumos, thumos_kit"):
        evaluate_detections({"database": {}}, {"results": {}}, style="voc")
    with pytest.raises(ValueError, match="matching must be one of"):
        ap([[0, 1]], [], matching="voc")


def test_ground_truth_without_ambiguous_segments(log):
    plain = {"database": {"a": {"annotations": [{"segment": [0, 1], "label": "run"}]}}}
    found = {"results": {"a": [{"segment": [0, 1], "label": "run", "score": 1}]}}
    assert evaluate_detections(plain, found, style="thumos")["mAP"] == 1
    assert any("has no segment labelled Ambiguous, so no false positive" in one for one in log)


@pytest.mark.parametrize("style", STYLES)
def test_order_and_shift_do_not_matter(shared, thumos, style):
    ground_truth, names = thumos
    path = shared / "data/predictions/cbr/CBR_THUMOS-14_IoU0.7.txt.gz"
    found = read_text_results(path, names, reversed_segments="empty")
    scores = np.random.default_rng(0).permutation(sum(map(len, found.values()))).tolist()
    for detections in found.values():  # no ties
        for detection in detections:
            detection["score"] = scores.pop()
    mixed = {video: items[::-1] for video, items in reversed(found.items())}
    moved = {video: [shifted(one) for one in items] for video, items in found.items()}
    moved_truth = {
        video: {**info, "annotations": [shifted(one) for one in info["annotations"]]}
        for video, info in ground_truth["database"].items()
    }
    # Not 0.5: a tIoU that meets the threshold exactly could fall below it by rounding.
    options = dict(tiou_thresholds=0.503, style=style)
    ap = detection_report(ground_truth, {"results": found}, **options).ap
    other = detection_report(ground_truth, {"results": mixed}, **options).ap
    np.testing.assert_array_equal(ap, other)
    other = detection_report({"database": moved_truth}, {"results": moved}, **options).ap
    np.testing.assert_allclose(ap, other, rtol=0, atol=1e-12)


def shifted(one):
    return {**one, "segment": [float(value) + 1024 for value in one["segment"]]}
