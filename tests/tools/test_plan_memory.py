import importlib.util
import re
from pathlib import Path

import pytest

from mmtad.apis.cli import run_cli

pytest.importorskip("mmaction")

ROOT = Path(__file__).parents[2]
TOOL = "analysis/plan_memory.py"
QUICKSTART = "configs/quickstart/adatad_vit-tiny_actionformer_synthetic.py"
SMALL = "configs/adatad/adatad_videomae-s_actionformer_768x4-160_60e_thumos14-rgb.py"


def gib(output: str, row: str) -> float:
    """A figure of the table in GiB."""
    value, unit = re.search(rf"{row}\s*│\s*([\d.]+) (\w+)", output).groups()
    return float(value) / (1 if unit == "GiB" else 1024)


def test_quickstart_does_not_fit_and_gets_options(run_tool):
    result = run_tool(TOOL, QUICKSTART, "--gpu-memory", "0.66")
    assert result.returncode == 0, result.stderr
    assert "4 x 128 frames of 64x64, 128 steps" in result.stdout
    assert "Does not fit into 0.66 GiB" in result.stdout
    assert "--cfg-options model." in result.stdout.splitlines()[-1]
    assert gib(result.stdout, "whole") == pytest.approx(
        gib(result.stdout, "all tensors") + 0.6, abs=0.02
    )


def test_full_size_config(run_tool):
    result = run_tool(TOOL, SMALL, "--gpu-memory", "24", "--batch-size", "1")
    assert result.returncode == 0, result.stderr
    assert "1 x 768 frames of 160x160" in result.stdout
    assert "Fits into 24 GiB" in result.stdout
    assert 1 < gib(result.stdout, "all tensors") < 5


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["configs/nothing.py"], "does not exist"),
        (["configs/_base_/default_runtime.py"], "has no model"),
        ([QUICKSTART, "--batch-size", "0"], "at least 1"),
        ([QUICKSTART, "--cfg-options", "model.backbone.nonsense=1"], "nonsense"),
    ],
)
def test_bad_input_ends_in_a_sentence(arguments, message, monkeypatch, capsys):
    path = ROOT / "tools" / TOOL
    spec = importlib.util.spec_from_file_location("plan_memory", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.argv", [str(path), *arguments])
    assert run_cli(tool.main) == 1
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1
