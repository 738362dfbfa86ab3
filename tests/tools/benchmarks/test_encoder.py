"""The benchmarks of the encoder run, small, and say what they ought to."""

import re

import pytest

pytest.importorskip("mmaction")


def numbers(text, row):
    """Numbers of the table row that begins with ``row``."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"│ {row}")]
    return [float(x) for x in re.findall(r"-?\d+\.\d+", line)]


def test_encoder_memory(run_tool):
    done = run_tool(
        "benchmarks/encoder_memory.py",
        *("--sizes", "S", "--frames", "64", "--resolution", "64"),
        *("--only", "inside", "side"),
    )
    assert done.returncode == 0, done.stderr
    rows = ["inside ", "inside, checkpointing", "side "]
    plain, recomputed, side = (numbers(done.stdout, row)[0] for row in rows)
    assert plain > recomputed > side > 0.08  # 22 million frozen weights


def test_gradient_check(run_tool):
    done = run_tool("benchmarks/gradient_check.py", "--frames", "16", "--resolution", "32")
    assert done.returncode == 0, done.stderr
    values = [float(x) for x in re.findall(r"│ +([01]\.\d{6})", done.stdout)]
    assert len(values) > 30 and min(values) > 0.999


def test_step_time(run_tool):
    done = run_tool(
        "benchmarks/step_time.py",
        *("--rounds", "1", "--frames", "16", "--size", "32", "--only", "restatement,"),
    )
    assert done.returncode == 0, done.stderr
    assert "both checkpointing: " in done.stderr


def test_training_step(run_tool, tmp_path):
    done = run_tool(
        "benchmarks/training_step.py",
        "configs/quickstart/adatad_vit-tiny_actionformer_synthetic.py",
        *("--batch-size", "1", "--steps", "2"),
        MMTAD_SYNTHETIC=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"adatad_vit-tiny_actionformer_synthetic .* GiB .* s ", done.stdout)
