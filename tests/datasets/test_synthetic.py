import json
from dataclasses import replace
from pathlib import Path

import decord
import numpy as np
import pytest
from mmengine.config import Config

from mmtad.datasets.synthetic import draw_frames, is_finished, make_dataset, write_video
from mmtad.datasets.synthetic_plan import SyntheticSpec, make_annotations, plan_clip, plan_video
from mmtad.datasets.synthetic_scene import MOTIONS, SceneStyle, Track, make_track, render

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
TINY = SyntheticSpec(
    train_videos=3,
    test_videos=2,
    train_clips=4,
    val_clips=2,
    size=32,
    video_seconds=(4.0, 6.0),
    action_seconds=(0.5, 2.0),
    clip_frames=(4, 6),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("synthetic") / "data"
    return root, make_dataset(root, TINY)


def test_dataset_is_complete_and_annotated(made):
    root, counts = made
    database = json.loads((root / "annotations.json").read_text())["database"]
    assert sorted(database) == ["test_0000", "test_0001", "train_0000", "train_0001", "train_0002"]
    assert counts["actions"] == sum(len(video["annotations"]) for video in database.values()) > 0
    for name, video in database.items():
        reader = decord.VideoReader(str(root / "videos" / f"{name}.mp4"))
        assert len(reader) == video["frame"]
        assert reader.get_avg_fps() == pytest.approx(video["fps"])
        assert video["duration"] == pytest.approx(video["frame"] / video["fps"], abs=1e-3)
        assert reader[0].shape == (32, 32, 3)
        for action in video["annotations"]:
            assert 0 < action["segment"][0] < action["segment"][1] < video["duration"]
            assert action["label"] in TINY.action_classes


def test_clip_lists_name_readable_clips(made):
    root, _ = made
    for split, count in (("train", 4), ("val", 2)):
        lines = (root / "clips" / f"{split}.txt").read_text().splitlines()
        assert [int(line.split()[1]) for line in lines] == list(range(count))
        for line in lines:
            assert 4 <= len(decord.VideoReader(str(root / "clips" / line.split()[0]))) <= 6


def test_random_access_gives_the_frames_of_sequential_reading(made):
    path = str(made[0] / "videos" / "train_0000.mp4")
    frames = np.stack([frame.asnumpy() for frame in decord.VideoReader(path)])
    order = np.random.default_rng(0).permutation(len(frames))[:20]
    np.testing.assert_array_equal(
        decord.VideoReader(path).get_batch(order).asnumpy(), frames[order]
    )


def test_written_frames_come_back_almost_unchanged(tmp_path):
    drawn = np.stack(list(draw_frames(replace(TINY, size=96), "clips/train", 0)))
    write_video(tmp_path / "clip.mp4", drawn, 96, 15.0)
    read = decord.VideoReader(str(tmp_path / "clip.mp4")).get_batch(range(len(drawn))).asnumpy()
    assert np.abs(read[..., ::-1].astype(int) - drawn).mean() < 4


def test_same_spec_same_bytes_other_seed_other_bytes(made, tmp_path):
    root, _ = made
    make_dataset(tmp_path / "again", TINY)
    files = sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())
    assert len(files) == 11 + 4
    for file in files:
        assert (root / file).read_bytes() == (tmp_path / "again" / file).read_bytes(), file
    other = next(iter(draw_frames(replace(TINY, seed=1), "train", 0)))
    assert not np.array_equal(other, next(iter(draw_frames(TINY, "train", 0))))


def test_more_videos_leave_the_first_ones_alone():
    few, many = (make_annotations(replace(TINY, train_videos=n))["database"] for n in (3, 9))
    assert {name: many[name] for name in few} == few


def test_finished_folder_is_kept_and_a_broken_one_mended(made):
    root, counts = made
    video = root / "videos" / "test_0000.mp4"
    stamp = video.stat().st_mtime_ns
    assert is_finished(root, TINY)
    assert make_dataset(root, TINY) == counts
    assert video.stat().st_mtime_ns == stamp
    content = video.read_bytes()
    video.unlink()
    assert not is_finished(root, TINY)
    make_dataset(root, TINY)
    assert video.read_bytes() == content


def test_foreign_folders_are_left_alone(made, tmp_path):
    with pytest.raises(FileExistsError, match="other settings"):
        make_dataset(made[0], replace(TINY, seed=5))
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="choose another"):
        make_dataset(tmp_path, TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_action_lengths_spread_over_an_order_of_magnitude():
    spec = SyntheticSpec()
    videos = [plan_video(spec, "train", index) for index in range(spec.train_videos)]
    lengths = [(end - first) / spec.fps for _, actions in videos for first, end, _ in actions]
    gaps = [
        (b[0] - a[1]) / spec.fps
        for _, actions in videos
        for a, b in zip(actions, actions[1:], strict=False)
    ]
    assert min(lengths) < 1.0
    assert max(lengths) > 9.0
    assert min(gaps) > 0
    assert 0.1 < np.mean(np.array(gaps) <= 0.5) < 0.35
    assert sum(not actions for _, actions in videos) == 12
    assert {label for _, actions in videos for *_, label in actions} == set(spec.action_classes)


@pytest.mark.parametrize("subset", ["train", "test"])
def test_actions_are_disjoint_and_inside(subset):
    for index in range(50):
        frames, actions = plan_video(TINY, subset, index)
        edges = [0, *(edge for first, end, _ in actions for edge in (first, end)), frames]
        assert edges == sorted(set(edges))


@pytest.mark.parametrize("motion", [name for name in MOTIONS if name != "still"])
def test_object_moves_exactly_within_its_segment(motion):
    style = SceneStyle(drift=0, jitter=0)
    track = make_track([(10, 30, motion)], 40, 15.0, style, np.random.default_rng(0))
    values = np.stack([track.x, track.y, track.angle, track.radius, track.gain])
    changed = np.abs(np.diff(values)).sum(axis=0) > 1e-6
    assert not changed[:10].any()
    assert changed[10]  # from frame 10 to 11
    assert changed[29]  # from frame 29 to 30, the end of the segment
    assert not changed[30:].any()
    turns = (values[2] - values[2, 0]) / (2 * np.pi)
    np.testing.assert_allclose(np.delete(values, 2, 0)[:, -1], np.delete(values, 2, 0)[:, 0])
    assert turns[-1] == pytest.approx(round(turns[-1]))


def test_opposite_motions_mirror_each_other():
    u = np.linspace(0, 1, 9)
    clockwise = MOTIONS["circle_clockwise"](u, 0.2, 0.0)
    counter = MOTIONS["circle_counterclockwise"](u, 0.2, 0.0)
    np.testing.assert_allclose(clockwise["x"], counter["x"])
    np.testing.assert_allclose(clockwise["y"], -counter["y"], atol=1e-12)
    assert clockwise["y"][1] > 0  # from the right-hand point downwards: clockwise on a screen


def test_still_scene_shows_only_what_the_style_asks_for():
    still = SceneStyle(background_speed=0, brightness=0, distractors=0, drift=0, jitter=0)
    for style, moves in ((still, False), (replace(still, background_speed=0.1), True)):
        rng = np.random.default_rng(0)
        frames = list(render(make_track([], 8, 15.0, style, rng), 32, 15.0, style, rng))
        assert (np.abs(np.diff(np.stack(frames).astype(int), axis=0)).max() > 0) == moves


def test_object_is_brighter_than_the_texture():
    track = Track(*(np.full(1, value) for value in (0.5, 0.5, 0.0, 0.2, 1.0)))
    for seed in range(5):
        frame = next(render(track, 96, 15.0, SceneStyle(), np.random.default_rng(seed)))
        assert frame.max() > 150
        assert np.median(frame) < 130


def test_clips_take_turns_through_their_classes():
    labels = [plan_clip(SyntheticSpec(), "train", index)[1][0][2] for index in range(12)]
    assert labels == list(SyntheticSpec().clip_classes) * 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(size=33), "even"),
        (dict(fps=0), "fps must be positive, got 0"),
        (dict(train_videos=-1), "train_videos must not be negative"),
        (dict(video_seconds=(9, 3)), "shortest, longest"),
        (dict(action_seconds=(9, 10)), "must fit twice"),
        (dict(empty_fraction=1.5), "between 0 and 1, got 1.5"),
        (dict(action_classes=("jump",)), r"got \['jump'\]"),
        (dict(clip_classes=()), "must name motions"),
    ],
)
def test_impossible_specs_are_refused_by_name(change, words):
    with pytest.raises(ValueError, match=words):
        replace(TINY, **change)


def test_impossible_styles_are_refused_by_name():
    with pytest.raises(ValueError, match="texture must lie between 0 and 1, got 2"):
        SceneStyle(texture=2)
    with pytest.raises(ValueError, match="drift must not be negative"):
        SceneStyle(drift=-1)


def test_all_videos_may_be_empty_or_full():
    for fraction, expected in ((0.0, 0), (1.0, 20)):
        spec = replace(TINY, empty_fraction=fraction)
        assert sum(not plan_video(spec, "test", i)[1] for i in range(20)) == expected


def test_unwritable_video_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        write_video(tmp_path / "file" / "a.mp4", [], 32, 15.0)


def test_pretraining_config_fits_the_clips():
    config = Config.fromfile(CONFIGS / "quickstart" / "pretrain_vit-tiny_synthetic.py")
    spec = SyntheticSpec()
    assert config.model.cls_head.num_classes == len(spec.clip_classes)
    sample = config.train_pipeline[1]
    assert sample.clip_len * sample.frame_interval <= spec.clip_frames[0]


def test_quickstart_config_fits_the_actions():
    folder = CONFIGS / "quickstart"
    config = Config.fromfile(folder / "adatad_vit-tiny_actionformer_synthetic.py")
    assert config.model.head.num_classes == len(SyntheticSpec().action_classes)
