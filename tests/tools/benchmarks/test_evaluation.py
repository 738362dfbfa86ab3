import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "tools" / "benchmarks" / "evaluation.py"


def test_prints_both_measures_and_agrees_with_the_restatements():
    options = [
        "--videos",
        "40",
        "--per-video",
        "30",
        "--classes",
        "5",
        "--repeats",
        "1",
        "--no-first-call",
    ]
    command = [sys.executable, str(SCRIPT), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for measure, key in (("mAP", "mAP"), ("AR@AN", "AUC")):
        assert f"{measure} of 40 videos x 30, 10 tIoUs" in done.stdout
        values = re.findall(rf"{key} ([0-9.]+) %", done.stdout)
        assert len(values) == 2 and values[0] == values[1]
