import json
from collections import Counter

import pytest

from mmtad.datasets.benchmarks import MULTITHUMOS, MULTITHUMOS_CLASSES, THUMOS14, Counts
from mmtad.datasets.benchmarks.conversion import NO_LENGTH, OUTSIDE, PAST_END
from mmtad.datasets.benchmarks.counts import differing

FILE = "super_events/multithumos.json"


@pytest.fixture(scope="module")
def converted(data, convert_files):
    return convert_files(MULTITHUMOS, data / "multithumos", [FILE])


def test_counts(converted):
    assert converted.counts == {
        "training": Counts(200, 18482, 65),
        "testing": Counts(213, 20208, 65),
    }
    assert not differing(converted.counts, MULTITHUMOS.published)
    assert converted.classes == list(MULTITHUMOS_CLASSES) and len(set(MULTITHUMOS_CLASSES)) == 65


def test_oddities_are_kept_and_counted(converted):
    assert converted.notes.counts == {PAST_END: 65, OUTSIDE: 60, NO_LENGTH: 7}


def test_class_numbers_start_at_1(converted, data, convert_files, segments_of):
    """The 20 classes of THUMOS14 have as many actions under the same names.

    Most have the same boundaries too; read from 0 on, no name would fit.
    """
    info = [data / "thumos14/ssn" / f"th14_{part}_durations.txt" for part in ("val", "test")]
    thumos = segments_of(convert_files(THUMOS14, data / "thumos14", ["original_txt"], info))
    multi = segments_of(converted)
    for name in THUMOS14.classes:
        mine, theirs = (
            Counter({key: count for key, count in segments.items() if key[3] == name})
            for segments in (multi, thumos)
        )
        assert mine.total() == theirs.total()
        assert (mine & theirs).total() > 0.5 * theirs.total()


def test_official_text_files(tmp_path, convert_files):
    folder = tmp_path / "annotations"
    folder.mkdir()
    (folder / "Walk.txt").write_text("video_validation_0000051 1.00 2.50\n")
    (folder / "NoHuman.txt").write_text("video_test_0000004 0.03 0.17\n")
    (tmp_path / "README.txt").write_text("not a class")
    (tmp_path / "info.txt").write_text(
        "video_validation_0000051.mp4\n10.0\nvideo_test_0000004.mp4\n5.0\n"
    )
    converted = convert_files(MULTITHUMOS, tmp_path, ["annotations"], ["info.txt"])
    assert converted.database == {
        "video_test_0000004": {
            "subset": "testing",
            "duration": 5.0,
            "annotations": [{"segment": [0.03, 0.17], "label": "NoHuman"}],
        },
        "video_validation_0000051": {
            "subset": "training",
            "duration": 10.0,
            "annotations": [{"segment": [1.0, 2.5], "label": "Walk"}],
        },
    }


@pytest.mark.parametrize(
    "action, message",
    [
        ([0, 1, 2], "video 'video_test_1' in .*m.json has the class 0; classes run from 1 to 65"),
        ([66, 1, 2], "has the class 66"),
        (["x", 1, 2], "the class of video 'video_test_1' in .*m.json must be a whole number"),
        ([1, 2], "must be a class, a start and an end, got"),
        ([1, 2, None], "must be two numbers in seconds"),
    ],
)
def test_bad_actions_are_named(tmp_path, convert_files, action, message):
    video = {"subset": "testing", "duration": 9.0, "actions": [action]}
    (tmp_path / "m.json").write_text(json.dumps({"video_test_1": video}))
    with pytest.raises(ValueError, match=message):
        convert_files(MULTITHUMOS, tmp_path, ["m.json"])
