import json
import time

import numpy as np
import pytest

from mmtad.evaluation import load_ground_truth


def database(**videos):
    return {
        "database": {
            video: {"subset": "test", "annotations": annotations}
            for video, annotations in videos.items()
        }
    }


RUN = {"segment": [1.0, 2.0], "label": "run"}


def test_arrays():
    truth = load_ground_truth(database(a=[RUN, {"segment": ["3", "4.5"], "label": "jump"}], b=[]))
    assert truth.video_ids == ["a", "b"]
    assert truth.classes == ["jump", "run"]
    assert truth.videos.tolist() == [0, 0]
    assert truth.labels.tolist() == [1, 0]
    assert truth.segments.tolist() == [[1, 2], [3, 4.5]]


def test_no_action_is_not_an_error():
    truth = load_ground_truth({"database": {"a": {"subset": "test"}}})
    assert truth.classes == [] and truth.segments.shape == (0, 2)


def test_zero_length_and_duplicates_are_counted(log):
    empty = {"segment": [5, 5], "label": "run"}
    truth = load_ground_truth(database(a=[RUN, RUN, empty]))
    assert len(truth.labels) == 1
    assert "1 annotations of zero length and 1 duplicates" in log[-1]
    assert len(load_ground_truth(database(a=[RUN, RUN]), drop_duplicates=False).labels) == 2
    other_label = {"segment": [1.0, 2.0], "label": "jump"}
    assert len(load_ground_truth(database(a=[RUN, other_label], b=[RUN])).labels) == 3


def test_ambiguous_is_never_a_class():
    """It would be one more class of AP 0 on THUMOS14."""
    other = {"segment": [3, 4], "label": "Ambiguous"}
    for ignore_labels in ([], ["jump"]):
        truth = load_ground_truth(database(a=[RUN, other]), ignore_labels=ignore_labels)
        assert truth.classes == ["run"]
        assert truth.ignored_segments.tolist() == [[3, 4]]


@pytest.mark.parametrize(
    "text, message",
    [
        (None, r"gt\.json does not exist; give"),
        ("", r"gt\.json is not JSON \(line 1, column 1"),
        ("{", r"gt\.json is not JSON"),
        ("[]", r"gt\.json holds a list; expected an object with the key 'database'"),
        ('{"results": {}}', r"gt\.json has no key 'database' \(keys found: 'results'\)"),
        ('{"database": []}', r"'database' of .*gt\.json holds a list"),
        ('{"database": {"a": []}}', r"video 'a' holds a list"),
        ('{"database": {"a": {"annotations": {}}}}', r"'annotations' of video 'a' is a dict"),
    ],
)
def test_bad_files(tmp_path, text, message):
    path = tmp_path / "gt.json"
    if text is not None:
        path.write_text(text)
    if text == '{"database": {"a": {"annotations": {}}}}':
        path.write_text(json.dumps({"database": {"a": {"annotations": {"x": 1}}}}))
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        load_ground_truth(path)


@pytest.mark.parametrize(
    "bad, message",
    [
        ({"segment": [2, 1], "label": "run"}, r"'a' has the reversed segment \[2.0, 1.0\]"),
        ({"segment": [float("nan"), 1], "label": "run"}, r"'a' has the segment \[nan, 1.0\]"),
        ({"segment": [0, "inf"], "label": "run"}, r"'a' has the segment \[0.0, inf\]"),
        ({"segment": ["x", 1], "label": "run"}, r"video 'a' has the annotation .*expected"),
        ({"segment": [1], "label": "run"}, r"video 'a' has the annotation .*expected"),
        ({"segment": [1, 2], "label": None}, r"video 'a' has the annotation .*expected"),
        ({"segment": [1, 2]}, r"video 'a' has the annotation .*expected"),
        ("run", r"video 'a' has the annotation 'run'; expected"),
    ],
)
def test_bad_annotations(bad, message):
    with pytest.raises(ValueError, match=message):
        load_ground_truth(database(a=[RUN, bad]))


def test_unknown_subset_lists_those_present():
    content = database(a=[RUN])
    content["database"]["b"] = {"subset": "train", "annotations": []}
    with pytest.raises(ValueError, match="no subset 'testing'; choose one of 'test', 'train'"):
        load_ground_truth(content, subset="testing")


def test_no_video_left():
    for content, blocked in ((database(a=[RUN]), ["a"]), ({"database": {}}, [])):
        with pytest.raises(ValueError, match="no video is left of the ground truth"):
            load_ground_truth(content, blocked_videos=blocked)


def test_text_in_place_of_a_list():
    with pytest.raises(ValueError, match="ignore_labels takes a list of names"):
        load_ground_truth(database(a=[RUN]), ignore_labels="Ambiguous")


def test_duplicates_are_found_across_any_border_and_many_annotations_take_no_time():
    rng = np.random.default_rng(0)
    starts = rng.uniform(0, 2000, 10_000).round(4)
    segments = np.stack([starts, starts + 5], axis=1)
    near = segments + rng.uniform(-0.001, 0.001, (10_000, 2))
    annotations = [
        {"segment": segment, "label": "run"} for segment in [*segments.tolist(), *near.tolist()]
    ]
    begin = time.process_time()
    truth = load_ground_truth({"database": {"a": {"annotations": annotations}}})
    assert time.process_time() - begin < 5  # comparing all pairs takes minutes
    # Every near copy of a kept segment is dropped; kept ones are all apart.
    kept = truth.segments[np.argsort(truth.segments[:, 0])]
    assert len(kept) <= 10_000
    assert (np.abs(np.diff(kept, axis=0)) > 0.001 - 1e-9).any(axis=1).all()
    nothing = load_ground_truth(
        {"database": {"a": {"annotations": annotations}}}, drop_duplicates=False
    )
    assert len(nothing.segments) == 20_000
