import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "tools" / "benchmarks" / "nms.py"


def test_prints_a_row_per_case():
    options = ["--scale", "0.01", "--runs", "1", "--rounds", "1", "--cpu-time"]
    command = [sys.executable, str(SCRIPT), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "OpenTAD" in done.stdout and done.stdout.count("soft,") == 10
