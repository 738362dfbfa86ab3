"""Reading checkpoints: safely, from foreign projects too, and never silently incomplete.

A key table of another project is one file that calls ``register_source``, and one import below.
"""

from . import (  # noqa: F401  (register their tables)
    actionformer,
    boundary_map,
    i3d,
    mmaction,
    opentad,
    tadtr,
    tridet,
    videomae,
)
from .detector import describe_encoder, load_detector
from .i3d import load_two_streams
from .key_tables import KeyTable, convert, known_sources, recognise, register_source
from .pretrained import PretrainedWeights, load_weights
from .report import LoadReport, align_keys, load_report
from .safe_load import extract_state_dict, load_checkpoint_safely

__all__ = [
    "KeyTable",
    "LoadReport",
    "PretrainedWeights",
    "align_keys",
    "convert",
    "describe_encoder",
    "extract_state_dict",
    "known_sources",
    "load_checkpoint_safely",
    "load_detector",
    "load_report",
    "load_two_streams",
    "load_weights",
    "recognise",
    "register_source",
]
