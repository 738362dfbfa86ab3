import gzip
import json

import pytest

from mmtad.datasets.annotations import (
    collect_labels,
    parse_videos,
    read_annotation,
    select_subset,
)


def video(*segments, duration=10.0, **info):
    annotations = [dict(segment=segment, label=label) for segment, label in segments]
    return dict(duration=duration, annotations=annotations, **info)


def parse(database, classes=("run", "jump"), ignore=("Ambiguous",)):
    return parse_videos(database, classes, ignore, "ann.json")


def many(extra, count=20):
    """Enough sound segments that a few bad ones are tolerated."""
    return {"good": video(*[([i, i + 1], "run") for i in range(count)], duration=100), **extra}


def test_reads_json_and_gzip(tmp_path):
    content = json.dumps({"version": "1", "database": {"a": video()}})
    (tmp_path / "a.json").write_text(content)
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(content.encode()))
    assert read_annotation(tmp_path / "a.json") == read_annotation(tmp_path / "a.json.gz")


@pytest.mark.parametrize(
    "content, message",
    [
        ("{", "is not valid JSON"),
        ("", "is not valid JSON"),
        ('{"results": {}}', r"has no 'database' but \['results'\]"),
        ("[1]", "has no 'database' but list"),
        ('{"database": [1]}', "must map video ids to videos, got list"),
        ('{"database": {"a": 3}}', "video 'a' of .* must be a dict"),
    ],
)
def test_bad_files_are_named(tmp_path, content, message):
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_annotation(path)
    assert "bad.json" in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nope.json does not exist; check ann_file"):
        read_annotation(tmp_path / "nope.json")


def test_subsets():
    database = {"a": video(subset="val"), "b": video(subset="test"), "c": video()}
    assert list(select_subset(database, None, "x")) == ["a", "b", "c"]
    assert list(select_subset(database, "val", "x")) == ["a"]
    assert list(select_subset(database, ["val", "test"], "x")) == ["a", "b"]
    with pytest.raises(ValueError, match=r"no subset 'train'; it has \['test', 'val'\]"):
        select_subset(database, "train", "x")


def test_labels_are_sorted_without_ignored():
    database = {"a": video(([0, 1], "b"), ([0, 1], "a")), "b": video(([0, 1], "Ambiguous"))}
    assert collect_labels(database, ["Ambiguous"]) == ["a", "b"]
    assert collect_labels(database, order=["b", "c", "Ambiguous"]) == ["b", "Ambiguous", "a"]


def test_segments_are_mended_and_counted(logged):
    bad = video(
        (["1.5", "2.5"], "run"),  # text
        ([1.5, 2.5], "run"),  # the same again
        ([1.5, 2.5], "jump"),  # another label is no duplicate
        ([8, 11], "run"),  # past the end
        ([12, 13], "run"),  # outside
        ([4, 4], "run"),  # no length
        ([3, 4], "Ambiguous"),
    )
    record = parse(many({"a": bad}))[-1]
    assert record.segments == [
        (1.5, 2.5, "run"),
        (1.5, 2.5, "jump"),
        (8.0, 10.0, "run"),
        (4.0, 4.0, "run"),
    ]
    (text,) = logged
    assert "of 26 segments 1 outside" in text and "1 past the border" in text
    assert "1 without length" in text and "1 repeated" in text


@pytest.mark.parametrize(
    "entry, message",
    [
        (video(([3, 1], "run")), "annotation 0 of video 'a' in ann.json is reversed"),
        (video(([1], "run")), "needs a segment of two numbers in seconds"),
        (video(("1 2", "run")), "needs a segment of two numbers in seconds"),
        (video(([1, "x"], "run")), "needs a segment of two numbers in seconds"),
        (video(([1, float("inf")], "run")), "needs a segment of two numbers in seconds"),
        (video(([1, 2], "swim")), "label 'swim', which is not one of the 2 classes"),
        (dict(duration=3, annotations=[dict(segment=[1, 2])]), "needs 'segment' and 'label'"),
        (video(duration=None), "'duration' of video 'a' in ann.json is missing"),
        (video(duration=-1), "'duration' of video 'a' .* positive number, got -1"),
        (video(fps="fast"), "'fps' of video 'a' .* positive number, got 'fast'"),
    ],
)
def test_wrong_entries_are_named(entry, message):
    with pytest.raises(ValueError, match=message):
        parse(many({"a": entry}))


@pytest.mark.parametrize("segment", [[20, 30], [5, 5]])
def test_many_unusable_segments_are_an_error(segment):
    with pytest.raises(ValueError, match="1 of 1 segments lie outside .* must be in seconds"):
        parse({"a": video((segment, "run"))})


def test_duration_from_frames():
    assert parse({"a": video(duration=None, fps=25, frame=50)})[0].duration == 2


def test_duration_from_the_file():
    database = {"a": video(([1, 5], "run"), duration=None)}

    def parse_with(found):
        return parse_videos(database, ["run"], [], "x", lambda record: found)[0]

    record = parse_with((25.0, 100))
    assert (record.duration, record.fps, record.frames) == (4, 25, 100)
    assert record.segments == [(1, 4, "run")]
    assert parse_with(None).duration == 5


@pytest.mark.parametrize(
    "file, subset, videos, segments",
    [
        ("thumos14/actionformer_format/thumos14.json", "Test", 212, 3358),
        ("thumos14/actionformer_format/thumos14.json", "Validation", 200, 3007),
        ("thumos14/gtad/thumos_gt.json", "test", 210, 3311),  # segments are texts
        ("thumos14/basictad/val.json", None, 200, 3007),  # 89 are Ambiguous
        ("thumos14/detad/*val*.json.gz", None, 200, 3003),
    ],
)
def test_real_files(shared, file, subset, videos, segments):
    paths = sorted((shared / "data").glob(file))
    if not paths:
        pytest.skip(f"{file} is not there")
    database, _ = read_annotation(paths[0])
    chosen = select_subset(database, subset, "x")
    labels = collect_labels(database, ["Ambiguous"])
    records = parse_videos(chosen, labels, ["Ambiguous"], "x", lambda record: (25, 100_000))
    assert len(records) == videos
    # A few are repeated or lie outside their video.
    assert segments - 40 <= sum(len(record.segments) for record in records) <= segments
    assert all(0 <= s <= e <= r.duration for r in records for s, e, _ in r.segments)


def test_a_damaged_gz_ends_in_one_sentence(tmp_path):
    path = tmp_path / "a.json.gz"
    whole = gzip.compress(json.dumps({"database": {str(n): {} for n in range(999)}}).encode())
    for content in (whole[: len(whole) // 2], whole[:60] + bytes(40) + whole[100:], b"{}"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.json\.gz is not valid JSON"):
            read_annotation(path)
