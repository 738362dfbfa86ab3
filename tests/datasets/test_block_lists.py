import json

import pytest

from mmtad.datasets.block_lists import BLOCK_LISTS, resolve_block_list


def test_names_say_how_many_test_videos_remain(shared):
    folder = shared / "data/thumos14/original_txt/test"
    videos = {
        line.split()[0]
        for path in folder.glob("*_test.txt")
        for line in path.open()
        if line.strip()
    }
    for remaining in (213, 212, 211, 210):
        blocked = resolve_block_list(f"thumos14_{remaining}")
        assert blocked <= videos
        assert len(videos - blocked) == remaining


def test_210_are_those_of_the_common_ground_truth(shared):
    database = json.loads((shared / "data/thumos14/gtad/thumos_gt.json").read_text())["database"]
    common = {key for key, info in database.items() if info["subset"] == "test"}
    every = json.loads((shared / "data/thumos14/actionformer_format/thumos14.json").read_text())
    test = {key for key, info in every["database"].items() if info["subset"] == "Test"}
    assert len(test) == 212 and not test & resolve_block_list("thumos14_212")
    assert test - resolve_block_list("thumos14_210") == common
    assert test - resolve_block_list("thumos14_211") == common | {"video_test_0001496"}


def test_ids_and_nothing():
    assert resolve_block_list(["a", "b"]) == resolve_block_list(("b", "a", "a")) == {"a", "b"}
    assert resolve_block_list(frozenset("c")) == {"c"}
    for nothing in (None, "", (), [], "none"):
        assert resolve_block_list(nothing) == frozenset()
    assert all(isinstance(ids, tuple) for ids in BLOCK_LISTS.values())


def test_text_file(tmp_path):
    path = tmp_path / "blocked.txt"
    path.write_text("# not on the web any more\n a \n\nb  # wrong annotation\n")
    assert resolve_block_list(path) == resolve_block_list(str(path)) == {"a", "b"}


def test_bad_input(tmp_path):
    with pytest.raises(ValueError, match="'thumos14_209' is neither a known name .*thumos14_210"):
        resolve_block_list("thumos14_209")
    with pytest.raises(ValueError, match="ids of videos as text, got 270"):
        resolve_block_list([270])
    table = tmp_path / "table.txt"
    table.write_text("a 0.5 1.0\n")
    with pytest.raises(ValueError, match="table.txt has the line 'a 0.5 1.0'"):
        resolve_block_list(table)
    binary = tmp_path / "array.npy"
    binary.write_bytes(b"\x93NUMPY\xff\xfe")
    with pytest.raises(ValueError, match="array.npy is not a text file"):
        resolve_block_list(binary)
