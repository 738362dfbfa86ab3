"""Fixtures shared by all tests."""

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
    import json

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
