"""Fixtures shared by all tests."""

import logging
import sys
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
    """Loggers live as long as the process, but write to the captured stream of an earlier test."""
    for logger in MMLogger._instance_dict.values():
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler and handler.stream.closed:
                handler.stream = sys.__stderr__  # setStream would flush the closed one
