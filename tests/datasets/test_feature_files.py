import multiprocessing
import pickle

import h5py
import numpy as np
import pytest
import torch

from mmtad.datasets.feature_files import FeatureReadError, missing_from, open_array, to_numpy

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)


def write_h5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def write_csv(path, header):
    lines = [",".join(map(str, row)) for row in ROWS]
    path.write_text("\n".join(["f0,f1,f2"] * header + lines) + "\n")


WRITERS = {
    "x.npy": lambda path: np.save(path, ROWS),
    "x.npz": lambda path: np.savez_compressed(path, feats=ROWS),
    "x.pt": lambda path: torch.save(torch.from_numpy(ROWS), path),
    "dict.pt": lambda path: torch.save({"feats": torch.from_numpy(ROWS)}, path),
    "old.pth": lambda path: torch.save(
        torch.from_numpy(ROWS), path, _use_new_zipfile_serialization=False
    ),
    "half.pt": lambda path: torch.save(torch.from_numpy(ROWS).bfloat16(), path),
    "x.pkl": lambda path: path.write_bytes(pickle.dumps(ROWS)),
    "tensor.pickle": lambda path: path.write_bytes(pickle.dumps(torch.from_numpy(ROWS))),
    "x.h5": lambda path: write_h5(path, feats=ROWS),
    "nested.hdf5": lambda path: write_h5(path, **{"v_vid/rgb": ROWS}),
    "x.csv": lambda path: write_csv(path, header=True),
    "plain.csv": lambda path: write_csv(path, header=False),
}


@pytest.mark.parametrize("name", WRITERS)
def test_formats(tmp_path, name):
    WRITERS[name](tmp_path / name)
    key = "v_vid/rgb" if name == "nested.hdf5" else None
    array = open_array(str(tmp_path / name), "vid", key)
    assert tuple(array.shape) == (4, 3)
    np.testing.assert_array_equal(to_numpy(array[1:3]), ROWS[1:3])


def test_files_are_mapped_and_never_run(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", ROWS)
    assert isinstance(open_array(str(tmp_path / "x.npy"), "vid"), np.memmap)
    torch.save(torch.zeros(2), tmp_path / "x.pt")
    calls, load = [], torch.load
    monkeypatch.setattr(torch, "load", lambda *args, **kw: calls.append(kw) or load(*args, **kw))
    open_array(str(tmp_path / "x.pt"), "vid")
    assert [(call["mmap"], call["weights_only"]) for call in calls] == [(True, True)]


SHARED = {
    "all.h5": lambda path, arrays: write_h5(path, **arrays),
    "all.npz": lambda path, arrays: np.savez(path, **arrays),
    "all.pkl": lambda path, arrays: path.write_bytes(pickle.dumps(arrays)),
    "all.pt": lambda path, arrays: torch.save(
        {name: torch.from_numpy(array) for name, array in arrays.items()}, path
    ),
}


@pytest.mark.parametrize("name", SHARED)
def test_one_file_of_all_videos(tmp_path, name):
    path = str(tmp_path / name)
    SHARED[name](tmp_path / name, {"v_a": ROWS, "b": ROWS + 1, "c": ROWS + 2})
    for video, plus in [("a", 0), ("v_a", 0), ("b", 1), ("v_c", 2)]:
        np.testing.assert_array_equal(to_numpy(open_array(path, video, shared=True)), ROWS + plus)
    assert missing_from(path, ["a", "v_b", "x", "y"]) == ["x", "y"]
    with pytest.raises(FeatureReadError, match="has no video 'x' among its 3"):
        open_array(path, "x", shared=True)


def test_one_file_of_all_videos_with_several_arrays_each(tmp_path):
    path = str(tmp_path / "all.h5")
    write_h5(path, **{"v_a/rgb": ROWS, "v_a/flow": ROWS + 1})
    np.testing.assert_array_equal(to_numpy(open_array(path, "a", "flow", shared=True)), ROWS + 1)
    with pytest.raises(FeatureReadError, match=r"all.h5:v_a holds several arrays \('flow', 'r"):
        open_array(path, "a", shared=True)
    with pytest.raises(FeatureReadError, match="holds no array 'depth'"):
        open_array(path, "a", "depth", shared=True)


def _read_in_child(path):
    return [float(open_array(path, "a", shared=True)[0, column]) for column in range(3)]


def test_a_file_of_all_videos_is_opened_anew_in_each_process(tmp_path):
    path = str(tmp_path / "all.h5")
    write_h5(path, a=ROWS)
    array = open_array(path, "a", shared=True)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(_read_in_child, [path] * 4) == [[0, 1, 2]] * 4
    assert not array  # closed before the fork
    np.testing.assert_array_equal(to_numpy(open_array(path, "a", shared=True)[()]), ROWS)


BAD = {
    "none.npy": (lambda path: None, "none.npy does not exist"),
    "empty.npy": (lambda path: path.write_bytes(b""), r"empty.npy is empty \(0 bytes\)"),
    "text.npy": (lambda path: path.write_text("features"), "text.npy cannot be read"),
    "object.npy": (
        lambda path: np.save(path, np.array([{}], dtype=object), allow_pickle=True),
        "cannot be read: Array can't be memory-mapped",
    ),
    "text.npz": (lambda path: path.write_text("PK features"), "text.npz cannot be read"),
    "two.npz": (
        lambda path: np.savez(path, a=ROWS, b=ROWS),
        r"holds several arrays \('a', 'b'\); name the array to take by the stream's 'key'",
    ),
    "hole.h5": (lambda path: write_h5(path), "hole.h5 holds nothing"),
    "text.h5": (lambda path: path.write_text("features"), "text.h5 cannot be read"),
    "code.pkl": (
        lambda path: path.write_bytes(pickle.dumps(eval)),
        "code.pkl cannot be read: it refers to builtins.eval",
    ),
    "code.pt": (
        lambda path: torch.save(torch.nn.Linear(1, 1), path),
        "code.pt cannot be read: .* save a tensor",
    ),
    "text.pt": (lambda path: path.write_text("features"), "text.pt cannot be read"),
    "words.csv": (lambda path: path.write_text("a,b\n1,x\n"), "words.csv cannot be read"),
    "x.mat": (lambda path: path.write_text("features"), "none of the suffixes .npy, .npz"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_end_in_one_sentence(tmp_path, name):
    write, message = BAD[name]
    write(tmp_path / name)
    with pytest.raises(FeatureReadError, match=message) as caught:
        open_array(str(tmp_path / name), "vid")
    assert "\n" not in str(caught.value)


def test_a_single_array_is_no_file_of_all_videos(tmp_path):
    np.save(tmp_path / "x.npy", ROWS)
    with pytest.raises(FeatureReadError, match="one array instead of one per video"):
        open_array(str(tmp_path / "x.npy"), "vid", shared=True)
    with pytest.raises(FeatureReadError, match=r"put \{video_id\} in the path"):
        missing_from(str(tmp_path / "x.npy"), ["vid"])
