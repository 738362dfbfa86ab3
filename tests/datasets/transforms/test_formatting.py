import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate

from mmtad.datasets.transforms import Clip, PackTADInputs
from mmtad.structures import TemporalGrid


def pack(**entries):
    results = dict(
        video_id="v",
        grid=TemporalGrid(0.0, 0.1, 6, 1.0),
        window_index=2,
        gt_segments=np.array([[1, 2]], np.float32),
        gt_labels=np.array([3]),
        masks=np.array([True] * 5 + [False]),
        error=None,
    )
    return PackTADInputs()({**results, **entries})


def test_frames(still):
    packed = pack(frames=Clip.of(still))
    assert packed["inputs"].dtype == torch.uint8 and packed["inputs"].shape == (3, 6, 40, 60)
    assert np.array_equal(packed["inputs"].permute(1, 2, 3, 0).numpy(), still)
    assert packed["masks"].dtype == torch.bool and packed["masks"].sum() == 5
    data = packed["data_samples"]
    assert data.gt_instances.segments.dtype == torch.float32
    assert data.gt_instances.labels.dtype == torch.int64
    assert (data.video_id, data.window_index, data.grid.length) == ("v", 2, 6)
    assert "error" not in data


def test_class_agnostic_labels(still):
    results = dict(frames=Clip.of(still), gt_segments=np.zeros((2, 2)), gt_labels=[3, 0], masks=[1])
    packed = PackTADInputs(class_agnostic=True)(results)
    assert packed["data_samples"].gt_instances.labels.tolist() == [0, 0]


def test_features_and_error():
    packed = pack(features=np.zeros((8, 6), np.float32), error="unreadable")
    assert packed["inputs"].shape == (8, 6)
    assert packed["data_samples"].error == "unreadable"
    batch = pseudo_collate([packed, packed])
    assert len(batch["inputs"]) == 2 and len(batch["data_samples"]) == 2
    assert batch["data_samples"][0].to_dict()["grid"].step == 0.1


def test_no_instances(still):
    packed = pack(frames=still, gt_segments=np.zeros((0, 2)), gt_labels=np.zeros(0))
    assert packed["data_samples"].gt_instances.segments.shape == (0, 2)


def test_nothing_to_pack():
    with pytest.raises(ValueError, match="nothing to pack for video 'v'"):
        pack()
