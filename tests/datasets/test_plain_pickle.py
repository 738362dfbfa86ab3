import collections
import io
import os
import pickle

import numpy as np
import pytest
import torch

from mmtad.datasets.plain_pickle import load_plain_pickle

CONTENTS = [
    np.arange(6.0).reshape(2, 3),
    np.asfortranarray(np.ones((3, 4), np.float16)),
    {"v": np.arange(3), "more": [1, "x", (None, True, 2.5)], "scalar": np.float32(3)},
    torch.arange(6.0).reshape(2, 3),
    collections.OrderedDict(rgb=torch.ones(2, 2).half(), names=np.array(["a", "b"])),
]


class Trap:
    """Leaves a file behind when it is unpickled the usual way."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


class TrapInStorage(Trap):
    def __reduce__(self):
        content = io.BytesIO()
        torch.save(Trap(self.path), content)
        return torch.storage._load_from_bytes, (content.getvalue(),)


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: type(content).__name__)
def test_arrays_tensors_and_containers(tmp_path, content, protocol):
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(content, protocol))
    found = load_plain_pickle(str(path))
    assert type(found) is type(content) and str(found) == str(content)


@pytest.mark.parametrize("kind", [Trap, TrapInStorage])
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"a": [np.array([x], dtype=object)]}])
def test_code_is_never_run(tmp_path, kind, wrap):
    path, sign = tmp_path / "x.pkl", tmp_path / "trapped"
    path.write_bytes(pickle.dumps(wrap(kind(sign))))
    with pytest.raises(pickle.UnpicklingError):
        load_plain_pickle(str(path))
    assert not sign.exists()
    pickle.loads(path.read_bytes()) if kind is Trap else None
    assert sign.exists() == (kind is Trap)  # the trap would have worked


@pytest.mark.parametrize("content", [b"", b"hello", pickle.dumps(np.ones(9))[:-20]])
def test_damaged_files(tmp_path, content):
    (tmp_path / "x.pkl").write_bytes(content)
    with pytest.raises(pickle.UnpicklingError):
        load_plain_pickle(str(tmp_path / "x.pkl"))


def test_the_message_names_what_is_refused(tmp_path):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(collections.Counter))
    with pytest.raises(pickle.UnpicklingError, match=r"collections\.Counter, and only arrays"):
        load_plain_pickle(str(tmp_path / "x.pkl"))
