from itertools import combinations

import cv2
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mmtad.visualization import class_styles, draw_timeline


def make_segments(rng, count, duration, labels, longest=0.1):
    starts = rng.uniform(0, 0.95 * duration, count)
    ends = np.minimum(starts + rng.uniform(0.001, longest, count) * duration, duration)
    return [
        {"segment": [float(s), float(e)], "label": str(rng.choice(labels)), "score": float(p)}
        for s, e, p in zip(starts, ends, rng.uniform(0, 1, count), strict=True)
    ]


def assert_readable(figure):
    """No text leaves the picture and no two texts, panels or legends lie on each other."""
    FigureCanvasAgg(figure).draw()
    renderer = figure.canvas.get_renderer()
    boxes = [axes.get_window_extent(renderer) for axes in figure.axes]
    boxes += [legend.get_window_extent(renderer) for legend in figure.legends]
    for axes in figure.axes:
        texts = [axes.title, axes._left_title, axes._right_title, axes.xaxis.label]
        texts += [*axes.get_xticklabels(), *axes.get_yticklabels()]
        limits = sorted(axes.get_xlim())
        for text in texts:
            inside = text not in axes.get_xticklabels() or (
                limits[0] <= text.get_position()[0] <= limits[1]
            )
            if text.get_text() and inside:
                boxes.append(text.get_window_extent(renderer))
    width, height = figure.canvas.get_width_height()
    for box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
    for a, b in combinations(boxes, 2):
        overlap_x = min(a.x1, b.x1) - max(a.x0, b.x0)
        overlap_y = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert overlap_x <= 1 or overlap_y <= 1


@pytest.mark.parametrize("videos,classes,duration", [(1, 1, 25.0), (4, 5, 25.0), (3, 30, 7200.0)])
def test_nothing_overlaps_or_is_cut_off(videos, classes, duration):
    rng = np.random.default_rng(0)
    labels = [f"a class with a rather long name {index}" for index in range(classes)]
    truth = {
        f"video_{index}": {
            "duration": duration,
            "annotations": make_segments(rng, 6, duration, labels),
        }
        for index in range(videos)
    }
    predictions = {video: make_segments(rng, 60, duration, labels) for video in truth}
    predictions["video_0"] = []
    figure = draw_timeline(truth, predictions, max_lanes=3)
    assert len(figure.axes) == videos
    assert_readable(figure)


def test_awkward_names_are_drawn_as_they_are():
    label = "_hidden $x_1$ " + "very " * 30 + "long"
    video = "v" * 300
    predictions = {video: [{"segment": [1, 2], "label": label, "score": 0.5}]}
    figure = draw_timeline(None, predictions, durations={video: 25})
    assert_readable(figure)
    assert figure.legends[0].get_texts()[0].get_text().replace("\n", " ") == label
    assert figure.axes[0].get_title(loc="left").count("v") < 300
    assert figure.axes[0].get_xlim() == (0, 25)


def test_ground_truth_lies_above_predictions_in_the_same_colour():
    item = {"segment": [2.0, 4.0], "label": "jump", "score": 0.5}
    figure = draw_timeline(
        {"v": {"duration": 10, "annotations": [item | {"score": None}]}}, {"v": [item]}
    )
    truth, prediction = figure.axes[0].patches
    assert figure.axes[0].yaxis_inverted()
    assert truth.get_y() + truth.get_height() < prediction.get_y()
    assert truth.get_x() == prediction.get_x() == 2
    assert truth.get_width() == prediction.get_width() == 2
    assert truth.get_facecolor()[:3] == prediction.get_facecolor()[:3]
    assert truth.get_facecolor()[3] == 1 and prediction.get_facecolor()[3] == pytest.approx(0.55)


def test_writes_a_picture_with_colours(tmp_path):
    item = {"segment": [2.0, 8.0], "label": "jump", "score": 1.0}
    path = tmp_path / "new" / "timeline.png"
    figure = draw_timeline(None, {"v": [item]}, path, durations={"v": 10})
    picture = cv2.imread(str(path))
    assert picture.shape[:2] == tuple(figure.canvas.get_width_height()[::-1])
    blue = (picture == (0xB2, 0x72, 0x00)).all(-1)
    assert blue.sum() > 5000


def test_an_empty_video_and_no_video():
    figure = draw_timeline({}, {"v": []})
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["not annotated", "no predictions"]
    assert not figure.legends
    with pytest.raises(ValueError, match="1 to 60 videos, got 0"):
        draw_timeline(None, {})
    with pytest.raises(ValueError, match="'other' is neither"):
        draw_timeline(None, {"v": []}, video_ids=["other"])


def test_thirty_five_classes_look_different():
    styles = class_styles(f"class {index}" for index in range(35))
    assert len(set(styles.values())) == 35
