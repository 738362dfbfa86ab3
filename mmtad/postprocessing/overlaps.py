"""Suppression where neighbouring windows overlap, and nowhere else."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from ..ops import batched_nms


def read_overlap_options(nms: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Arguments of :func:`suppress_overlaps` out of the ``nms`` part of a config.

    Returns:
        The arguments; None if the suppression is not limited to overlaps.

    Raises:
        ValueError: If it is, but is not of type ``nms`` or has an option that makes no sense there.
    """
    options = dict(nms or {})
    if not options.pop("overlaps_only", False):
        return None
    if options.pop("type", None) != "nms" or set(options) - {"iou_threshold", "class_agnostic"}:
        raise ValueError(
            "nms with overlaps_only is of type 'nms' and takes iou_threshold and class_agnostic, "
            f"got {nms}"
        )
    return options


def overlap_regions(windows: Sequence[InstanceData]) -> Tensor:
    """Find what two windows that follow each other both show.

    Args:
        windows: Each with the metainfo ``extent``, start and end in seconds; in any order.

    Returns:
        Start and end ``[R, 2]`` in seconds, float64; those of a window and the next one, in order.

    Raises:
        ValueError: If there are several windows and one does not tell its extent.
    """
    if len(windows) < 2:
        return torch.zeros(0, 2, dtype=torch.float64)
    extents = [window.get("extent") for window in windows]
    if None in extents:
        raise ValueError(
            f"nms with overlaps_only needs the extent of every window, window "
            f"{extents.index(None)} of {len(extents)} has none: "
            "window.set_metainfo(dict(extent=(start, end))), in seconds"
        )
    ordered = torch.tensor(sorted(extents), dtype=torch.float64)
    regions = torch.stack([ordered[1:, 0], ordered[:-1, 1]], dim=1)
    return regions[regions[:, 1] > regions[:, 0]]


def suppress_overlaps(
    segments: Tensor,
    scores: Tensor,
    labels: Tensor,
    regions: Tensor,
    iou_threshold: float = 0.5,
    class_agnostic: bool = False,
) -> Tensor:
    """Suppress repeated segments that touch a region, those of each region by themselves.

    The only suppression of `TadTR <https://arxiv.org/abs/2106.10271>`_ on THUMOS14: one-to-one
    matching makes it needless within a window. A segment that touches several regions is kept if it
    survives in one of them; the authors' code then lists it once for each where it does.

    Args:
        segments: ``[N, 2]`` start and end.
        scores: ``[N]``, >= 0.
        labels: int64 ``[N]`` >= 0.
        regions: ``[R, 2]`` start and end in the unit of the segments.
        iou_threshold: Least tIoU with a better segment that drops a segment.
        class_agnostic: Compare all segments instead of those of one class.

    Returns:
        int64 ``[M]`` indices of the kept segments by descending score; of equal scores the first
        given goes first.
    """
    labels = torch.zeros_like(labels) if class_agnostic else labels
    classes = int(labels.max()) + 1 if len(labels) else 1
    members, groups = [], []
    for number, (start, end) in enumerate(regions.tolist()):
        shared = segments[:, 1].clamp(max=end) - segments[:, 0].clamp(min=start)
        inside = (shared > 0).nonzero().flatten()
        members.append(inside)
        groups.append(number * classes + labels[inside])
    keep = torch.ones_like(scores, dtype=torch.bool)
    if members:
        index = torch.cat(members)
        survivors, _ = batched_nms(
            segments[index],
            scores[index],
            torch.cat(groups),
            "nms",
            iou_threshold=iou_threshold,
            min_score=0.0,
        )
        keep[index] = False
        keep[index[survivors]] = True
    order = torch.argsort(scores, descending=True, stable=True)
    return order[keep[order]]
