"""Generated features: deterministic, annotated as they are drawn, with classes told by the cue."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mmtad.datasets.features import FeatureDataset
from mmtad.datasets.synthetic_features import (
    APPEARANCES,
    CUES,
    FEATURE_STRIDE,
    FPS,
    SyntheticFeatureSpec,
    class_names,
    coverage,
    draw_features,
    is_finished,
    make_annotations,
    make_dataset,
    plan_video,
    signature_names,
)

TINY = SyntheticFeatureSpec(train_videos=3, test_videos=2)
CLEAN = replace(TINY, noise=0.0, drift=0.0)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("features") / "data"
    return root, make_dataset(root, TINY)


def signatures(spec):
    """The directions of a spec, by the generator's own rule."""
    rng = np.random.default_rng([spec.seed, 2])
    basis = np.linalg.qr(rng.normal(size=(spec.channels, spec.channels)))[0]
    return dict(zip(signature_names(spec), basis.T, strict=False))


def test_folder_is_complete_and_feature_dataset_reads_it(made):
    root, counts = made
    database = json.loads((root / "annotations.json").read_text())["database"]
    assert counts["videos"] == len(database) == 5
    assert counts["actions"] == sum(len(video["annotations"]) for video in database.values()) > 0
    dataset = FeatureDataset(
        ann_file="annotations.json",
        data_root=str(root),
        features="features/{video_id}.npy",
        feature_stride=FEATURE_STRIDE,
        clip_frames=FEATURE_STRIDE,
        window_size=128,
        sampling="sliding",
        test_mode=True,
        classes=class_names(TINY),
    )
    assert len(dataset) == 5
    for sample in (dataset[i] for i in range(5)):
        name = sample["data_samples"].video_id
        drawn = np.load(root / "features" / f"{name}.npy")
        valid = sample["masks"].sum()
        assert drawn.shape == (valid, 32) and drawn.dtype == np.float32
        np.testing.assert_array_equal(sample["inputs"][:, :valid].numpy().T, drawn)
        assert database[name]["duration"] == pytest.approx(valid * FEATURE_STRIDE / FPS)


def test_same_spec_same_bytes_other_seed_other_bytes(made, tmp_path):
    root, counts = made
    assert make_dataset(tmp_path / "again", TINY) == counts
    files = sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())
    assert len(files) == 5 + 2
    for file in files:
        assert (root / file).read_bytes() == (tmp_path / "again" / file).read_bytes(), file
    other = draw_features(replace(TINY, seed=1), "train", 0)
    assert not np.array_equal(other[:90], draw_features(TINY, "train", 0)[:90])


def test_more_videos_leave_the_first_ones_alone():
    few, many = (make_annotations(replace(TINY, train_videos=n))["database"] for n in (3, 9))
    assert {name: many[name] for name in few} == few


def test_finished_folder_is_kept_and_a_broken_one_mended(made):
    root, counts = made
    file = root / "features" / "test_0000.npy"
    content = file.read_bytes()
    assert is_finished(root, TINY)
    file.unlink()
    assert not is_finished(root, TINY)
    assert make_dataset(root, TINY) == counts
    assert file.read_bytes() == content
    with pytest.raises(FileExistsError, match="other settings"):
        make_dataset(root, replace(TINY, seed=5))


def test_class_follows_from_appearance_and_last_cue():
    seen = set()
    for index in range(60):
        steps, events, segments = plan_video(TINY, "train", index)
        edges = [0, *(edge for start, end, _ in events for edge in (start, end)), steps]
        assert edges == sorted(edges)
        cue, found = None, []
        for start, end, name in events:
            if name in CUES:
                cue = name
                continue
            is_action = name != APPEARANCES[2] or cue == CUES[0]
            found.append((start, end, f"{name}_after_{cue}" if is_action else None))
        assert found == segments
        seen |= {label for *_, label in segments}
    assert seen == {*class_names(TINY), None}
    assert len(class_names(TINY)) == 3 * 2 - 1


def test_cues_are_far_and_lengths_spread():
    distances, lengths = [], []
    for index in range(200):
        cue_end = None
        for start, end, name in plan_video(TINY, "train", index)[1]:
            if name in CUES:
                cue_end = end
            else:
                distances.append(start - cue_end)
                lengths.append(end - start)
    assert np.percentile(distances, 75) > 30
    assert 3 <= min(lengths) < 3.5 and max(lengths) > 35


def test_clean_features_show_each_event_where_the_annotation_says():
    steps, events, _ = plan_video(CLEAN, "train", 0)
    features = draw_features(CLEAN, "train", 0)
    for name, direction in signatures(CLEAN).items():
        if name not in (*APPEARANCES, *CUES):
            continue
        expected = sum((coverage(a, b, steps) for a, b, other in events if other == name), 0.0)
        np.testing.assert_allclose(features @ direction, expected + np.zeros(steps), atol=1e-5)


def test_a_segment_looks_alike_after_every_cue():
    spec = replace(CLEAN, channels=13)
    energies = {}
    for index in range(30):
        features = draw_features(spec, "train", index)
        for start, end, label in plan_video(spec, "train", index)[2]:
            if label is not None and end - start > 6:
                middle = int((start + end) / 2)
                energies.setdefault(label.split("_")[0], []).append(features[middle])
    for values in energies.values():
        np.testing.assert_allclose(values, np.broadcast_to(values[0], (len(values), 13)), atol=1e-5)


def test_coverage_is_the_share_of_a_step():
    np.testing.assert_allclose(coverage(1.25, 3.5, 5), [0, 0.75, 1, 0.5, 0])
    np.testing.assert_allclose(coverage(2.25, 2.5, 4), [0, 0, 0.25, 0])


def test_noise_has_the_deviation_asked_for():
    spec = replace(TINY, noise=0.5, drift=0.5)
    rest = [draw_features(spec, "test", i) - draw_features(CLEAN, "test", i) for i in range(20)]
    assert np.concatenate(rest).std() == pytest.approx(0.5 * 2**0.5, rel=0.05)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(train_videos=-1), "train_videos must be 0 or more, got -1"),
        (dict(train_videos=0, test_videos=0), "there are no videos"),
        (dict(noise=-0.1), "noise must be 0 or more"),
        (dict(noise=float("nan")), "noise must be 0 or more, got nan"),
        (dict(steps=(128, 96)), "steps must be"),
        (dict(segment_steps=(0, 3)), "segment_steps must be"),
        (dict(appearances=9), "appearances must be 1 to 4, got 9"),
        (dict(cues=0), "cues must be 1 to 3, got 0"),
        (dict(cue_rate=2), "cue_rate must lie between 0 and 1, got 2"),
        (dict(cue_steps=0), "cue_steps must be positive, got 0"),
        (dict(channels=10), "channels must be at least 11"),
        (dict(steps=(16, 20)), "too short"),
    ],
)
def test_impossible_specs_are_refused_by_name(change, words):
    with pytest.raises(ValueError, match=words):
        replace(TINY, **change)


def test_one_appearance_is_always_an_action():
    spec = replace(TINY, appearances=1)
    assert class_names(spec) == ["lift_after_blue", "lift_after_red"]
