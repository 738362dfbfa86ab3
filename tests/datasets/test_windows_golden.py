"""Windows, ground truth and frames of OpenTAD's loaders on seven videos, and where ours differ.

Deliberate differences, each checked here: our windows cover every step; ground truth keeps
fractions of frames, and short actions; a window sees the clips of its first and last steps whole
(``truncation_margin``); a step of a resized video shows its first frame, not its middle one.
"""

import json
import random

import numpy as np
import pytest
import torch

from mmtad.datasets import FeatureDataset
from mmtad.datasets.windows import (
    random_truncation,
    resize_frames,
    sampled_length,
    visible_segments,
    window_frames,
)
from mmtad.structures import TemporalGrid

STRIDE, CLIP = 4, 16


@pytest.fixture(scope="module")
def cases(shared):
    return json.loads((shared / "goldens/windows/windows.json").read_text())


@pytest.fixture(scope="module")
def database(shared):
    """The annotation with segments cut down to whole frames, as OpenTAD does first."""
    database = json.loads((shared / "goldens/windows/anno.json").read_text())["database"]
    for video in database.values():
        video["fps"] = video["frame"] / video["duration"]
        for one in video["annotations"]:
            one["segment"] = [int(t * video["fps"]) / video["fps"] for t in one["segment"]]
    return database


@pytest.fixture(scope="module")
def build(database, tmp_path_factory):
    """Data set of features that hold the number of their row and ten times it."""
    folder = tmp_path_factory.mktemp("features")
    for name, video in database.items():
        rows = np.arange(rows_of(video), dtype=np.float32)
        np.save(folder / f"{name}.npy", np.stack([rows, 10 * rows], 1))

    def build(**kwargs):
        options = dict(database=database, features=str(folder / "{video_id}.npy"))
        lengths = dict(feature_stride=STRIDE, clip_frames=CLIP, truncation_margin=0)
        return FeatureDataset(**{**options, **lengths, **kwargs}, serialize_data=False)

    return build


def rows_of(video):
    return max(1, (video["frame"] - CLIP) // STRIDE + 1)


def opened(sample):
    """Video, first row, rows, last row and ground truth of a packed sample."""
    data, valid = sample["data_samples"], int(sample["masks"].sum())
    rows = sample["inputs"][0, :valid]
    assert torch.equal(sample["inputs"][1], 10 * sample["inputs"][0])
    assert not sample["inputs"][:, valid:].any()
    truth = data.gt_instances
    return data.video_id, int(rows[0]), valid, int(rows[-1]), truth.segments, truth.labels


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("thumos_test_ws64_ov05", dict(window_size=64, window_overlap=0.5)),
        ("thumos_test_ws256_ov025", dict(window_size=256, window_overlap=0.25)),
        ("thumos_test_ws64_ov05_sample2", dict(window_size=32, window_overlap=0.5, step_stride=2)),
    ],
)
def test_sliding_windows_of_the_test(cases, database, build, name, kwargs):
    dataset = build(sampling="sliding", test_mode=True, **kwargs)
    size, every = kwargs["window_size"], kwargs.get("step_stride", 1)
    stride = int(size * (1 - kwargs["window_overlap"])) * every
    ours, theirs, uncovered = {}, {}, []
    for index in range(len(dataset)):
        video, first, valid, last, *_ = opened(dataset[index])
        ours.setdefault(video, []).append((first, last, valid))
    for window in cases[name]["windows"]:
        spot = int(window["first_idx"]), int(window["last_idx"]), window["valid"]
        theirs.setdefault(window["video"], []).append(spot)
    for video, windows in ours.items():
        last = (rows_of(database[video]) - 1) // every * every
        seen = np.concatenate([np.arange(a, b + 1, every) for a, b, _ in windows])
        assert set(seen) == set(range(0, last + 1, every))
        # The windows at multiples of the stride are the same. The last one ends with the features;
        # theirs ends with the frames (a few rows padded), is repeated or is missing.
        regular = [w for w in theirs[video] if w[0] % stride == 0 and w[2] == size]
        assert [w for w in windows if w[0] % stride == 0 and w[2] == size] == regular
        uncovered += [video] * (max(b for _, b, _ in theirs[video]) < last)
    expected = dict(thumos_test_ws256_ov025=["tail", "long", "empty"])
    assert uncovered == expected.get(name, ["empty"])


@pytest.mark.parametrize(
    ("name", "visible"),
    [("thumos_train_ws64_ov025", 0.75), ("thumos_train_ws64_ov025_ioa05_filter", 0.5)],
)
def test_ground_truth_of_sliding_windows(cases, build, name, visible):
    options = dict(sampling="sliding", window_size=64, window_overlap=0.25)
    dataset = build(min_visible=0, drop_empty=False, **options)
    ours = {}
    for index in range(len(dataset)):
        video, first, *rest = opened(dataset[index])
        item = dataset.get_data_info(index)
        ours[video, first] = (item, dataset[index]["data_samples"].grid, *rest)
    kept = set()
    for window in cases[name]["windows"]:
        item, grid, valid, last, *_ = ours[window["video"], window["first_idx"]]
        assert (valid, last) == (window["valid"], window["last_idx"])
        truth = grid.to_grid(torch.from_numpy(item["gt_segments"]).double()).numpy()
        if valid < 64:  # they keep a video that fits into a window as it is
            found, keep = truth, np.ones(len(truth), bool)
        else:  # they look from the first frame of the first clip to that of the last
            found, keep = visible_segments(truth, -2, 61, visible)
        np.testing.assert_allclose(found[keep], window["gt_segments"], atol=1e-4)
        assert item["gt_labels"][keep].tolist() == window["gt_labels"]
        kept.add((window["video"], window["first_idx"]))
    # Our own rule, on the same windows: from the first to the last frame of any clip.
    wide = build(min_visible=visible, truncation_margin=None, **options)
    found = {opened(wide[index])[:2]: opened(wide[index])[4] for index in range(len(wide))}
    assert kept - set(found) <= {("mid", 96), ("long", 288)}
    for (video, first), segments in found.items():
        item, grid, valid, *_ = ours[video, first]
        truth = grid.to_grid(torch.from_numpy(item["gt_segments"]).double()).numpy()
        clipped, keep = visible_segments(truth, -2, valid + 2, visible)
        np.testing.assert_allclose(segments, clipped[keep], atol=1e-4)


class PythonDraws:
    """Stands for a numpy generator with the draws of Python's."""

    @staticmethod
    def integers(low, high, endpoint):
        assert endpoint
        return random.randint(low, high)


@pytest.mark.parametrize("seed", range(1000, 1005))
def test_random_truncation(cases, build, seed):
    dataset = build(sampling="random", window_size=64, min_visible=0.5)
    random.seed(seed)
    wanted = [one for one in cases["thumos_padding_random_trunc64"]["items"] if one["seed"] == seed]
    assert len(wanted) == len(dataset) == 6
    for index, window in enumerate(wanted):
        item = dict(dataset.get_data_info(index), rng=PythonDraws())
        video, first, valid, last, segments, labels = opened(dataset.pipeline(item))
        assert (video, first, last) == (window["video"], window["first_idx"], window["last_idx"])
        assert valid == window["valid"]
        np.testing.assert_allclose(segments, window["gt_segments"], atol=1e-4)
        assert labels.tolist() == window["gt_labels"]


def test_whole_videos(cases, database, build):
    dataset = build(sampling="whole", min_visible=0)
    for index, window in enumerate(cases["thumos_padding_no_trunc"]):
        video, first, valid, _, segments, labels = opened(dataset[index])
        assert [dataset[index]["inputs"].shape[0], valid] == window["shape"]
        assert (video, first) == (window["video"], 0) and valid == rows_of(database[video])
        theirs = np.array(window["gt_segments"])
        lasts = theirs[:, 1] > theirs[:, 0]  # theirs keep the one without length
        np.testing.assert_allclose(segments, theirs[lasts], atol=1e-4)
        assert labels.tolist() == np.array(window["gt_labels"])[lasts].tolist()


def test_ground_truth_keeps_fractions_of_frames(shared, build):
    exact = json.loads((shared / "goldens/windows/anno.json").read_text())["database"]
    ours = build(database=exact, sampling="whole", min_visible=0)
    theirs = build(sampling="whole", min_visible=0)
    largest = 0.0
    for index in range(len(ours)):
        pair = [d[index]["data_samples"].gt_instances.segments for d in (ours, theirs)]
        lost = pair[0][: len(pair[1])] - pair[1]  # ours may end in one that is below a frame
        assert (lost > -1e-4).all() and (lost < 1 / STRIDE + 1e-4).all()
        largest = max(largest, float(lost.max()))
    assert largest > 0.9 / STRIDE  # up to a frame is a quarter of a step here


@pytest.mark.parametrize("method", ["linear", "bmn"])
def test_resized_videos(shared, cases, build, method):
    name = dict(linear="anet_resize32_interpolate", bmn="anet_resize32_bmn_align")[method]
    exact = json.loads((shared / "goldens/windows/anno.json").read_text())["database"]
    dataset = build(database=exact, sampling="resize", window_size=32, resize_method=method)
    ours = {}
    for index in range(len(dataset)):
        sample = dataset[index]
        ours[sample["data_samples"].video_id] = sample
    for window in cases[name]:
        sample = ours[window["video"]]
        assert sample["masks"].all() and list(sample["inputs"].shape) == window["shape"]
        np.testing.assert_allclose(sample["inputs"][0], window["feats_ch0"], atol=1e-4)
        truth = sample["data_samples"].gt_instances
        # They train on no action shorter than a hundredth of its video; we do.
        kept = (truth.segments[:, 1] - truth.segments[:, 0]) / 32 > 0.01
        np.testing.assert_allclose(truth.segments[kept], window["gt_segments"], atol=1e-4)
        assert truth.labels[kept].tolist() == window["gt_labels"]


def test_half_cell_shift_of_actionformer(build):
    dataset = build(
        sampling="resize", window_size=32, resize_offset=0.5, resize_span="features", test_mode=True
    )
    for index in range(len(dataset)):
        grid, item = dataset[index]["data_samples"].grid, dataset.get_data_info(index)
        rows = rows_of(dict(frame=round(item["fps"] * item["duration"])))
        frames = ((rows - 1) * STRIDE + CLIP) / 32  # their stride and their clip, in frames
        seconds = torch.tensor([[0.1, 0.7]], dtype=torch.float64) * item["duration"]
        theirs = (seconds * item["fps"] - 0.5 * frames) / frames
        torch.testing.assert_close(grid.to_grid(seconds), theirs, atol=1e-9, rtol=0)
        torch.testing.assert_close(grid.to_seconds(theirs), seconds, atol=1e-9, rtol=0)


def test_convert_to_seconds(cases):
    for case in cases["convert_to_seconds"]:
        meta = case["meta"]
        if meta["fps"] > 0:
            step, offset = meta["snippet_stride"] / meta["fps"], meta["offset_frames"] / meta["fps"]
            origin = meta.get("window_start_frame", 0) / meta["fps"] + offset
        else:
            step, origin = meta["duration"] / meta["resize_length"], 0.0
        grid = TemporalGrid(origin, step, 1, meta["duration"])
        found = grid.to_seconds(torch.tensor(case["segments"]))
        torch.testing.assert_close(found, torch.tensor(case["out"]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("start", [0, 200])
def test_frames_of_sliding_windows(cases, start):
    name = dict([(0, "sliding_0_63"), (200, "sliding_200_260")])[start]
    for scale in (1, 2):
        case = cases["load_frames"][f"{name}_scale{scale}"]
        total, ratio = case["args"]["total_frames"], 4 // scale
        count = min(64 * scale, sampled_length(total, ratio) - start * scale)
        frames = window_frames(start * scale, 64 * scale, count, ratio, total)
        assert frames.tolist() == case["frame_inds"]
        # a step that shows at least one frame is valid; theirs asks for all of its frames
        assert -(-count // scale) - case["masks_valid"] == (start == 200 and scale == 2)


@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize("total", [997, 300])
@pytest.mark.parametrize("seed", [5, 6])
def test_frames_of_random_windows(cases, total, stride, seed):
    case = cases["load_frames"][f"random_trunc_tf{total}_scale1_stride{stride}_seed{seed}"]
    segments = np.array(case["args"]["gt_segments"])
    random.seed(seed)
    length = sampled_length(total, stride)
    start, count = random_truncation(
        segments, length, 48, PythonDraws(), crop_ratio=None, threshold=0.75
    )
    assert window_frames(start, 48, count, stride, total).tolist() == case["frame_inds"]
    clipped, keep = visible_segments(segments, start, start + count, 0.75)
    np.testing.assert_allclose(clipped[keep] - start, case["gt_segments"], atol=1e-5)


@pytest.mark.parametrize("scale", [1, 4])
def test_frames_of_resized_videos(cases, scale):
    case = cases["load_frames"][f"resize_scale{scale}"]
    total, size = case["args"]["total_frames"], 48 * scale
    later = np.array(case["frame_inds"]) - resize_frames(total, size)
    assert np.abs(later - total / size / 2).max() <= 1  # theirs shows the middle of a step
