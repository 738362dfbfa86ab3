"""Segments out of a video file by a detector with queries behind a video encoder."""

import pytest
import torch
from mmengine.config import Config

from mmtad.apis import TADInferencer
from mmtad.registry import MODELS

CONFIGS = {
    "dab-detr": dict(encoder=dict(type="DABEncoder"), decoder=dict(type="DABDecoder")),
    "tadtr": dict(
        encoder=dict(type="DeformableEncoder"),
        decoder=dict(type="DeformableDecoder"),
        actionness=dict(type="ActionnessRegressor", embed_dims=16, roi_size=4),
        shared_classifier=False,
    ),
}


@pytest.fixture(params=CONFIGS)
def query_config(request, config) -> Config:
    """The tiny detector with queries in place of its pyramid."""
    pytest.importorskip("mmaction")
    small = dict(embed_dims=16, num_heads=2, num_layers=2, feedforward_channels=32)
    head = Config(CONFIGS[request.param]).to_dict()
    head["encoder"].update(small)
    head["decoder"].update(small, num_queries=8)
    config.model.neck = None
    config.model.projection = dict(
        type="ConvProjection",
        in_channels=config.model.projection.in_channels,
        out_channels=16,
        num_convs=1,
        kernel_size=1,
        groups=1,
        activation=False,
    )
    config.model.head = dict(type="DETRHead", num_classes=3, **head)
    config.custom_hooks = [dict(type="LoadReportHook")]
    return config


def test_detections_of_a_file(query_config, video_root, tmp_path):
    torch.manual_seed(0)
    model = MODELS.build(query_config.model)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / "weights.pth")
    inferencer = TADInferencer(query_config, tmp_path / "weights.pth", "cpu")
    found = inferencer(video_root / "videos")
    assert inferencer.failures == {} and list(found) == ["long", "middle", "short"]
    for video, detections in found.items():
        duration = inferencer.durations[video]
        assert len(detections) > 10
        assert {one["label"] for one in detections} <= {"jump", "run", "turn"}
        assert all(0 <= a < b <= duration for a, b in (one["segment"] for one in detections))
    assert inferencer(video_root / "videos" / "long.mp4")["long"] == found["long"]
