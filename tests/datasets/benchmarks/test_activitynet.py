import json

import pytest

from mmtad.datasets.benchmarks import ACTIVITYNET, Counts, convert, read_source
from mmtad.datasets.benchmarks.activitynet import activitynet_id, available_ids
from mmtad.datasets.benchmarks.conversion import NO_LENGTH, PAST_END, REPEATED
from mmtad.datasets.benchmarks.counts import differing, verdict

BMN, BMN_INFO = "bmn/anet_anno_action.json.gz", "bmn/video_info_new.csv.gz"
TSP = [
    "tsp/activitynet_v1-3_train_tsp_groundtruth.csv.gz",
    "tsp/activitynet_v1-3_valid_tsp_groundtruth.csv.gz",
    "tsp/activitynet_v1-3_test_metadata.csv",
]
FULL = {
    "training": Counts(10024, 15410, 200),
    "validation": Counts(4926, 7654, 200),
    "testing": Counts(5044, 0, 0),
}


@pytest.fixture(scope="module")
def bmn(data, convert_files):
    return convert_files(ACTIVITYNET, data / "activitynet", [BMN], [BMN_INFO])


@pytest.fixture(scope="module")
def tsp(data, convert_files):
    return convert_files(ACTIVITYNET, data / "activitynet", TSP)


def test_counts_of_the_full_subsets(tsp):
    assert tsp.counts == FULL
    assert not differing(tsp.counts, ACTIVITYNET.published)
    assert tsp.notes.counts["background rows of TSP: left out"] == 15956 + 7747


def test_counts_of_the_videos_with_features(bmn):
    assert bmn.counts == {
        "training": Counts(9649, 14859, 200),
        "validation": Counts(4728, 7293, 200),
        "testing": Counts(4851, 0, 0),
    }
    for subset, counts in bmn.counts.items():
        word, published = verdict(counts, ACTIVITYNET.published[subset])
        assert (word, published.version) == ("OK", "with features of BMN")


def test_oddities_are_kept_and_counted(bmn, tsp):
    assert bmn.notes.counts == {PAST_END: 13, NO_LENGTH: 12, REPEATED: 45}
    lengths = [
        one["segment"][1] - one["segment"][0]
        for info in bmn.database.values()
        for one in info["annotations"]
    ]
    assert sum(length <= 0.05 for length in lengths) == 73
    assert tsp.notes.counts[NO_LENGTH] == 12
    validation = [
        one["segment"]
        for info in tsp.database.values()
        for one in info["annotations"]
        if info["subset"] == "validation"
    ]
    assert sum(start == end for start, end in validation) == 3


def test_both_files_tell_the_same(bmn, tsp):
    """Up to the rounding of the last digit."""

    def rounded(info):
        return sorted(
            (one["label"], *(round(time, 9) for time in one["segment"]))
            for one in info["annotations"]
        )

    for video_id, info in bmn.database.items():
        other = tsp.database[video_id]
        assert info["subset"] == other["subset"]
        assert rounded(info) == rounded(other), video_id


def test_official_layout(tsp, tmp_path, segments_of):
    """The file itself is too large to ship; its layout is filled with the same actions."""
    database = {
        key: dict(info, resolution="320x240", url=f"https://www.youtube.com/watch?v={key}")
        for key, info in tsp.database.items()
        if info["subset"] != "training"
    }
    content = {"database": database, "taxonomy": [{"nodeId": 0}], "version": "VERSION 1.3"}
    path = tmp_path / "activity_net.v1-3.min.json"
    path.write_text(json.dumps(content))
    source = read_source(path, ACTIVITYNET.layouts, "ActivityNet")
    assert source.layout == "official JSON"
    converted = convert(ACTIVITYNET, [source])
    assert converted.counts == {key: FULL[key] for key in ("validation", "testing")}
    assert not segments_of(converted) - segments_of(tsp)


def test_subsets_of_bmn_must_be_told(tmp_path, convert_files):
    video = {"duration_second": 9.0, "duration_frame": 90, "annotations": []}
    (tmp_path / "bmn.json").write_text(json.dumps({"v_QOlSCBRmfWY": video}))
    with pytest.raises(ValueError, match=r"does not say which subset video 'QOlSCBRmfWY'.*PATH"):
        convert_files(ACTIVITYNET, tmp_path, ["bmn.json"])


def test_ids():
    assert activitynet_id("v_QOlSCBRmfWY") == activitynet_id("QOlSCBRmfWY") == "QOlSCBRmfWY"
    assert activitynet_id("v_QOlSCBRm_") == "v_QOlSCBRm_"  # an id of 11 letters may begin like that


def test_available_videos(data, tmp_path, tsp):
    there = available_ids(data / "activitynet" / BMN)
    assert len(tsp.database.keys() - there) == 10024 + 4926 + 5044 - 19228
    (tmp_path / "v_QOlSCBRmfWY.npy").touch()
    assert available_ids(tmp_path) == {"QOlSCBRmfWY"}
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="holds no file"):
        available_ids(empty)


@pytest.mark.parametrize(
    "content, message",
    [
        ({"a": {"subset": "train", "duration": 5, "annotations": [3]}}, "needs 'segment' and"),
        ({"a": 3}, "video 'a' in .*a.json must be a dict, got int"),
        ({"a": {"subset": "evaluation", "duration": 5}}, "the subset 'evaluation', which Acti"),
        ({"a": {"subset": "train", "duration": -5}}, "the duration of video 'a' in .*got -5"),
        (
            {
                "a": {
                    "subset": "train",
                    "duration": 5,
                    "annotations": [{"segment": 3, "label": "x"}],
                }
            },
            "must be two numbers in seconds, got 3",
        ),
    ],
)
def test_bad_files_are_named(tmp_path, convert_files, content, message):
    (tmp_path / "a.json").write_text(json.dumps({"database": content}))
    with pytest.raises(ValueError, match=message):
        convert_files(ACTIVITYNET, tmp_path, ["a.json"])
