from itertools import combinations

import pytest

from mmtad.visualization.panels import Limits, make_panel, stack_lanes


def item(start, end, label="a", **more):
    return {"segment": [start, end], "label": label, **more}


def test_segments_of_one_lane_do_not_overlap():
    items = [item(0, 5), item(4, 6), item(5, 9), item(3, 4), item(8, 8)]
    lanes, hidden = stack_lanes(items, max_lanes=5)
    assert hidden == 0
    assert lanes[0] == [item(0, 5), item(5, 9)]
    assert lanes[1] == [item(4, 6), item(3, 4), item(8, 8)]
    for lane in lanes:
        for a, b in combinations(lane, 2):
            assert a["segment"][1] <= b["segment"][0] or b["segment"][1] <= a["segment"][0]


def test_the_first_items_get_the_lanes_and_the_rest_is_counted():
    lanes, hidden = stack_lanes([item(0, 9), item(1, 8), item(2, 7), item(9, 10)], max_lanes=2)
    assert lanes == [[item(0, 9), item(9, 10)], [item(1, 8)]]
    assert hidden == 1


def test_instants_take_the_least_width():
    assert len(stack_lanes([item(1, 1), item(1.5, 1.5)], 4, min_width=1.0)[0]) == 2
    assert len(stack_lanes([item(1, 1), item(1.5, 1.5)], 4, min_width=0.1)[0]) == 1


def test_panel_thresholds_ranks_and_counts():
    predictions = [item(0, 1, score=0.2), item(0, 1, score=0.9), item(5, 6, score=0.05)]
    panel = make_panel("v", predictions, [item(1, 2)], True, 10.0, Limits(min_score=0.1))
    truth, block = panel.blocks
    assert [truth.name, block.name] == ["ground truth", "predictions"]
    assert [[entry["score"] for entry in lane] for lane in block.lanes] == [[0.9], [0.2]]
    assert panel.note == "1 action, 2 of 3 predictions"
    assert panel.duration == 10.0
    assert make_panel("v", predictions, None, False, None, Limits(top_k=1)).note == (
        "1 of 3 predictions"
    )


def test_panel_of_nothing():
    panel = make_panel("v", [], [], True, None, Limits())
    assert [block.empty_text for block in panel.blocks] == ["no annotated action", "no predictions"]
    assert panel.duration == 1.0
    panel = make_panel("v", [item(0, 3, score=0.1)], None, True, None, Limits(min_score=0.5))
    assert [block.empty_text for block in panel.blocks] == [
        "not annotated",
        "none of 1 predictions has a score of 0.5 or more",
    ]
    assert panel.duration == 3.0


@pytest.mark.parametrize(
    "change",
    [{"segment": [2, 1]}, {"segment": [1]}, {"segment": [0, "x"]}, {"score": float("nan")}],
)
def test_malformed_entries_are_named(change):
    assert (
        make_panel("v", [item("0", "1.5", score=0.1)], None, False, None, Limits()).duration == 1.5
    )
    with pytest.raises(ValueError, match="video 'v' has the entry"):
        make_panel("v", [item(0, 1, score=0.5) | change], None, False, None, Limits())
