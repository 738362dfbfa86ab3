"""Imports point one way: structures -> ops -> the middle -> engine and friends -> apis."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mmtad"
FLOORS = {
    "structures": 0,
    "ops": 1,
    "datasets": 2,
    "models": 2,
    "postprocessing": 2,
    "evaluation": 2,
    "engine": 3,
    "visualization": 3,
    "checkpoints": 3,
    "apis": 4,
}
FILES = sorted(f for name in FLOORS for f in (PACKAGE / name).rglob("*.py"))


def imported_parts(file: Path) -> set[str]:
    """Sub-packages of mmtad that a file imports at module level."""
    parts = set()
    package = file.relative_to(PACKAGE.parent).parts[:-1]
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        parts |= {n.split(".")[1] for n in names if n.startswith("mmtad.") and "." in n}
    return parts & FLOORS.keys()


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_point_down(file):
    own = file.relative_to(PACKAGE).parts[0]
    wrong = {p for p in imported_parts(file) if p != own and FLOORS[p] >= FLOORS[own]}
    # The hook that refuses a checkpoint reads its report: one floor, one way.
    wrong -= {"checkpoints"} if own == "engine" else set()
    assert not wrong, f"{file} imports {sorted(wrong)}"
