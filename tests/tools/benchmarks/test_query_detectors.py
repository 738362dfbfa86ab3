"""The speed of the detectors with queries is measured, small, and told in tables."""

import re
from pathlib import Path

import pytest

pytest.importorskip("mmaction")
TOOL = "benchmarks/query_detectors.py"
FOLDER = Path(__file__).parents[3] / "tools" / "benchmarks"


def test_times_all_parts(run_tool):
    done = run_tool(
        TOOL,
        *("--rounds", "1", "--frames", "32", "--size", "32", "--batch-size", "1", "--steps", "32"),
        *("--detectors", "DAB-DETR", "TadTR"),
    )
    assert done.returncode == 0, done.stderr
    whole = re.search(r"│ TadTR +│ +([\d.]+) s │ +\d+ │ +([\d.]+) ms │", done.stdout)
    assert float(whole[1]) * 1000 > float(whole[2]) > 0
    assert re.search(r"│ DAB-DETR +│ +[\d.]+ s │ +1\.00 │", done.stdout)
    assert re.search(r"│ 4 layers +│ +[\d.]+ ms │", done.stdout)


def test_unknown_detector_is_one_sentence(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(FOLDER))
    import query_detectors

    monkeypatch.setattr("sys.argv", ["", "--detectors", "YOLO"])
    with pytest.raises(SystemExit):
        query_detectors.parse_args()
    assert "unknown detectors ['YOLO']" in capsys.readouterr().err
