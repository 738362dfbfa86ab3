from io import StringIO

from rich.console import Console

from mmtad.datasets.benchmarks.counts import (
    Counts,
    Published,
    count_subsets,
    count_table,
    differing,
    notes_table,
    verdict,
)
from mmtad.datasets.benchmarks.source import Notes

DATABASE = {
    "a": {"subset": "val", "annotations": [{"label": "run"}, {"label": "run"}, {"label": "?"}]},
    "b": {"subset": "val", "annotations": [{"label": "jump"}]},
    "c": {"subset": "test", "annotations": []},
}
PUBLISHED = {"val": (Published(3, 4, 2, version="large"), Published(2, 3, 2, (0, 1), "small"))}


def text_of(table):
    console = Console(file=StringIO(), width=200)
    console.print(table)
    return console.file.getvalue()


def test_counting():
    counts = count_subsets(DATABASE, ["train", "val", "test"], ignored=["?"])
    assert counts == {"val": Counts(2, 3, 2, 1), "test": Counts(1, 0, 0)}
    assert count_subsets({}, ["val"]) == {}


def test_verdicts():
    assert verdict(Counts(2, 3, 2, 1), PUBLISHED["val"]) == ("OK", PUBLISHED["val"][1])
    assert verdict(Counts(3, 4, 2), PUBLISHED["val"]) == ("OK", PUBLISHED["val"][0])
    for other in (Counts(2, 4, 2), Counts(2, 3, 3), Counts(2, 3, 2, 2), Counts(1, 3, 2)):
        assert verdict(other, PUBLISHED["val"]) == ("DIFFERS", None)
    assert verdict(Counts(1, 1, 1), ()) == ("not compared", None)
    assert verdict(Counts(1, 9, 9), [Published(1)])[0] == "OK"  # what is not known is not compared


def test_differing_subsets():
    counts = {"val": Counts(2, 4, 2), "test": Counts(1, 0, 0)}
    assert differing(counts, PUBLISHED) == ["val"]


def test_count_table():
    counts = {"val": Counts(2, 3, 2, 1), "test": Counts(1234, 0, 0)}
    text = text_of(count_table("Mine", counts, PUBLISHED, ["?"]))
    rows = [[c.strip() for c in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
    assert rows == [
        [
            "subset",
            "videos",
            "actions",
            "classes",
            "?",
            "published: videos / actions / classes",
            "",
        ],
        ["val", "2", "3", "2", "1", "2 / 3 / 2 (small)", "OK"],
        ["test", "1,234", "0", "0", "0", "-", "not compared"],
    ]
    text = text_of(count_table("Mine", {"val": Counts(1, 1, 1)}, PUBLISHED))
    assert "3 / 4 / 2 (large); 2 / 3 / 2 (small)" in text and "DIFFERS" in text


def test_notes_are_merged_and_shown():
    notes, other = Notes(), Notes()
    notes.add("odd [kept]", "a", "[1, 2]")
    other.add("odd [kept]", "b")
    other.add("left out", "c", times=3)
    notes.merge(other)
    assert notes.counts == {"odd [kept]": 2, "left out": 3}
    text = text_of(notes_table(notes))
    assert "| odd [kept] |         2 |      2 | a [1, 2] |" in text
