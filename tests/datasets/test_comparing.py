import numpy as np
import pytest

from mmtad.datasets.annotations import VideoRecord
from mmtad.datasets.checking import HARM, NOTE, STOP, DatasetReport
from mmtad.datasets.comparing import check_regression_ranges, compare_datasets, inner_configs


def report(loader, classes="abc", steps=(), **videos):
    records = [
        VideoRecord(name, None, 9.0, None, None, segments=[(1.0, 2.0, one) for one in labels])
        for name, labels in videos.items()
    ]
    return DatasetReport(loader, records=records, classes=list(classes), steps=np.array(steps))


def found(train, test):
    return [(one.level, one.text) for one in compare_datasets(train, test)]


def test_equal_classes_and_other_videos():
    assert found(report("train", v="abc"), report("val", w="abc")) == []


def test_classes_that_only_one_side_has():
    levels = found(report("train", v="ac"), report("val", w="bc"))
    assert levels == [
        (HARM, "1 classes are evaluated but never trained on: b"),
        (NOTE, "classes without a training instance: empty_classes=[1]"),
        (NOTE, "1 classes are trained but never evaluated: a"),
    ]


def test_other_class_lists_end_it():
    ((level, text),) = found(report("train", v="a"), report("val", classes="ab", w="b"))
    assert level == STOP and "3 and 2 classes or another order" in text
    assert found(report("train", classes="ba", v="a"), report("val", classes="ab", w="b"))


def test_shared_videos():
    assert found(report("train", v="abc", x="a"), report("val", x="abc")) == [
        (HARM, "1 of 1 videos are in both; first: x")
    ]


def test_nothing_to_compare():
    assert found(report("train"), report("val", w="a")) == []


def test_regression_ranges():
    ranges = [(0, 4), (4, 8), (8, 16)]
    assert check_regression_ranges(report("train"), ranges) == []
    assert check_regression_ranges(report("train", steps=[3, 10, 20]), ranges) == []
    (harm,) = check_regression_ranges(report("train", steps=[3, 10, 33]), ranges)
    assert harm.level == HARM and harm.text.startswith("1 of 3 actions are longer than the last")
    assert "(16 steps on either side)" in harm.text
    (note,) = check_regression_ranges(report("train", steps=[1, 2]), ranges)
    assert note.text == "no action falls into the regression ranges of the levels [1, 2]"


@pytest.mark.parametrize(
    "config",
    [
        dict(type="A"),
        dict(type="RepeatDataset", dataset=dict(type="A")),
        dict(type="ConcatDataset", datasets=[dict(type="RepeatDataset", dataset=dict(type="A"))]),
    ],
)
def test_wrapped_data_sets(config):
    assert list(inner_configs(config)) == [dict(type="A")]
