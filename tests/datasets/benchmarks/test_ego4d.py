import json
from dataclasses import replace

import pytest

from mmtad.datasets.benchmarks import EGO4D_MQ, Counts, goalstep_benchmark
from mmtad.datasets.benchmarks.conversion import PAST_END
from mmtad.datasets.benchmarks.counts import differing
from mmtad.datasets.benchmarks.ego4d import read_label_map

VALID = "goalstep/goalstep_valid.json.gz"
WALK = "walk_down_stairs_/_walk_up_stairs"


def moment(start, end, label=WALK, primary=True):
    return {
        "video_start_time": start,
        "video_end_time": end,
        "start_time": start - 100,
        "end_time": end - 100,
        "label": label,
        "primary": primary,
    }


def clip(uid, *annotators, start=100.0, end=340.0, frames=(3000, 10200)):
    found = dict(annotations=[{"labels": list(labels)} for labels in annotators])
    return {
        "clip_uid": uid,
        "video_start_sec": start,
        "video_end_sec": end,
        "video_start_frame": frames[0],
        "video_end_frame": frames[1],
        **(found if annotators else {}),
    }


@pytest.fixture
def moments(tmp_path, convert_files):
    """``moments(clips, split)`` -> conversion of a file in the official layout."""

    def run(clips, split="val", benchmark=EGO4D_MQ):
        video = {"video_uid": "v", "split": split, "clips": clips}
        content = {"version": "1", "date": "220429", "videos": [video]}
        (tmp_path / "moments.json").write_text(json.dumps(content))
        return convert_files(benchmark, tmp_path, ["moments.json"])

    return run


def test_moments_are_counted_from_the_start_of_their_clip(moments):
    converted = moments(
        [clip("a", [moment(110.5, 120.25), moment(101, 102, "x")], [moment(90, 95)])]
    )
    assert converted.sources == ["moments.json (official JSON)"]
    assert converted.database == {
        "a": {
            "subset": "val",
            "duration": 240.0,
            "fps": 30.0,
            "frame": 7200,
            "annotations": [
                {"segment": [10.5, 20.25], "label": WALK},
                {"segment": [1.0, 2.0], "label": "x"},
                {"segment": [-10.0, -5.0], "label": WALK},
            ],
        }
    }
    assert converted.notes.counts == {"segments that start before their video: kept": 1}
    assert converted.counts == {"val": Counts(1, 3, 2)}


def test_only_primary_labels_and_clips_that_have_one(moments):
    clips = [clip("a", [moment(110, 120), moment(110, 120, primary=False)]), clip("b", [])]
    converted = moments(clips)
    assert list(converted.database) == ["a"]
    assert converted.notes.counts == {
        "labels that are not primary: left out": 1,
        "videos without an action: left out": 1,
    }
    assert converted.notes.examples["videos without an action: left out"] == "b"
    kept = moments(clips, benchmark=replace(EGO4D_MQ, needs_annotation=()))
    assert kept.counts == {"val": Counts(2, 1, 1)}
    assert moments([clip("c")], "test").counts == {"test": Counts(1, 0, 0)}


def test_wrong_frame_numbers_are_not_passed_on(moments):
    converted = moments([clip("a", [moment(110, 120)], frames=(0, 100))])
    assert "fps" not in converted.database["a"] and "frame" not in converted.database["a"]
    (note,) = converted.notes.counts
    assert note.startswith("clips whose frame numbers and seconds disagree")


def test_a_clip_starts_at_0_at_the_earliest(moments):
    converted = moments([clip("a", [moment(1, 2)], start=-0.02, end=60.0, frames=(-1, 1800))])
    assert converted.database["a"]["annotations"][0]["segment"] == [1.0, 2.0]
    assert converted.database["a"]["duration"] == 60.0


@pytest.mark.parametrize(
    "broken, message",
    [
        ({}, "a clip of video 'v' in .*moments.json has no 'clip_uid'"),
        (clip("a", end=None), "clip 'a' in .*moments.json has no 'video_end_sec'"),
        (clip("a", end=50.0), "the duration of video 'a' in .*must be a positive number, got -50"),
        (clip("a", [{"label": "x"}]), "a label of clip 'a' in .* has no 'video_start_time'"),
        (clip("a", [moment(1, 2, None)]), "a label of clip 'a' in .* has no 'label'"),
        (clip("a", [moment(120, 110)]), "'a' in .* is reversed"),
    ],
)
def test_bad_clips_are_named(moments, broken, message):
    with pytest.raises(ValueError, match=message):
        moments([broken])


def test_clip_json_of_other_toolboxes(tmp_path, convert_files):
    """ActionFormer's subsets have other names."""
    video = {
        "subset": "validation",
        "duration": 480.5,
        "fps": 30.0,
        "annotations": [{"label": WALK, "segment": [1.5, 2.5], "segment(frames)": [45, 75]}],
    }
    (tmp_path / "ego4d.json").write_text(json.dumps({"version": "v1", "database": {"c": video}}))
    converted = convert_files(EGO4D_MQ, tmp_path, ["ego4d.json"])
    assert converted.counts == {"val": Counts(1, 1, 1)}
    assert converted.database["c"]["annotations"] == [{"segment": [1.5, 2.5], "label": WALK}]


def test_label_map_of_110_classes_is_sorted(data, moments):
    """So configs without a list of classes, which sort the labels, have the same order."""
    names = read_label_map(data / "ego4d/actionformer/ego4d_label_map.txt")
    assert len(names) == 110 and names == sorted(names)
    benchmark = replace(EGO4D_MQ, classes=tuple(names))
    clips = [clip("a", [moment(110, 120, names[0]), moment(110, 120, names[-1])])]
    assert moments(clips, benchmark=benchmark).classes == names
    with pytest.raises(ValueError, match="the label 'x', which is none of the 110 classes"):
        moments([clip("a", [moment(110, 120, "x")])], benchmark=benchmark)


def test_bad_label_maps_are_named(tmp_path):
    path = tmp_path / "map.txt"
    for text in ("0 a\n", "1\ta\n", ""):
        path.write_text(text)
        with pytest.raises(ValueError, match="map.txt must have a line per class, its number from"):
            read_label_map(path)


@pytest.mark.parametrize(
    "levels, actions, classes, past_end",
    [("all", 7696, 425, 8), ("steps", 3349, 355, 6), ("substeps", 4347, 358, 2)],
)
def test_counts_of_goalstep(data, convert_files, levels, actions, classes, past_end):
    benchmark = goalstep_benchmark(levels)
    converted = convert_files(benchmark, data / "ego4d", [VALID])
    assert converted.counts == {"val": Counts(134, actions, classes)}
    assert not differing(converted.counts, benchmark.published)
    assert converted.notes.counts == {PAST_END: past_end}


def test_goalstep_test_has_no_times(data, convert_files, tmp_path):
    file = data / "ego4d/goalstep/goalstep_test.json.gz"
    with pytest.raises(ValueError, match="no duration is known of video 'e25318c3-"):
        convert_files(goalstep_benchmark(), tmp_path, [file])
    converted = convert_files(
        goalstep_benchmark(), tmp_path, [file], probe=lambda video_id: (30.0, 900)
    )
    assert converted.counts == {"test": Counts(134, 0, 0)}
    assert converted.database["e25318c3-1bb2-4d60-9476-98b177af30be"]["duration"] == 30.0


def test_goalstep_is_not_moment_queries(data, convert_files):
    with pytest.raises(ValueError, match="in no layout of Ego4D Moment Queries that is known"):
        convert_files(EGO4D_MQ, data / "ego4d", [VALID])
    with pytest.raises(ValueError, match="levels must be one of steps, substeps, all, got 'outer'"):
        goalstep_benchmark("outer")
