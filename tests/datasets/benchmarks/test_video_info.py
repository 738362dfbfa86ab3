import json

import pytest

from mmtad.datasets.benchmarks import read_video_info
from mmtad.datasets.benchmarks.activitynet import activitynet_id
from mmtad.datasets.benchmarks.video_info import video_stem

# File, how many videos, one of them, and its duration, frame rate and frames.
REAL = [
    ("thumos14/ssn/th14_test_durations.txt", 1574, "video_test_0000764", (51.328, None, None)),
    (
        "thumos14/ssn/th14_val_durations.txt",
        1010,
        "video_validation_0000885",
        (177.239, None, None),
    ),
    ("thumos14/afsd/test_video_info.csv", 212, "video_test_0000004", (1012 / 30, 30.0, 1012)),
    ("thumos14/tsp/thumos14_test_metadata.csv", 213, "video_test_0000006", (67.0, 30.0, 2010)),
    (
        "thumos14/tsp/thumos14_test_tsp_groundtruth.csv.gz",
        212,
        "video_test_0000006",
        (67.0, 30.0, 2010),
    ),
    (
        "thumos14/gtad/thumos14_test_groundtruth.csv",
        213,
        "video_test_0000278",
        (215.166667, 30.0, 6455),
    ),
    ("thumos14/rtd_action/thumos_frames_info.json", 413, "video_test_0000004", (None, None, 1012)),
    ("thumos14/actionformer_format/thumos14.json", 412, "video_test_0000004", (33.83, 30.0, None)),
    ("activitynet/bmn/video_info_new.csv.gz", 19228, "---9CpRcKoU", (14.07, 29.7085998579, 418)),
    ("activitynet/bmn/anet_anno_action.json.gz", 19228, "---9CpRcKoU", (14.07, None, 418)),
    (
        "epic_kitchens100/official/EPIC_100_video_info.csv",
        700,
        "P01_01",
        (1652.152817, 59.9400599400599, None),
    ),
    (
        "epic_kitchens100/c2_action_detection/video_lengths.csv",
        700,
        "P01_01",
        (49565 / 30, None, None),
    ),
]


@pytest.mark.parametrize("file, videos, video_id, facts", REAL, ids=[one[0] for one in REAL])
def test_every_file_with_durations(data, file, videos, video_id, facts):
    source = read_video_info(data / file, activitynet_id)
    assert len(source.videos) == videos
    video = source.videos[video_id]
    assert (video.duration, video.fps, video.frames) == pytest.approx(facts)


def test_subsets_of_bmn(data):
    source = read_video_info(data / "activitynet/bmn/video_info_new.csv.gz", activitynet_id)
    assert source.videos["---9CpRcKoU"].subset == "training"


def test_stems():
    assert video_stem("/some/set/video_1.mp4") == video_stem("video_1") == "video_1"
    assert video_stem("P01.5") == "P01.5"  # only suffixes of videos are cut
    assert video_stem(None) is None


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.csv", "name,length\na,3\n", "in no layout of video durations that is known"),
        ("a.csv", "video_id,duration,fps\na,x,30\n", "the duration of video 'a' in .*got 'x'"),
        ("a.csv", "video_id,duration,fps\n,3,30\n", "a.csv has a video without an id"),
        ("a.csv", "video_id,duration,fps\na,3\n", None),
        ("a.csv", "video,frames\na,x\n", "the duration of video 'a'"),
        ("a.txt", "a.mp4\n3.0\nb.mp4\n-1\n", "the duration of video 'b' .* got '-1'"),
        ("a.json", json.dumps({"database": {"a": 3}}), "video 'a' in .*a.json must be a dict"),
    ],
)
def test_bad_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    if message is None:  # a short row says less
        assert read_video_info(tmp_path / name).videos["a"].fps is None
        return
    with pytest.raises(ValueError, match=message):
        read_video_info(tmp_path / name)
