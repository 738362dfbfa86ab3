"""Turning a foreign checkpoint file into one of ours."""

import contextlib
import hashlib
import os
import os.path as osp
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .detector import ENCODER, check_adapters, check_encoder
from .key_tables import check_source, convert, get_source, known_sources, recognise
from .opentad import placement_of
from .pretrained import converted_from
from .report import LoadReport, align_keys, check_finite, check_report, compare
from .safe_load import extract_state_dict, load_checkpoint_safely

# Where a detector keeps what pre-trained files hold, the outermost first.
_PARTS = ("", "backbone", "backbone.backbone")

_REMEDY = (
    "use a checkpoint of this architecture, name another --source, or lower --min-match if you "
    "mean it"
)


def convert_checkpoint(
    path: str, source: str | None, half: bool = False, **options: Any
) -> dict[str, dict]:
    """Read a foreign file and rename its weights.

    Args:
        path: The file; code in it is never run.
        source: Key table of its project, see ``known_sources``.
        half: Store floating point weights in fp16, which halves the file.
        options: What the converter of this source takes, e.g. ``adapter_indices``.

    Returns:
        ``state_dict``, and ``meta`` with ``source``, ``file`` (its name), ``sha256``, and for
        adapters ``encoder``, their placement.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no checkpoint, converted already or not of this source, or its
            weights are not finite or do not fit into fp16.
    """
    checkpoint = load_checkpoint_safely(path)
    weights = extract_state_dict(checkpoint, path)
    if converted_from(checkpoint):
        raise ValueError(
            f"{path} was converted from {converted_from(checkpoint)} already; use it as it is"
        )
    if source is None:
        likely = recognise(weights)
        raise ValueError(
            f"say with --source of which project {path} is; by its names it may be "
            f"{' or '.join(likely) or 'none of ' + ', '.join(known_sources())}"
        )
    check_source(weights, source, path)
    check_finite(weights, path)
    converted = convert(weights, source, **options)
    converted = {key: _stored(key, value, half) for key, value in converted.items()}
    meta: dict[str, Any] = dict(source=source, file=osp.basename(path), sha256=_sha256(path))
    if placement := placement_of(weights):
        meta[ENCODER] = dict(placement=placement)
    return dict(state_dict=converted, meta=meta)


def _stored(key: str, value: Tensor, half: bool) -> Tensor:
    """A copy that owns its memory; a view would drag all of what it looks at into the file."""
    value = value.detach().clone(memory_format=torch.contiguous_format)
    if not (half and value.is_floating_point()):
        return value
    narrow = value.half()
    if not narrow.isfinite().all():
        raise ValueError(f"{key} holds values beyond the range of fp16; leave out --half")
    return narrow


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def check_fit(
    model: nn.Module, checkpoint: Mapping[str, dict], min_match: float = 1.0
) -> LoadReport:
    """Say what of a model a converted checkpoint fills; nothing is loaded.

    A file with a detector's head must fill the whole model, and has no adapters beside it. Any
    other is compared with the part of the model that such a file is for: its backbone. If it has
    no adapters, it need not.

    Args:
        model: What a config builds.
        checkpoint: From ``convert_checkpoint``.
        min_match: Smallest share of the entries that must be filled, 0 to 1.

    Returns:
        The load report.

    Raises:
        ValueError: If the checkpoint does not fit.
    """
    weights, meta = checkpoint["state_dict"], checkpoint["meta"]
    check_encoder(model, checkpoint, meta["file"])
    detector = get_source(meta["source"]).detector and any(
        re.match(r"(projection|neck|head)\.", key) for key in weights
    )
    reports = {}
    for part in _PARTS[:1] if detector else _PARTS:
        with contextlib.suppress(AttributeError):
            module = model.get_submodule(part)
            reports[part] = _compare(module, part, weights, meta, not detector)
    part = max(reports, key=lambda part: _met(reports[part]))
    name = type(model.get_submodule(part)).__name__
    check_report(reports[part], name, min_match, strict=True, remedy=_REMEDY)
    if detector:
        check_adapters(reports[part])
    return reports[part]


def _met(report: LoadReport) -> float:
    """Share of the entries whose names the file has, whatever their shapes."""
    return (len(report.matched) + len(report.wrong_shape)) / max(1, report.expected)


def _compare(
    module: nn.Module, part: str, weights: Mapping[str, Tensor], meta: Mapping, bare: bool
) -> LoadReport:
    optional = get_source(meta["source"]).need_not_have(module)
    if bare and not any("adapter" in key.split(".") for key in weights):
        optional.append(r"(^|\.)adapter\.")
    name = f"{meta['file']} for the model's {part}" if part else meta["file"]
    return compare(module, align_keys(weights, module), name, optional)


def write_checkpoint(
    checkpoint: Mapping[str, dict], path: str, force: bool = False, read: str = ""
) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        checkpoint: From ``convert_checkpoint``.
        path: The new file.
        force: Replace the file if there is one.
        read: The file that the weights come from, which is never replaced.

    Raises:
        ValueError: If the file exists, or is the one that was read.
    """
    check_target(path, force, read)
    os.makedirs(osp.dirname(osp.abspath(path)), exist_ok=True)
    unfinished = f"{path}.part"
    try:
        torch.save(dict(checkpoint), unfinished)
        os.replace(unfinished, path)
    finally:
        if osp.exists(unfinished):
            os.remove(unfinished)


def check_target(path: str, force: bool = False, read: str = "") -> None:
    """Raise the errors of ``write_checkpoint`` before the work is done."""
    if osp.isdir(path):
        raise ValueError(f"{path} is a folder; name the file to write")
    if osp.exists(path) and osp.exists(read) and osp.samefile(path, read):
        raise ValueError(f"{path} is the file to be converted; name another file to write")
    if osp.exists(path) and not force:
        raise ValueError(f"{path} exists; name another file, or replace it with --force")
