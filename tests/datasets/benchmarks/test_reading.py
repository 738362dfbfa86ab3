import gzip
import math

import pytest

from mmtad.datasets.benchmarks.reading import open_raw, to_integer, to_number, to_seconds


def test_kinds(tmp_path):
    (tmp_path / "a.json").write_text('{"x": 1}')
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b'{"x": 1}'))
    (tmp_path / "b.csv").write_text('\ufeffid,names\n1,"a, b"\n')
    (tmp_path / "b.tsv").write_text("id\tnames\n1\ta\n")
    (tmp_path / "c.txt").write_text("one\n\n two \n")
    assert open_raw(tmp_path / "a.json").content == open_raw(tmp_path / "a.json.gz").content
    table = open_raw(tmp_path / "b.csv")
    assert (table.kind, table.columns) == ("table", ("id", "names"))
    assert table.content == [{"id": "1", "names": "a, b"}]
    assert open_raw(tmp_path / "b.tsv").content == [{"id": "1", "names": "a"}]
    assert open_raw(tmp_path / "c.txt").content == ["one", "two"]
    folder = open_raw(tmp_path)
    assert folder.kind == "folder" and len(folder.content) == 5


@pytest.mark.parametrize(
    "name, content, description",
    [
        ("a.json", b'{"x": 1}', "JSON with the keys 'x'"),
        ("a.json", b"[1]", "JSON that holds a list"),
        ("a.csv", b"x,y\n", "a table with the columns x, y"),
        ("a.txt", b"hello\n", "text that starts with 'hello'"),
        ("a.txt", b"", "empty"),
    ],
)
def test_descriptions(tmp_path, name, content, description):
    (tmp_path / name).write_bytes(content)
    assert open_raw(tmp_path / name).describe() == description
    assert open_raw(tmp_path).describe().startswith("a folder with 1 files")


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.json", b"{", "a.json is not JSON .line 1"),
        ("a.json", b"", "a.json is not JSON"),
        ("a.csv", b"\xff\xfe\x00", "a.csv is not a text file or is damaged"),
        ("a.json.gz", b"{}", "a.json.gz is not a text file or is damaged"),
        ("a.json.gz", gzip.compress(b"{}" * 99)[:-9], "a.json.gz is not a text file or is dam"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        open_raw(tmp_path / name)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.json does not exist"):
        open_raw(tmp_path / "none.json")


def test_numbers():
    assert to_number("1.5") == 1.5 and to_number(3) == 3.0
    assert all(math.isnan(to_number(value)) for value in ("x", None, "", True, [1]))
    assert to_integer("7", "it") == to_integer(7.0, "it") == 7
    for value in ("7.5", "x", None, math.nan, math.inf):
        with pytest.raises(ValueError, match="the id of row 3 must be a whole number"):
            to_integer(value, "the id of row 3")


@pytest.mark.parametrize(
    "value, seconds", [("01:02:03.45", 3723.45), ("00:00:00.00", 0.0), ("12.5", 12.5), (12, 12.0)]
)
def test_times(value, seconds):
    assert to_seconds(value, "it") == seconds


@pytest.mark.parametrize("value", ["1:2", "a:b:c", "1:2:3:4", None, "nan", "00:00:inf"])
def test_bad_times(value):
    with pytest.raises(ValueError, match="the start must be a time in seconds or HH:MM:SS.ss"):
        to_seconds(value, "the start")
