import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "tools" / "benchmarks" / "proposal_map.py"


def test_prints_a_row():
    options = ["--sizes", "bmn-thumos14", "--parts", "extractor", "--ways", "sparse"]
    options += ["--batch", "1", "--runs", "1"]
    done = subprocess.run([sys.executable, SCRIPT, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "sparse" in done.stdout and "failed" not in done.stdout
