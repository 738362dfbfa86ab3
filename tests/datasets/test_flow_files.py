import json

import cv2
import numpy as np
import pytest

from mmtad.datasets.flow_files import (
    INFO_FILE,
    FlowFile,
    FlowInfo,
    FlowReadError,
    find_flow,
)
from mmtad.datasets.flow_writing import write_flow
from mmtad.datasets.optical_flow import FlowSpec

COUNT, SIZE = 150, (16, 20)  # more fields than an array of a npz holds, twice


@pytest.fixture(scope="module")
def fields():
    coarse = np.random.default_rng(0).integers(0, 255, (COUNT, 3, 4, 2), dtype=np.uint8)
    return np.stack([cv2.resize(one, SIZE[::-1], interpolation=cv2.INTER_CUBIC) for one in coarse])


@pytest.fixture
def info():
    spec = FlowSpec(size=SIZE)
    return FlowInfo(spec, video_frames=COUNT + 1, video_fps=10.0, count=COUNT, height=16, width=20)


def pieces(fields, size=40):
    return (fields[start : start + size] for start in range(0, len(fields), size))


@pytest.mark.parametrize("layout", ["npz", "png", "jpg"])
def test_round_trip(layout, fields, info, tmp_path):
    path = write_flow(tmp_path, "video.1", layout, info, pieces(fields))
    assert path.name == ("video.1.npz" if layout == "npz" else "video.1")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing is left aside
    flow = FlowFile(path)
    assert flow.info == info and np.array_equal(flow.frames, np.arange(COUNT))
    for positions in (np.arange(COUNT), np.array([0]), np.array([63, 64, 149]), np.array([70])):
        error = np.abs(flow.read(positions).astype(int) - fields[positions])
        assert error.max() == 0 if layout != "jpg" else error.mean() < 2
    if layout != "npz":
        names = {p.name for p in path.iterdir()}
        assert {f"flow_x_00000.{layout}", f"flow_y_00149.{layout}", INFO_FILE} <= names
        assert len(names) == 2 * COUNT + 1


def test_how_it_was_made_is_readable(fields, info, tmp_path):
    path = write_flow(tmp_path, "v", "png", info, [fields])
    values = json.loads((path / INFO_FILE).read_text())
    assert values["spec"]["method"] == "dis" and values["spec"]["bound"] == 20
    assert (values["spec"]["fps"], values["count"], values["height"]) == (10, COUNT, 16)


def test_find(fields, info, tmp_path):
    one = write_flow(tmp_path, "a", "npz", info, [fields])
    other = write_flow(tmp_path, "b", "jpg", info, [fields])
    assert find_flow(tmp_path, ["x", "a"]) == one and find_flow(tmp_path, ["b", "a"]) == other
    assert find_flow(tmp_path, ["x"]) is None


def broken(path, how):
    """Damage the flow of a video."""
    if how == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "text":
        path.write_text("no flow")
    elif how == "bits":
        data = bytearray(path.read_bytes())
        data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
        path.write_bytes(data)
    elif how == "other":
        np.savez(path, frames=np.zeros(3))
    elif how == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))


@pytest.mark.parametrize("how", ["cut", "empty", "text", "bits", "other", "array"])
def test_a_damaged_npz_is_named(how, fields, info, tmp_path):
    path = write_flow(tmp_path, "v", "npz", info, [fields])
    broken(path, how)
    with pytest.raises(FlowReadError, match="v.npz is damaged or holds no flow .* --force"):
        FlowFile(path).read(np.arange(COUNT))


def test_damaged_pictures_are_named(fields, info, tmp_path):
    path = write_flow(tmp_path, "v", "jpg", info, [fields])
    flow = FlowFile(path)
    (path / "flow_y_00003.jpg").write_bytes(b"no picture")
    with pytest.raises(FlowReadError, match="flow_y_00003.jpg is no picture of 16 x 20 pixels"):
        flow.read(np.array([2, 3]))
    cv2.imwrite(str(path / "flow_y_00003.jpg"), np.zeros((8, 8), np.uint8))
    with pytest.raises(FlowReadError, match="flow_y_00003.jpg is no picture of 16 x 20"):
        flow.read(np.array([3]))
    (path / "flow_x_00005.jpg").unlink()
    with pytest.raises(FlowReadError, match="flow_x_00005.jpg .or .png. is missing; .*--force"):
        flow.read(np.array([5]))
    assert flow.read(np.array([0, 149])).shape == (2, *SIZE, 2)
    (path / INFO_FILE).unlink()
    with pytest.raises(FlowReadError, match="has no flow.json, which tells how it was made"):
        FlowFile(path)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(count=7), "tells of 7 flow fields of a video of 151 frames, which would give 150"),
        (dict(video_fps=0), "does not describe flow"),
        (dict(spec=None), "does not describe flow"),
        (dict(more=1), "does not describe flow .*unexpected keyword argument 'more'"),
    ],
)
def test_a_wrong_description(change, message, fields, info, tmp_path):
    path = write_flow(tmp_path, "v", "png", info, [fields])
    file = path / INFO_FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(FlowReadError, match=f"flow.json {message}"):
        FlowFile(path)


def test_fields_of_another_size(fields, info, tmp_path):
    path = write_flow(tmp_path, "v", "npz", info, [fields])
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive}
    arrays["flow_000000"] = arrays["flow_000000"][:, ::2]
    np.savez(path, **arrays)
    with pytest.raises(FlowReadError, match=r"v.npz is uint8 \(8, 20, 2\), where"):
        FlowFile(path).read(np.array([1]))
