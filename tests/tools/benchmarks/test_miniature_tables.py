"""Tables of the claims in miniature, from results made up by hand."""

from io import StringIO
from pathlib import Path

import pytest
from rich import box
from rich.console import Console

FOLDER = Path(__file__).parents[3] / "tools" / "benchmarks"


@pytest.fixture
def show(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import miniature_tables
    from miniature_group import Claim, Group, Variant

    def show(results, **changes):
        group = Group(
            about="Two",
            config="",
            variants={"one": Variant("the first"), "two": Variant("the second")},
            claims=[
                Claim("two", "one", "two is better"),
                Claim("one", "one", "it falls", "depth/1", "depth/2"),
            ],
            layer_metrics="depth/",
            **changes,
        )
        monkeypatch.setitem(miniature_tables.GROUPS, "made up", group)
        console = Console(width=150, file=StringIO(), record=True)
        for table in miniature_tables.make_tables("made up", results, box.MARKDOWN):
            console.print(table)
        return console.export_text()

    return show


def run(variant, seed, score, **more):
    fixed = dict(trained=1234, trained_in_backbone=56, seconds=2.0, cpu_seconds=3.0)
    return dict(variant=variant, seed=seed, metrics={"mAP": score, **more}, **fixed)


def row(text, *words):
    (found,) = [line for line in text.splitlines() if all(word in line for word in words)]
    return [cell.strip() for cell in found.strip("| ").split("|")]


def test_means_deviations_and_differences_by_seed(show):
    layers = [{"depth/1": 3.0, "depth/2": 1.0}, {"depth/1": 2.0, "depth/2": 3.0}]
    text = show(
        [
            run("one", 0, 0.5, **layers[0]),
            run("one", 1, 0.7, **layers[1]),
            run("two", 0, 0.6),
            run("two", 1, 0.6),
            run("two", 2, 0.9),  # has nothing to be compared with
        ]
    )
    assert row(text, "the first") == ["one", "the first", "2", "60.0 ± 14.1", "1,234", "2", "3"]
    assert row(text, "the second")[2:4] == ["3", "70.0 ± 17.3"]
    better = ["two is better", "two > one", "mAP", "0.0 ± 14.1", "1 of 2"]
    assert row(text, "two is better") == better
    falls = ["it falls", "one", "depth/1 > depth/2", "0.50 ± 2.12", "1 of 2"]
    assert row(text, "it falls") == falls
    assert row(text, "2.50 ± 0.71") == ["one", "2.50 ± 0.71", "2.00 ± 1.41"]


def test_a_single_run_and_the_backbone(show):
    text = show([run("one", 3, 0.25)], pretrain="some.py")
    assert row(text, "the first") == ["one", "the first", "1", "25.0", "1,234", "56", "2", "3"]
    assert "Claims" not in text and "depth" not in text
