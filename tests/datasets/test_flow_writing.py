import numpy as np
import pytest

from mmtad.datasets.flow_files import FlowFile, FlowInfo, find_flow
from mmtad.datasets.flow_writing import write_flow
from mmtad.datasets.optical_flow import FlowSpec

COUNT, SIZE = 150, (16, 20)


@pytest.fixture(scope="module")
def fields():
    return np.random.default_rng(0).integers(0, 255, (COUNT, *SIZE, 2), dtype=np.uint8)


@pytest.fixture
def info():
    return FlowInfo(FlowSpec(size=SIZE), COUNT + 1, 10.0, COUNT, *SIZE)


@pytest.mark.parametrize("layout", ["npz", "jpg"])
def test_nothing_appears_before_it_is_whole(layout, fields, info, tmp_path):
    def stops():
        yield fields[:80]
        assert find_flow(tmp_path, ["v"]) is None
        assert [p.name for p in tmp_path.iterdir()] == [
            ".v.npz.part" if layout == "npz" else ".v.part"
        ]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_flow(tmp_path, "v", layout, info, stops())
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="80 flow fields were made for v, not 150"):
        write_flow(tmp_path, "v", layout, info, [fields[:80]])
    assert not list(tmp_path.iterdir())
    # What a killed process left is overwritten, and so is an older file.
    (tmp_path / ".v.part").mkdir()
    for _ in range(2):
        path = write_flow(tmp_path, "v", layout, info, [fields])
    assert FlowFile(path).read(np.array([149])).shape == (1, *SIZE, 2)


def test_a_folder_of_something_else_is_not_replaced(fields, info, tmp_path):
    (tmp_path / "v").mkdir()
    for layout in ("png", "npz"):
        with pytest.raises(ValueError, match="v is a folder, but of no flow that was made here"):
            write_flow(tmp_path, "v", layout, info, [fields])
    assert [p.name for p in tmp_path.iterdir()] == ["v"]


def test_wrong_layout(fields, info, tmp_path):
    with pytest.raises(ValueError, match="the layout of flow is one of .*, got 'zip'"):
        write_flow(tmp_path, "v", "zip", info, [fields])
