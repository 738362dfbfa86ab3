"""Fixtures shared by all tests."""

import json
import logging
from pathlib import Path

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

import mmtad  # noqa: F401

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def own_scope():
    """Types without a prefix are ours, whatever scope an earlier test left behind."""
    with DefaultScope.overwrite_default_scope("mmtad"):
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data and goldens beside the checkout; skips only where the folder does not exist."""
    if not SHARED.is_dir():
        pytest.skip("the folder 'shared' does not stand beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def golden(shared):
    """Load one golden case: ``golden("adatad_vit")`` -> (state_dict, io, case)."""

    def load(name: str):
        folder = shared / "goldens" / name
        state = folder / "state_dict.pt"
        return (
            torch.load(state, weights_only=True) if state.exists() else None,
            torch.load(folder / "io.pt", weights_only=True),
            json.loads((folder / "case.json").read_text()),
        )

    return load


@pytest.fixture(autouse=True)
def open_log_streams():
    """Forget loggers that write to the captured stream of an earlier test, which is closed."""
    for name, logger in list(MMLogger._instance_dict.items()):
        streams = [h.stream for h in logger.handlers if type(h) is logging.StreamHandler]
        if any(stream.closed for stream in streams):
            del MMLogger._instance_dict[name]


def shrink_queries(model: dict, width: int) -> dict:
    """A detector with queries: thin layers, at most two of them, few queries and classes."""
    projection, head = model["projection"], model["head"]
    if projection.get("norm_groups"):
        projection.update(norm_groups=4)
    layer = dict(embed_dims=width, num_heads=2, feedforward_channels=32)
    for part in filter(None, (head.get("encoder"), head["decoder"])):
        part.update(layer, num_layers=min(2, part["num_layers"]))
    head["decoder"].update(num_queries=8)
    head.update(num_classes=min(3, head["num_classes"]))  # those of `with_video_scores`
    if head.get("actionness"):
        head["actionness"].update(embed_dims=width)
    return model


def shrink_proposals(head: dict, width: int, stages: list[int]) -> dict:
    """The head of SP-TAD: thin layers, at most two stages, few proposals and classes."""
    small = dict(num_heads=2, hidden_channels=32, dynamic_channels=4, soi_steps=4)
    head.update(embed_dims=width, num_proposals=8, num_stages=min(2, head["num_stages"]))
    head.update(stage=(head.get("stage") or {}) | small)
    head.update(num_classes=min(3, head["num_classes"]))  # those of `with_video_scores`
    head["pyramid"].update(in_channels=stages)
    return head


@pytest.fixture(scope="session")
def shrink_sparse_head():
    """``shrink_sparse_head(head, width, stages)``: the config of a thin head of SP-TAD."""
    return shrink_proposals


@pytest.fixture(scope="session")
def shrink_detector():
    """``shrink_detector(model, channels, steps)``: the config of a detector with thin layers."""
    width = 16

    def shrink(model: dict, channels: int, steps: int) -> dict:
        projection, head = model["projection"], model["head"]
        streams = projection["in_channels"]
        total = width
        if isinstance(streams, int):
            projection.update(in_channels=channels, out_channels=width)
        else:  # one projection per stream
            total *= len(streams)
            parts = [channels // len(streams)] * len(streams)
            projection.update(in_channels=parts, out_channels=[width] * len(streams))
        if "max_seq_len" in projection:
            projection.update(max_seq_len=min(projection["max_seq_len"], steps))
        if projection["type"] == "SGPProjection":
            projection.update(mlp_channels=32)
        if model.get("neck"):
            model["neck"].update(channels=total)
        if "decoder" in head:
            return shrink_queries(model, width)
        if "pyramid" in head:
            shrink_proposals(head, width, [width] * len(head["pyramid"]["in_channels"]))
            return model
        head.update(in_channels=total, feat_channels=width)
        if head["type"] == "BoundaryMapHead":
            durations = min(head["num_durations"], steps // 2)
            head.update(num_steps=steps, num_durations=durations, extractor_channels=width)
            matching = head["extractor"]["type"] == "BoundaryMatchingExtractor"
            small = dict(hidden_channels=8, roi_channels=width) if matching else dict(roi_size=4)
            head["extractor"].update(small)
        return model

    return shrink


@pytest.fixture
def with_video_scores(tmp_path):
    """``with_video_scores(options)``: a post-processor that reads scores of the one video "v"."""

    def replace(options: dict) -> dict:
        if options.get("video_scores"):
            file = tmp_path / "scores.json"
            scores = {"class": ["a", "b", "c"], "results": {"v": [0.1, 0.6, 0.3]}}
            file.write_text(json.dumps(scores))
            options["video_scores"].update(file=str(file), format="cuhk")
        return options

    return replace
