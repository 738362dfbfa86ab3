import json
from pathlib import Path

import pytest

from mmtad.datasets.annotations import read_annotation
from mmtad.datasets.benchmarks import Benchmark, Source, convert, write_annotation
from mmtad.datasets.benchmarks.conversion import NO_LENGTH, OUTSIDE, PAST_END, REPEATED

BENCHMARK = Benchmark(
    name="Toy",
    layouts=(),
    subsets={"train": ("training",), "test": ()},
    published={},
    classes=("run", "jump"),
    ignored=("?",),
)


def source(*segments, name="a.json", video="v", subset="train", duration=10.0, **facts):
    made = Source(Path(name), "toy")
    made.video(video, subset=subset, duration=duration, **facts)
    for start, end, label in segments:
        made.add(video, [start, end], label)
    return made


def test_digits_survive_and_nothing_is_changed(tmp_path):
    segments = [
        (0.1234567890123, 2, "run"),
        (0.1234567890123, 2, "run"),  # repeated
        (0.1234567890123, 2, "jump"),  # another label is no repeat
        (3, 3, "run"),  # no length
        (9, 10.005, "run"),  # a rounded duration
        (9, 11, "run"),  # past the end
        (12, 13, "run"),  # outside
        (-1, 1, "run"),
        (1, 2, "?"),
    ]
    converted = convert(BENCHMARK, [source(*segments)])
    assert converted.notes.counts == {
        REPEATED: 1,
        NO_LENGTH: 1,
        PAST_END: 2,
        OUTSIDE: 1,
        "segments that start before their video: kept": 1,
    }
    path = tmp_path / "new" / "toy.json"
    write_annotation(converted, path)
    written = read_annotation(path)[0]["v"]["annotations"]
    assert [(*one["segment"], one["label"]) for one in written] == segments
    head = json.loads(path.read_text())
    assert (head["version"], head["classes"]) == ("Toy", ["run", "jump"])
    assert head["sources"] == ["a.json (toy)"]
    assert list(path.parent.iterdir()) == [path]


def test_facts_come_from_the_best_place():
    own = source(duration=10.0, fps=25.0)
    info = source(name="info.csv", subset="test", duration=12.0, frames=300)  # own subset wins
    later = source(name="later.csv", subset=None, duration=99.0, fps=50.0, frames=1)
    converted = convert(BENCHMARK, [own], [info, later])
    assert converted.database["v"] == {
        "subset": "train",
        "duration": 12.0,
        "fps": 50.0,
        "frame": 300,
        "annotations": [],
    }
    differs, misses = converted.notes.counts
    assert differs.startswith("durations that differ by more than 1 s")
    assert misses.startswith("frames and frame rate that miss the duration by more than 1%")
    assert converted.notes.examples[misses] == "v 300 at 50.00 are 6.00 s, not 12.00 s"
    assert own.videos["v"].duration == 10.0  # the sources stay as they were read


def test_duration_from_frames_or_from_the_video():
    made = source(duration=None, fps=25.0, frames=50)
    assert convert(BENCHMARK, [made]).database["v"]["duration"] == 2.0
    made = source(duration=None)
    asked = []
    converted = convert(BENCHMARK, [made], probe=lambda key: asked.append(key) or (10.0, 25))
    assert asked == ["v"] and converted.database["v"]["duration"] == 2.5
    convert(BENCHMARK, [source()], probe=lambda key: 1 / 0)  # not asked where a file knows
    for probe in (None, lambda key: None):
        with pytest.raises(ValueError, match="no duration is known of video 'v' in a.json"):
            convert(BENCHMARK, [made], probe=probe)
    assert convert(BENCHMARK, [source(duration=0, fps=1, frames=3)]).database["v"]["duration"] == 3


def test_files_complete_each_other_but_annotate_a_video_once():
    facts = source(name="facts.csv", duration=None, fps=30.0)
    actions = source((1, 2, "run"), subset=None)
    for files in ([facts, actions], [actions, facts]):
        entry = convert(BENCHMARK, files).database["v"]
        assert (
            entry["fps"] == 30.0 and entry["subset"] == "train" and len(entry["annotations"]) == 1
        )
    again = source((3, 4, "run"), name="b.json")
    with pytest.raises(ValueError, match="video 'v' is annotated in a.json and in b.json; give"):
        convert(BENCHMARK, [actions, facts, again])


def test_reversed_segments():
    made = source((5, 3, "run"), (1, 2, "run"))
    with pytest.raises(
        ValueError, match="'v' in a.json is reversed: .* 5.0 s .* 3.0 s; .*--drop-r"
    ):
        convert(BENCHMARK, [made])
    converted = convert(BENCHMARK, [made], drop_reversed=True)
    assert converted.counts["train"].instances == 1
    assert converted.notes.counts == {"segments that end before they start: left out": 1}


def test_unknown_labels_and_subsets():
    with pytest.raises(
        ValueError, match="'v' in a.json has the label 'Run', which is none of the 2"
    ):
        convert(BENCHMARK, [source((1, 2, "Run"))])
    with pytest.raises(
        ValueError, match="has the subset 'val', which Toy does not have; it has tr"
    ):
        convert(BENCHMARK, [source(subset="val")])
    with pytest.raises(
        ValueError, match="does not say which subset video 'v' belongs to.*train=PA"
    ):
        convert(BENCHMARK, [source(subset=None)])
    assert convert(BENCHMARK, [source(subset="training")]).database["v"]["subset"] == "train"


def test_ignored_labels():
    made = source((1, 2, "?"), (1, 2, "run"))
    kept, dropped = convert(BENCHMARK, [made]), convert(BENCHMARK, [made], drop_ignored=True)
    assert (kept.counts["train"].instances, kept.counts["train"].ignored) == (1, 1)
    assert (dropped.counts["train"].instances, dropped.counts["train"].ignored) == (1, 0)
    assert dropped.notes.counts == {"?: left out": 1}
