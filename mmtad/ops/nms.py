"""Non-maximum suppression and boundary voting of temporal segments.

The work is done on the CPU whatever the device of the input; results go back to that device.
"""

import math

import numpy as np
import torch
from torch import Tensor

from ._nms_dense import suppress_dense
from ._nms_kernels import GAUSSIAN, HARD, LINEAR, suppress, vote

_METHODS = {"nms": HARD, "linear": LINEAR, "gaussian": GAUSSIAN, "improved_gaussian": GAUSSIAN}
# Groups up to about this size are faster with the dense loop.
_SMALL_GROUP = 256
_SOFT = tuple(name for name, loop in _METHODS.items() if loop != HARD)


def nms(
    segments: Tensor,
    scores: Tensor,
    iou_threshold: float,
    min_score: float = 0.0,
    max_keep: int | None = None,
) -> Tensor:
    """Keep the best segment, drop those that overlap it by the threshold or more, and so on.

    Args:
        segments: ``[N, 2]`` start and end in any unit.
        scores: ``[N]``, >= 0.
        iou_threshold: Least tIoU with a better segment that drops a segment.
        min_score: Segments with a lower score are dropped.
        max_keep: At most this many are kept; None for all.

    Returns:
        int64 ``[M]`` indices into the input by descending score; of equal scores the first given
        goes first.

    Raises:
        ValueError: As in :func:`batched_nms`.
    """
    return batched_nms(
        segments,
        scores,
        method="nms",
        class_agnostic=True,
        iou_threshold=iou_threshold,
        min_score=min_score,
        max_total=max_keep,
    )[0]


def soft_nms(
    segments: Tensor,
    scores: Tensor,
    method: str = "gaussian",
    sigma: float = 0.5,
    iou_threshold: float = 0.5,
    min_score: float = 0.001,
    max_keep: int | None = None,
    iou_slope: float = 0.4,
    duration: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Lower the scores of segments that overlap better ones.

    `Soft-NMS <https://arxiv.org/abs/1704.04503>`_ with the two kinds of decay given there, and
    the one with which the code of `BMN <https://arxiv.org/abs/1907.09702>`_ keeps many proposals
    around long actions for the sake of recall.

    Args:
        segments: ``[N, 2]`` start and end in any unit.
        scores: ``[N]``, >= 0.
        method: ``gaussian``: times ``exp(-tIoU^2 / sigma)``; ``linear``: times ``1 - tIoU`` from
            ``iou_threshold`` on; ``improved_gaussian``: as ``gaussian``, but only where the tIoU is
            at least ``iou_threshold + iou_slope * w``, with ``w`` the length of the better segment
            as a fraction of the video. BMN: ``sigma`` 0.4, ``iou_threshold`` 0.5, ``iou_slope``
            0.4.
        sigma: Width of ``gaussian`` and ``improved_gaussian``.
        iou_threshold: Without effect on ``gaussian``.
        min_score: Segments whose score is or falls below are dropped.
        max_keep: At most this many are kept; None for all.
        iou_slope: Only for ``improved_gaussian``.
        duration: Length of the video in the unit of the segments, only for
            ``improved_gaussian``.

    Returns:
        ``(keep, scores)``: int64 ``[M]`` indices into the input and the lowered scores ``[M]``,
        descending; of equal scores the first given goes first.

    Raises:
        ValueError: As in :func:`batched_nms`.
    """
    if method == "nms":
        raise ValueError(f"soft_nms knows {_SOFT}; call nms to drop overlaps")
    return batched_nms(
        segments,
        scores,
        method=method,
        class_agnostic=True,
        iou_threshold=iou_threshold,
        sigma=sigma,
        min_score=min_score,
        max_total=max_keep,
        iou_slope=iou_slope,
        duration=duration,
    )


def batched_nms(
    segments: Tensor,
    scores: Tensor,
    labels: Tensor | None = None,
    method: str = "gaussian",
    *,
    class_agnostic: bool = False,
    iou_threshold: float = 0.5,
    sigma: float = 0.5,
    min_score: float = 0.001,
    max_per_class: int | None = None,
    max_total: int | None = None,
    iou_slope: float = 0.4,
    duration: float | None = None,
) -> tuple[Tensor, Tensor]:
    """:func:`nms` or :func:`soft_nms` within each class, or over all of them.

    For the tIoU 1e-6 is added to each length, as in the public code of the field (of the video, for
    ``improved_gaussian``); segments without a positive length overlap nothing. float64 input is
    computed in float64, any other in float32.

    Args:
        segments: ``[N, 2]`` start and end in any unit.
        scores: ``[N]``, >= 0.
        labels: ``[N]`` classes; None only when ``class_agnostic``.
        method: ``gaussian``, ``linear``, ``improved_gaussian`` or ``nms``.
        class_agnostic: Compare all segments instead of those of one class.
        iou_threshold: See :func:`nms`; without effect on ``gaussian``.
        sigma: See :func:`soft_nms`.
        min_score: Segments whose score is or falls below are dropped.
        max_per_class: At most this many are kept of each class (in all, when ``class_agnostic``);
            None for all.
        max_total: At most this many are kept in all; None for all.
        iou_slope: See :func:`soft_nms`.
        duration: See :func:`soft_nms`.

    Returns:
        ``(keep, scores)``: int64 ``[M]`` indices into the input and the lowered scores ``[M]``,
        descending; of equal scores the first given goes first.

    Raises:
        ValueError: If shapes do not fit, a value is not finite, a score is negative or an option is
            out of range.
    """
    if method not in _METHODS:
        raise ValueError(f"method must be one of {sorted(_METHODS)}, got {method!r}")
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    limits = [limit for limit in (max_per_class, max_total) if limit is not None]
    if min(limits, default=0) < 0:
        raise ValueError(f"a cap on the number of segments must be >= 0, got {min(limits)}")
    starts, ends, values = _arrays(segments, scores)
    if method == "improved_gaussian":
        if duration is None or not 0 < duration < math.inf:
            raise ValueError(f"improved_gaussian needs the duration of the video, got {duration}")
        starts, ends = starts / float(duration), ends / float(duration)
    elif method == "gaussian":
        iou_threshold = 0.0
    groups, num_groups = np.zeros(len(starts), np.int64), 1
    if not class_agnostic:
        groups, num_groups = _groups(labels, len(starts))
    max_total = len(starts) if max_total is None else max_total
    max_per_group = max_total if max_per_class is None else min(max_per_class, max_total)
    real = values.dtype.type
    options = (
        _METHODS[method],
        real(iou_threshold),
        real(iou_slope if method == "improved_gaussian" else 0.0),
        real(sigma),
        real(min_score),
        max_per_group,
    )
    sizes = np.bincount(groups)
    if np.dot(sizes, sizes) <= _SMALL_GROUP * len(starts):
        lowered = suppress_dense(starts, ends, values, groups, num_groups, *options)
        keep = np.flatnonzero(lowered >= 0)
        keep = keep[np.argsort(-lowered[keep], kind="stable")[:max_total]]
        lowered = lowered[keep]
    else:
        order = np.argsort(starts)
        keep, lowered = suppress(
            starts, ends, values, order, groups, num_groups, *options, max_total
        )
    return (
        torch.from_numpy(keep).to(segments.device),
        torch.from_numpy(lowered).to(scores),
    )


def segment_voting(
    kept: Tensor,
    segments: Tensor,
    scores: Tensor,
    iou_threshold: float,
    iou_weighted: bool = False,
) -> Tensor:
    """Move the boundaries of each kept segment to the weighted mean of all segments around it.

    A segment votes if its tIoU with the kept one reaches the threshold. Its weight is its score
    (OpenTAD, TriDet) or score times tIoU (ActionFormer's code).

    Args:
        kept: ``[M, 2]`` segments to refine.
        segments: ``[N, 2]`` all segments before suppression, in the same unit.
        scores: ``[N]`` their scores before suppression, >= 0.
        iou_threshold: Least tIoU of a voter, in (0, 1].
        iou_weighted: Multiply the weights by the tIoU.

    Returns:
        ``[M, 2]`` in the type and on the device of ``kept``. A segment that no weight speaks for
        stays as it is.

    Raises:
        ValueError: If shapes do not fit, a value is not finite, a score is negative or the
            threshold is out of range.
    """
    if not 0 < iou_threshold <= 1:
        raise ValueError(f"the tIoU threshold of a vote must be in (0, 1], got {iou_threshold}")
    starts, ends, values = _arrays(segments, scores)
    kept_starts, kept_ends, _ = _arrays(kept, kept.new_zeros(len(kept)))
    real = values.dtype.type
    refined = vote(
        kept_starts.astype(real),
        kept_ends.astype(real),
        starts,
        ends,
        values,
        np.argsort(starts),
        real(iou_threshold),
        iou_weighted,
    )
    return torch.from_numpy(refined).to(kept)


def _groups(labels: Tensor | None, count: int) -> tuple[np.ndarray, int]:
    """Number the classes that occur; gives the number of each segment ``[N]`` and how many."""
    if labels is None or labels.shape != (count,):
        shape = None if labels is None else tuple(labels.shape)
        raise ValueError(f"{count} segments need as many labels, got the shape {shape}")
    classes, groups = np.unique(labels.detach().cpu().numpy(), return_inverse=True)
    return groups, len(classes)


def _arrays(segments: Tensor, scores: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check the input and give starts, ends and scores as arrays of one type.

    Returns:
        Three contiguous arrays ``[N]``: float64 if either input is, else float32.
    """
    n = len(segments)
    if segments.shape != (n, 2) or scores.shape != (n,):
        raise ValueError(
            "segments [N, 2] and scores [N] must belong together, got the shapes "
            f"{tuple(segments.shape)} and {tuple(scores.shape)}"
        )
    if not (segments.is_floating_point() and scores.is_floating_point()):
        raise ValueError(
            "segments and scores must be floating point, got "
            f"{segments.dtype} and {scores.dtype}; call .float()"
        )
    dtype = torch.float64 if torch.float64 in (segments.dtype, scores.dtype) else torch.float32
    columns = segments.detach().to("cpu", dtype).t().contiguous().numpy()
    values = scores.detach().to("cpu", dtype).contiguous().numpy()
    bad = int(n - (np.isfinite(columns).all(axis=0) & np.isfinite(values)).sum())
    if bad:
        raise ValueError(
            f"{bad} of {n} segments have a start, end or score that is NaN or infinite; "
            "the model that gave them has probably diverged"
        )
    if n and values.min() < 0:
        raise ValueError(
            f"scores must be >= 0, got {values.min()}; apply a sigmoid or softmax first"
        )
    return columns[0], columns[1], values
