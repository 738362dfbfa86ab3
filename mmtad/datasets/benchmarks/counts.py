"""Counting an annotation and comparing it with what was published."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table
from rich.text import Text

from .source import Notes

DIFFERS = "DIFFERS"


@dataclass(frozen=True)
class Counts:
    """What one subset holds.

    Attributes:
        videos: Number of videos.
        instances: Actions, without those of ignored labels.
        classes: Labels that occur, without ignored ones.
        ignored: Actions of ignored labels, such as ``Ambiguous``.
    """

    videos: int
    instances: int
    classes: int
    ignored: int = 0


@dataclass(frozen=True)
class Published:
    """What a subset ought to hold, in one of the versions that the field uses.

    Attributes:
        videos: Number of videos.
        instances: Actions, without those of ignored labels; None is not known.
        classes: Labels that occur; None is not known.
        ignored: Numbers of actions of ignored labels that are right.
        version: Name of this version, where a benchmark has several.
    """

    videos: int
    instances: int | None = None
    classes: int | None = None
    ignored: tuple[int, ...] = (0,)
    version: str = ""

    def agrees(self, counts: Counts) -> bool:
        """Whether every known number is met."""
        known = [
            (self.videos, counts.videos),
            (self.instances, counts.instances),
            (self.classes, counts.classes),
        ]
        same = all(expected is None or expected == found for expected, found in known)
        return same and counts.ignored in self.ignored

    def __str__(self) -> str:
        numbers = [self.videos, self.instances, self.classes]
        text = " / ".join(f"{number:,}" for number in numbers if number is not None)
        return f"{text} ({self.version})" if self.version else text


def count_subsets(
    database: Mapping[str, Mapping], subsets: Sequence[str], ignored: Collection[str] = ()
) -> dict[str, Counts]:
    """Count every subset of a database.

    Args:
        database: Videos with ``subset`` and ``annotations``.
        subsets: Names in the order wanted; one that does not occur is left out.
        ignored: Labels to count apart.
    """
    counts = {}
    for subset in subsets:
        videos = [info for info in database.values() if info["subset"] == subset]
        if videos:
            labels = [one["label"] for info in videos for one in info["annotations"]]
            kept = [label for label in labels if label not in ignored]
            counts[subset] = Counts(len(videos), len(kept), len(set(kept)), len(labels) - len(kept))
    return counts


def verdict(counts: Counts, published: Sequence[Published]) -> tuple[str, Published | None]:
    """Compare a subset with its published versions.

    Returns:
        ``"OK"``, ``"DIFFERS"`` or, where nothing is published, ``"not compared"``; and the version
        that agrees.
    """
    for one in published:
        if one.agrees(counts):
            return "OK", one
    return DIFFERS if published else "not compared", None


def differing(
    counts: Mapping[str, Counts], published: Mapping[str, Sequence[Published]]
) -> list[str]:
    """Subsets whose counts are in no published version."""
    verdicts = {name: verdict(one, published.get(name, ()))[0] for name, one in counts.items()}
    return [name for name, word in verdicts.items() if word == DIFFERS]


def count_table(
    title: str,
    counts: Mapping[str, Counts],
    published: Mapping[str, Sequence[Published]],
    ignored: Sequence[str] = (),
) -> Table:
    """Counts per subset beside the published ones.

    Args:
        title: Above the table.
        counts: Of every subset.
        published: Known versions of every subset.
        ignored: Labels that are counted apart, a column for all of them.

    Returns:
        A rich table.
    """
    table = Table(title=title, box=box.ASCII2, title_justify="left", title_style="")
    table.add_column("subset", no_wrap=True)
    for name in ("videos", "actions", "classes", *([" + ".join(ignored)] if ignored else [])):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("published: videos / actions / classes")
    table.add_column("", no_wrap=True)
    for subset, one in counts.items():
        numbers = [one.videos, one.instances, one.classes, *([one.ignored] if ignored else [])]
        known = published.get(subset, ())
        word, match = verdict(one, known)
        table.add_row(
            Text(subset),
            *(f"{number:,}" for number in numbers),
            Text(str(match) if match else "; ".join(map(str, known)) or "-"),
            Text(word, style="bold red" if word == DIFFERS else ""),
        )
    return table


def notes_table(notes: Notes) -> Table:
    """What was left out, and what looks odd but was kept.

    Returns:
        A rich table, a row per kind.
    """
    table = Table(
        title="Worth knowing", box=box.ASCII2, title_justify="left", title_style="", pad_edge=True
    )
    table.add_column("what")
    table.add_column("how often", justify="right", no_wrap=True)
    table.add_column("videos", justify="right", no_wrap=True)
    table.add_column("first")
    for what, count in notes.counts.items():
        table.add_row(
            Text(what), f"{count:,}", f"{len(notes.videos[what]):,}", Text(notes.examples[what])
        )
    return table
