import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "tools/benchmarks/pipeline.py"


def test_runs_and_prints_the_ratio():
    command = f"{SCRIPT} --rounds 1 --frames 40 --window 16 --threads 1 --cpu-time".split()
    found = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True)
    for row in ("bare decoding", "all augmentation", "without RandAugment", "RandomResizedCrop"):
        assert row in found.stdout
