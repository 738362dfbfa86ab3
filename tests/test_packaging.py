"""The wheel carries the configs, so that ``_base_ = "mmtad::..."`` works without a checkout."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_wheel_carries_the_configs(tmp_path):
    source = tmp_path / "source"
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("mmtad", "configs"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=skip)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "-w", str(tmp_path)], cwd=source, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "mmtad/.mim/configs/_base_/default_runtime.py" in names
    assert "mmtad/.mim/model-index.yml" in names
    missing = {
        f"mmtad/.mim/configs/{f.relative_to(ROOT / 'configs')}"
        for f in ROOT.glob("configs/**/*.py")
    } - names
    assert not missing
