import json
from pathlib import Path

import pytest

from mmtad.datasets.benchmarks.layouts import ACTIVITYNET_STYLE, TSP_GROUND_TRUTH, has_columns
from mmtad.datasets.benchmarks.source import Layout, Source, read_source


@pytest.fixture
def source():
    made = Source(Path("a.json"), "toy")
    made.video("v", duration=10.0)
    return made


@pytest.mark.parametrize("segment", [[1], [1, 2, 3], "12", None, 5, [1, "x"], [1, float("inf")]])
def test_malformed_segments_are_named(source, segment):
    with pytest.raises(ValueError, match="a segment of video 'v' in a.json must be two numbers in"):
        source.add("v", segment, "run")


@pytest.mark.parametrize("fact", [-1, "x", float("nan"), float("inf"), True])
def test_malformed_facts_are_named(source, fact):
    with pytest.raises(
        ValueError, match="the fps of video 'v' in a.json must be a positive number"
    ):
        source.video("v", fps=fact)


@pytest.mark.parametrize("video_id", [None, "", " ", 3])
def test_malformed_ids_are_named(source, video_id):
    with pytest.raises(ValueError, match="a.json has a video without an id"):
        source.video(video_id)


def test_facts_that_are_not_told_leave_the_others(source):
    video = source.video("v", subset="val", fps="25", frames=None, duration="")
    assert source.video("v", duration=0) is video
    assert (video.subset, video.duration, video.fps, video.frames) == ("val", 10.0, 25.0, None)


def test_annotations_as_dicts(source):
    source.add_dicts("v", None)
    source.add_dicts("v", [{"segment": ["1.5", 2], "class": "run"}], label_key="class")
    assert source.videos["v"].annotations == [{"segment": [1.5, 2.0], "label": "run"}]
    assert source.notes.counts == {"segments written as text, read as numbers": 1}
    for wrong in ({"segment": [1, 2]}, 3, {"label": "run"}):
        with pytest.raises(ValueError, match="of video 'v' in a.json"):
            source.add_dicts("v", [wrong])


def test_the_first_layout_that_matches_is_taken(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"database": {"v": {"subset": "val", "annotations": []}}}))
    never = Layout("never", lambda raw: False, lambda raw, source: 1 / 0)
    made = read_source(path, [never, ACTIVITYNET_STYLE], "Toy")
    assert made.layout == "ActivityNet-style JSON" and made.videos["v"].subset == "val"
    assert read_source(path, [ACTIVITYNET_STYLE], "Toy", "test").videos["v"].subset == "test"
    with pytest.raises(
        ValueError, match="is in no layout of Toy that is known .never.: it is JSON"
    ):
        read_source(path, [never], "Toy")


def test_tables_are_recognised_by_their_columns(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("b,a\n1,2\n")
    layout = Layout("ab", has_columns("a", "b"), lambda raw, made: made.video("v"))
    assert read_source(path, [layout], "Toy").layout == "ab"
    with pytest.raises(ValueError, match="a table with the columns b, a"):
        read_source(path, [Layout("c", has_columns("c"), lambda raw, made: None)], "Toy")


def test_rows_of_tsp_are_an_action_or_none(tmp_path):
    header = (
        "video-name,t-start,t-end,action-label,video-duration,fps,video-frames,"
        "temporal-region-label\n"
    )
    path = tmp_path / "tsp.csv"
    path.write_text(header + "v,1,2,run,10,30,300,Action\nv,2,9,,10,30,300,No action\n")
    made = read_source(path, [TSP_GROUND_TRUTH], "Toy")
    assert made.videos["v"].annotations == [{"segment": [1.0, 2.0], "label": "run"}]
    path.write_text(header + "v,1,2,run,10,30,300,Perhaps\n")
    with pytest.raises(
        ValueError, match="row 2 of .*tsp.csv has the temporal-region-label 'Perhap"
    ):
        read_source(path, [TSP_GROUND_TRUTH], "Toy")
