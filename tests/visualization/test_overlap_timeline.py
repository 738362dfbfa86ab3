import numpy as np
import pytest
from matplotlib.colors import to_rgba

from mmtad.visualization import draw_overlap_timeline
from mmtad.visualization.overlap_timeline import (
    COLORS,
    NAME_LENGTH,
    _two_lines,
    best_overlap,
    file_name,
    overlap_paint,
)


def action(start, end, label="run", score=None):
    item = {"segment": [start, end], "label": label}
    return item if score is None else {**item, "score": score}


def fills(figure):
    return [patch.get_facecolor() for patch in figure.axes[0].patches]


def test_best_overlap_by_hand():
    actions = [action(0, 10), action(5, 10)]
    assert best_overlap((0, 5), actions) == 0.5
    assert best_overlap((5, 10), actions) == 1
    assert best_overlap((20, 30), actions) == best_overlap((3, 3), actions) == 0
    assert best_overlap((0, 5), []) == 0
    assert best_overlap((0, 5), [{"segment": ["0", "10"]}]) == 0.5  # numbers as text


def test_colours_are_tious_with_the_own_class():
    annotation = {"duration": 60, "annotations": [action(0, 10), action(30, 40, "jump")]}
    found = [action(0, 5, score=0.9), action(30, 40, "jump", 0.8), action(31, 40, score=0.7)]
    figure = draw_overlap_timeline(annotation, {"a": found}, "v")
    grey = (0.82, 0.82, 0.82, 1.0)
    assert fills(figure) == [grey, grey, COLORS(0.5), COLORS(1.0), COLORS(0.0)]
    assert [patch.get_hatch() for patch in figure.axes[0].patches] == ["////", None] * 2 + ["////"]


def test_hatches_of_dark_bars_are_light():
    paint = overlap_paint({"run": [action(0, 10)]}, {"run": "////"})
    edge = paint({**action(0, 10), "score": 1.0})[0]["edgecolor"]
    assert sum(to_rgba(edge)[:3]) > sum(COLORS(1.0)[:3]) + 0.5


def test_results_lie_below_each_other_with_the_best_detections():
    rng = np.random.default_rng(0)
    starts = rng.uniform(0, 90, 40)
    found = [action(s, s + 5, score=i / 40) for i, s in enumerate(starts)]
    annotation = {"duration": 100, "annotations": [action(0, 10)] * 2}
    results = {"first.json": found, "second.json": found[:7], "nothing": []}
    figure = draw_overlap_timeline(annotation, results, "v", max_lanes=40)
    assert len(fills(figure)) == 2 + 10 + 7
    texts = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert texts == ["ground truth", "first.json", "second.json", "nothing"]
    note = figure.axes[0].get_title(loc="right")
    assert note == "2 actions; best detections: 10 of 40, 7 of 7, 0 of 0"
    assert len(fills(draw_overlap_timeline(annotation, results, "v", top_k=3))) == 2 + 3 + 3


@pytest.mark.parametrize("count", [1, 4])
def test_nothing_leaves_the_picture(count, detections, assert_legible):
    truth, results = detections
    for video in ("0", "5"):
        found = {n: r["results"][video] for n, r in list(results.items())[:count]}
        figure = draw_overlap_timeline(truth["database"][video], found, video)
        figure.axes[1].set_yticks([])  # the ticks of the colours stand close on purpose
        assert_legible(figure)


def test_no_actions_and_no_detections():
    figure = draw_overlap_timeline({}, {"a": []}, "v")
    assert not fills(figure)
    figure = draw_overlap_timeline({"annotations": []}, {"a": [action(1, 2, score=1)]}, "v")
    assert fills(figure) == [COLORS(0.0)]


def test_bad_input():
    with pytest.raises(ValueError, match="no result to draw for video 'v'"):
        draw_overlap_timeline({}, {}, "v")
    with pytest.raises(ValueError, match="video 'v' has the entry"):
        draw_overlap_timeline({}, {"a": [{"segment": [2, 1], "label": "x", "score": 1}]}, "v")


@pytest.mark.parametrize(
    "name", ["a.json", "x" * 30, "some-name_of 30.characters_long.json", "y-" * 200, "", " \n "]
)
def test_names_take_two_lines_at_most(name):
    lines = _two_lines(name).split("\n")
    assert 1 <= len(lines) <= 2 and all(0 < len(line) <= NAME_LENGTH for line in lines)


def test_file_names():
    assert file_name("v_a-b.c") == "v_a-b.c" and file_name("a/b c:d") == "a_b_c_d"
