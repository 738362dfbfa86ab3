from pathlib import Path

import pytest
from mmengine.config import Config

from mmtad.datasets import TADDataset
from mmtad.datasets.benchmarks import (
    Counts,
    convert,
    epic_benchmark,
    read_source,
    read_video_info,
    write_annotation,
)
from mmtad.datasets.benchmarks.conversion import PAST_END, REPEATED
from mmtad.datasets.benchmarks.counts import differing
from mmtad.datasets.benchmarks.epic_kitchens import (
    EPIC_LAYOUTS,
    TARGETS,
    action_classes,
    label_sources,
    read_classes,
    unseen_classes,
)

NOUNS = Config.fromfile(Path(__file__).parents[3] / "configs/_base_/datasets/epic_nouns.py")
OFFICIAL = ["official/EPIC_100_validation.csv.gz", "official/EPIC_100_test_timestamps.csv.gz"]
C2 = [
    f"c2_action_detection/{name}.csv.gz" for name in ("training", "validation", "test_timestamps")
]
INFO = "official/EPIC_100_video_info.csv"
UNLABELLED = "segments without a label: left out"


@pytest.fixture(scope="module")
def folder(data):
    return data / "epic_kitchens100"


@pytest.fixture(scope="module")
def names(folder):
    return {
        target: read_classes(folder / f"official/EPIC_100_{target}_classes.csv", target)
        for target in ("verb", "noun")
    }


@pytest.fixture(scope="module")
def convert_epic(names):
    """``convert_epic(folder, files, info=())`` -> one conversion per target."""

    def run(folder, files, info=()):
        sources = [read_source(folder / name, EPIC_LAYOUTS, "EPIC-Kitchens") for name in files]
        facts = [read_video_info(folder / name) for name in info]
        results = {}
        for target in TARGETS:
            classes = names.get(target) or action_classes(sources, names["verb"], names["noun"])
            labelled = label_sources(sources, target, names["verb"], names["noun"])
            results[target] = convert(epic_benchmark(target, classes), labelled, facts)
        return results

    return run


@pytest.fixture(scope="module")
def converted(folder, convert_epic):
    return convert_epic(folder, C2, [INFO])


@pytest.mark.parametrize(
    "target, train, val", [("verb", 97, 78), ("noun", 289, 211), ("action", 3568, 1352)]
)
def test_counts(converted, target, train, val):
    assert converted[target].counts == {
        "train": Counts(495, 67217, train),
        "val": Counts(138, 9668, val),
        "test": Counts(67, 0, 0),
    }
    benchmark = converted[target].benchmark
    assert not differing(converted[target].counts, benchmark.published)
    assert converted[target].notes.counts[UNLABELLED] == 13092


def test_official_files_agree_within_a_frame(converted, folder, convert_epic):
    official = convert_epic(folder, OFFICIAL, [INFO])
    assert official["noun"].counts == {
        key: counts for key, counts in converted["noun"].counts.items() if key != "train"
    }
    assert official["noun"].notes.counts == {UNLABELLED: 13092, PAST_END: 1}
    worst = 0.0
    for video_id, info in official["action"].database.items():
        pairs = zip(
            info["annotations"],
            converted["action"].database[video_id]["annotations"],
            strict=True,
        )
        for mine, theirs in pairs:
            assert {**mine, "segment": 0} == {**theirs, "segment": 0}
            for a, b in zip(mine["segment"], theirs["segment"], strict=True):
                worst = max(worst, abs(a - b))
    assert 0 < worst <= 1 / 30 + 1e-6


def test_part_of_training_differs_from_the_published(folder, convert_epic):
    part = convert_epic(folder, ["official/EPIC_100_uda_source_train.csv.gz"], [INFO])
    assert part["verb"].counts == {"train": Counts(148, 16115, 86)}
    assert differing(part["verb"].counts, part["verb"].benchmark.published) == ["train"]


def test_classes_are_in_official_order_and_those_of_the_configs(converted):
    assert converted["noun"].classes == NOUNS.classes and len(NOUNS.classes) == 300
    assert converted["verb"].classes[:3] == ["take", "put", "wash"]
    assert converted["action"].classes[:2] == ["take tap", "take spoon"]
    used = {
        one["label"] for info in converted["noun"].database.values() for one in info["annotations"]
    }
    assert len(used) == 293  # what a config without a list of classes gets


def test_nouns_without_a_training_instance(converted):
    unseen = unseen_classes(converted["noun"])
    indices = [converted["noun"].classes.index(name) for name in unseen]
    assert indices == NOUNS.empty_classes and len(indices) == 11
    shown = {
        one["label"] for info in converted["noun"].database.values() for one in info["annotations"]
    }
    absent = [i for i, name in enumerate(converted["noun"].classes) if name not in shown]
    assert absent == NOUNS.absent_classes and len(absent) == 7
    assert unseen_classes(converted["verb"]) == []


def test_actions_carry_both_ids(converted):
    first = converted["action"].database["P01_01"]["annotations"][0]
    assert first == {"segment": [4 / 30, 101 / 30], "label": "open cupboard", "verb": 3, "noun": 3}
    assert converted["noun"].database["P01_01"]["annotations"][0]["label"] == "cupboard"
    assert set(converted["verb"].database["P01_01"]["annotations"][0]) == {"segment", "label"}


def test_repeats_are_counted_per_target(converted):
    found = {target: converted[target].notes.counts[REPEATED] for target in TARGETS}
    assert found == {"verb": 4, "noun": 6, "action": 4}


def test_durations(converted, folder, convert_epic):
    info = converted["verb"].database["P01_01"]
    assert (info["duration"], round(info["fps"], 2)) == (1652.152817, 59.94)
    c2 = convert_epic(folder, C2[1:2], ["c2_action_detection/video_lengths.csv"])
    for video_id, other in c2["verb"].database.items():
        assert abs(other["duration"] - converted["verb"].database[video_id]["duration"]) < 0.02


def test_305_nouns_lose_the_unused_five(folder, names):
    assert read_classes(folder / "official/EPIC_100_noun_classes_v2.csv", "noun") == names["noun"]


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("n_train.csv", "4,8,3,900", "the noun class 900; classes run from 0 to 299"),
        (
            "n_train.csv",
            "4,8,x,1",
            "the verb class in row 2 of .*n_train.csv must be a whole number",
        ),
        ("n_train.csv", "4.5,8,1,1", "the start in row 2 of .* must be a whole number, got '4.5'"),
        ("n_train.csv", "8,4,1,1", "is reversed"),
        ("n.csv", "4,8,1,1", "does not say which subset video 'P01_01' belongs to.*train=PATH"),
    ],
)
def test_bad_rows_are_named(tmp_path, convert_epic, name, text, message):
    header = "narration_id,video,start,stop,verb,noun"
    (tmp_path / name).write_text(f"{header}\nP01_01_0,P01_01,{text}\n")
    (tmp_path / "info.csv").write_text("video_id,duration,fps\nP01_01,10,50\n")
    with pytest.raises(ValueError, match=message):
        convert_epic(tmp_path, [name], ["info.csv"])


@pytest.mark.parametrize(
    "start, message",
    [
        ("00:00:xx", "the start_timestamp in row 2 of .*t_train.csv must be a time in seconds or"),
        ("", "the start_timestamp in row 2"),
    ],
)
def test_bad_times_are_named(tmp_path, convert_epic, start, message):
    (tmp_path / "t_train.csv").write_text(
        "video_id,start_timestamp,stop_timestamp,verb_class,noun_class\n"
        f"P01_01,{start},00:00:02.50,1,1\n"
    )
    with pytest.raises(ValueError, match=message):
        convert_epic(tmp_path, ["t_train.csv"])


def test_bad_class_files_are_named(folder, tmp_path):
    with pytest.raises(
        ValueError, match="must list the 97 verbs by their ids from 0 on; it lists 30"
    ):
        read_classes(folder / "official/EPIC_100_noun_classes.csv", "verb")
    with pytest.raises(
        ValueError, match="must be a table with the columns id and key, as EPIC_100_n"
    ):
        read_classes(folder / INFO, "noun")
    with pytest.raises(FileNotFoundError, match="none.csv does not exist"):
        read_classes(tmp_path / "none.csv", "noun")


def test_data_sets_number_the_classes_by_their_official_ids(converted, names, tmp_path):
    """As in the checkpoints of ActionFormer, TriDet and OpenTAD; 293 of the 300 nouns occur."""
    for target, count in (("verb", 97), ("noun", 293)):
        write_annotation(converted[target], tmp_path / "epic.json")
        dataset = TADDataset(str(tmp_path / "epic.json"), 16, subset="train", lazy_init=True)
        _, classes = dataset.read_records({})
        ids = [names[target].index(name) for name in classes]
        assert len(ids) == count and ids == sorted(ids)
