import gzip
import json
import stat

import pytest

from mmtad.evaluation.files import read_json, read_section, write_results

RESULTS = {"a": [{"segment": [0.1, 1 / 3], "label": "tänzen", "score": 0.123456789012345}], "b": []}


def test_round_trip_is_exact(tmp_path):
    path = tmp_path / "new" / "folder" / "predictions.json"
    write_results(path, RESULTS)
    content = read_json(path)
    assert content["results"] == RESULTS
    assert set(content) == {"version", "results", "external_data"}
    assert [p.name for p in path.parent.iterdir()] == ["predictions.json"]
    assert path.stat().st_mode & stat.S_IRUSR and read_section(path, "results", "")[0] == RESULTS


def test_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "predictions.json"
    write_results(path, RESULTS)
    bad = {"a": [{"segment": [0.0, float("nan")], "label": "x", "score": 1.0}]}
    with pytest.raises(ValueError):
        write_results(path, bad)
    assert read_json(path)["results"] == RESULTS
    assert len(list(tmp_path.iterdir())) == 1


def test_compressed(tmp_path):
    path = tmp_path / "x.json.gz"
    path.write_bytes(gzip.compress(json.dumps(RESULTS).encode()))
    assert read_json(path) == RESULTS


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00", b"not gzip", b"\x1f\x8b\x08\x00"])
@pytest.mark.parametrize("name", ["x.json", "x.json.gz"])
def test_garbage(tmp_path, name, raw):
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=f"{name} is not JSON"):
        read_json(path)


def test_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="is a folder, not a file"):
        read_json(tmp_path)
