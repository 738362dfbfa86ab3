"""The speed of the detectors with queries is measured, small, and told in tables."""

import re
from pathlib import Path

import pytest
import torch

pytest.importorskip("mmaction")
FOLDER = Path(__file__).parents[3] / "tools" / "benchmarks"


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import query_detectors

    threads = torch.get_num_threads()
    yield query_detectors
    torch.set_num_threads(threads)


def test_times_all_parts(tool, monkeypatch, capsys):
    sizes = "--frames 32 --size 32 --batch-size 1 --steps 32 --threads 1".split()
    monkeypatch.setattr("sys.argv", ["", "--rounds", "1", *sizes, "--detectors", "DAB-DETR"])
    tool.main()
    text = capsys.readouterr().out
    whole = re.search(r"│ DAB-DETR +│ +([\d.]+) s │ +\d+ │ +([\d.]+) ms │", text)
    assert float(whole[1]) * 1000 > float(whole[2]) > 0
    assert re.search(r"│ DAB-DETR +│ +[\d.]+ s │ +1\.00 │", text)
    assert re.search(r"│ 4 layers +│ +[\d.]+ ms │", text)


def test_configs_of_all_detectors_exist(tool):
    files = {*tool.ON_FRAMES.values(), *tool.ON_FEATURES.values()}
    assert all((tool.CONFIGS / file).is_file() for file in files)


def test_matcher_meets_actions_in_every_window(tool):
    (matches,) = tool.matching(1, batch_size=4)()
    assert set(matches.samples.tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--detectors", "YOLO"], "unknown detectors ['YOLO']; known are SP-TAD"),
        (["matching"], "unknown parts ['matching']; known are inference, step, matcher"),
        (["--rounds", "0"], "--rounds must be at least 1"),
    ],
)
def test_bad_arguments_are_one_sentence(tool, monkeypatch, capsys, arguments, words):
    monkeypatch.setattr("sys.argv", ["", *arguments])
    with pytest.raises(SystemExit):
        tool.parse_args()
    assert words in capsys.readouterr().err
