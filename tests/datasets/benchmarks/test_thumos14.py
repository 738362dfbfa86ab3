import math

import pytest

from mmtad.datasets.annotations import parse_videos, read_annotation, select_subset
from mmtad.datasets.benchmarks import THUMOS14, THUMOS14_CLASSES, Counts, write_annotation
from mmtad.datasets.benchmarks.conversion import OUTSIDE, PAST_END
from mmtad.datasets.benchmarks.counts import differing, verdict
from mmtad.datasets.block_lists import resolve_block_list
from mmtad.postprocessing import THUMOS14_CLASS_IDS

ACTIONFORMER = "actionformer_format/thumos14.json"
SSN = ["ssn/th14_val_durations.txt", "ssn/th14_test_durations.txt"]
TSP = ["tsp/thumos14_valid_metadata.csv", "tsp/thumos14_test_metadata.csv"]
AFSD = ["afsd/val_video_info.csv", "afsd/test_video_info.csv"]
VALIDATION, FULL, WITHOUT_AMBIGUOUS = (200, 3007, 20), (213, 3358, 20), (212, 3358, 20)

# Files, where durations come from, the layout, and counts: videos, actions, classes, Ambiguous.
LAYOUTS = {
    "original": (
        ["original_txt"],
        SSN,
        "text files per class",
        {"Validation": (*VALIDATION, 89), "Test": (*FULL, 99)},
    ),
    "actionformer": (
        [ACTIONFORMER],
        [],
        "ActionFormer JSON",
        {"Validation": VALIDATION, "Test": WITHOUT_AMBIGUOUS},
    ),
    "basictad": (
        ["basictad/val.json", "basictad/test.json"],
        [],
        "ActivityNet-style JSON",
        {"Validation": (*VALIDATION, 89), "Test": WITHOUT_AMBIGUOUS},
    ),
    "gtad json": (
        ["gtad/thumos_gt.json"],
        [ACTIONFORMER],
        "G-TAD or R-C3D JSON, segments as text",
        {"Validation": VALIDATION, "Test": (210, 3311, 20)},
    ),
    "gtad csv": (
        ["gtad/val_Annotation.csv", "gtad/test_Annotation.csv"],
        SSN,
        "G-TAD or AFSD csv",
        {"Validation": (*VALIDATION, 89), "Test": (*FULL, 99)},
    ),
    "gtad proposals": (
        ["gtad/thumos14_test_groundtruth.csv"],
        [],
        "G-TAD test ground truth",
        {"Test": (*FULL, 99)},
    ),
    "afsd": (
        ["afsd/val_Annotation_ours.csv", "afsd/test_Annotation_ours.csv"],
        AFSD,
        "G-TAD or AFSD csv",
        {"Validation": VALIDATION, "Test": WITHOUT_AMBIGUOUS},
    ),
    "detad": (
        [f"detad/thumos14_{part}_extra_characteristics.json.gz" for part in ("val", "test")],
        TSP,
        "DETAD JSON",
        {"Validation": (200, 3003, 20), "Test": WITHOUT_AMBIGUOUS},
    ),
    "rtd": (
        ["rtd_action/thumos14_anno_action.json.gz"],
        ["rtd_action/thumos_frames_info.json", *SSN],
        "RTD-Action JSON",
        {"Validation": (*VALIDATION, 89), "Test": (*FULL, 99)},
    ),
    "tsp": (
        [f"tsp/thumos14_{part}_tsp_groundtruth.csv.gz" for part in ("valid", "test")],
        [],
        "TSP ground truth",
        {"Validation": VALIDATION, "Test": WITHOUT_AMBIGUOUS},
    ),
    "r-c3d": (
        ["r_c3d/thumos14_gt_test.json"],
        TSP,
        "G-TAD or R-C3D JSON, segments as text",
        {"Test": WITHOUT_AMBIGUOUS},
    ),
}


@pytest.fixture(scope="module")
def converted(data, convert_files):
    return {
        name: convert_files(THUMOS14, data / "thumos14", files, info)
        for name, (files, info, _, _) in LAYOUTS.items()
    }


@pytest.mark.parametrize("name", LAYOUTS)
def test_counts_and_layout(converted, name):
    _, _, layout, counts = LAYOUTS[name]
    assert converted[name].counts == {subset: Counts(*one) for subset, one in counts.items()}
    assert all(source.endswith(f"({layout})") for source in converted[name].sources)
    assert converted[name].classes == list(THUMOS14_CLASSES) == list(THUMOS14_CLASS_IDS)
    wrong = ["Validation"] if name == "detad" else []
    assert differing(converted[name].counts, THUMOS14.published) == wrong


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_agree_segment_by_segment(converted, segments_of, name):
    whole = segments_of(converted["original"])
    part = segments_of(converted[name])
    assert not part - whole
    missing = whole - part
    subsets = LAYOUTS[name][3]
    missing = {
        key: count
        for key, count in missing.items()
        if key[3] != "Ambiguous" and THUMOS14.subset_of_id(key[0]) in subsets
    }
    if name == "gtad json":
        assert {key[0] for key in missing} == {"video_test_0000270", "video_test_0001496"}
    elif name == "detad":  # it drops those past the end, of validation only
        assert sum(missing.values()) == 4
        assert {key[0][-3:] for key in missing} == {"364", "856"}
    else:
        assert not missing


def test_published_versions_are_the_block_lists(converted):
    for name, version in [("original", 213), ("actionformer", 212), ("gtad json", 210)]:
        word, published = verdict(converted[name].counts["Test"], THUMOS14.published["Test"])
        assert (word, published.version) == ("OK", f"thumos14_{version}")
        blocked = resolve_block_list(f"thumos14_{version}")
        videos = {
            key for key, info in converted["original"].database.items() if info["subset"] == "Test"
        }
        assert len(videos - blocked) == version


def test_30_segments_past_the_end_are_kept_and_named(converted):
    notes = converted["actionformer"].notes
    assert notes.counts == {PAST_END: 30, OUTSIDE: 30}
    assert notes.videos[PAST_END] == {
        *("video_test_0000270", "video_test_0000814", "video_test_0001081"),
        *("video_validation_0000364", "video_validation_0000856"),
    }
    annotations = converted["actionformer"].database["video_test_0000270"]["annotations"]
    assert sum(one["segment"][1] > 176.26 for one in annotations) == 22
    assert converted["gtad json"].notes.counts[PAST_END] == 8


def test_every_cliff_diving_is_a_diving(converted, segments_of):
    segments = segments_of(converted["actionformer"])
    cliff = [key for key in segments if key[3] == "CliffDiving"]
    assert len(cliff) == 360
    assert all((*key[:3], "Diving") in segments for key in cliff)


def test_notes_name_what_was_read_differently(converted):
    assert converted["tsp"].notes.counts["background rows of TSP: left out"] == 2178 + 2573
    assert converted["r-c3d"].notes.counts["segments written as text, read as numbers"] == 3358


def test_durations_and_rates(converted):
    info = converted["actionformer"].database["video_test_0000004"]
    assert (info["duration"], info["fps"], "frame" in info) == (33.83, 30.0, False)
    info = converted["afsd"].database["video_test_0000004"]
    assert (info["fps"], info["frame"]) == (30.0, 1012)
    assert math.isclose(info["duration"], 1012 / 30)
    assert converted["original"].database["video_test_0001292"]["annotations"]


def test_afsd_class_numbers_are_those_of_ucf101(data):
    lines = (data / "thumos14/afsd/Class Index_Detection.txt").read_text().splitlines()
    assert {line.split()[1]: int(line.split()[0]) for line in lines} == THUMOS14_CLASS_IDS


def test_ambiguous_can_be_left_out(data, convert_files):
    options = dict(drop_ignored=True)
    dropped = convert_files(THUMOS14, data / "thumos14", ["original_txt"], SSN, **options)
    assert dropped.counts == {"Validation": Counts(*VALIDATION), "Test": Counts(*FULL)}
    assert dropped.notes.counts["Ambiguous: left out"] == 89 + 99


def test_our_loader_reads_what_is_written(converted, tmp_path):
    path = tmp_path / "annotations" / "thumos14.json"
    write_annotation(converted["original"], path)
    database, _ = read_annotation(path)
    assert database == converted["original"].database
    test = select_subset(database, "Test", "written")
    records = parse_videos(test, THUMOS14_CLASSES, ["Ambiguous"], "written")
    # 26 of the segments past the end lie outside entirely: the loader drops them, and says so.
    assert sum(len(record.segments) for record in records) == 3358 - 26


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("x.json", '{"results": {}}', "is in no layout of THUMOS14 that is known .*'results'"),
        ("x.csv", "a,b\n1,2\n", "a table with the columns a, b"),
        ("x.json", '{"database": {}}', r"x.json \(ActivityNet-style JSON\) holds no video"),
        (
            "Diving_val.txt",
            "video_validation_0000001 1.0\n",
            "line 1 of .*Diving_val.txt must be a video, a start and an end",
        ),
        (
            "Divin_val.txt",
            "video_validation_0000001 1.0 2.0\n",
            "the label 'Divin', which is none of the 20 classes",
        ),
        (
            "x.csv",
            "video,type,type_idx,start,end\nvideo_test_0000001,Diving,26,1.0,nan\n",
            r"a segment of video 'video_test_0000001' in .*x.csv must be two numbers .*'nan'",
        ),
        (
            "x.csv",
            "video,type,type_idx,start,end\nvideo_test_0000001,Diving,26,5,3\n",
            "'video_test_0000001' in .*x.csv is reversed: it starts at 5.0 s and ends at 3.0 s",
        ),
        (
            "x.csv",
            "video-name,t-init,t-end,video-duration,frame-rate,video-frames,label-idx\n"
            "video_test_0000001,1,2,9,30,270,20\n",
            "row 2 of .*x.csv has the label-idx '20'; it must be -1",
        ),
    ],
)
def test_bad_files_are_named(tmp_path, convert_files, name, content, message):
    path = tmp_path / "folder" / name
    path.parent.mkdir()
    path.write_text(content)
    durations = tmp_path / "durations.txt"
    durations.write_text("video_test_0000001.mp4\n9.0\nvideo_validation_0000001.mp4\n9.0\n")
    target = path.parent if name.endswith("_val.txt") else path
    with pytest.raises(ValueError, match=message):
        convert_files(THUMOS14, tmp_path, [target], ["durations.txt"])


def test_a_video_without_duration_is_named(data, convert_files):
    with pytest.raises(ValueError, match="no duration is known of video 'video_.*--video-info"):
        convert_files(THUMOS14, data / "thumos14", ["gtad/val_Annotation.csv"])
