"""Classes for class-agnostic detections, from an external classifier of whole videos."""

import torch
from torch import Tensor

METHODS = ("product", "sqrt")


def fuse_video_scores(
    segments: Tensor,
    scores: Tensor,
    video_scores: Tensor,
    topk: int = 2,
    method: str = "product",
) -> tuple[Tensor, Tensor, Tensor]:
    """Give class-agnostic segments of one video the best classes of the whole video.

    Every segment is repeated for each of the ``topk`` classes that the video scores highest in.

    Args:
        segments: ``[N, 2]`` in any unit.
        scores: ``[N]`` scores of the segments, >= 0.
        video_scores: ``[K]`` scores of the video, >= 0, in the order of the classes.
        topk: Classes of the video to keep, 1 to K.
        method: Fused score: ``"product"`` (OpenTAD with the CUHK file) or ``"sqrt"``, the root of
            the product (ActionFormer). Both rank the detections of one video alike.

    Returns:
        Segments ``[N * topk, 2]``, scores ``[N * topk]`` in falling order and labels int64
        ``[N * topk]``.

    Raises:
        ValueError: If ``topk`` or ``method`` is out of range, or scores are negative or not finite.
    """
    _check(scores, video_scores, topk, method)
    best, labels = video_scores.to(scores).sort(descending=True, stable=True)
    fused = (best[:topk, None] * scores).flatten()
    if method == "sqrt":
        fused = fused.sqrt()
    order = fused.argsort(descending=True, stable=True)
    labels = labels[:topk].repeat_interleave(len(scores))
    return segments.repeat(topk, 1)[order], fused[order], labels[order]


def reweigh_by_video_scores(
    segments: Tensor,
    scores: Tensor,
    labels: Tensor,
    video_scores: Tensor,
    topk: int = 2,
    method: str = "product",
) -> tuple[Tensor, Tensor, Tensor]:
    """Weigh segments that have classes by what is known of the whole video.

    For heads with a score for every class: a segment keeps its class and is weighed with the score
    of the video in it. Those of classes outside the ``topk`` of the video are dropped.

    Args:
        segments: ``[N, 2]`` in any unit.
        scores: ``[N]`` scores of the segments in their classes, >= 0.
        labels: int64 ``[N]`` classes.
        video_scores: See :func:`fuse_video_scores`.
        topk: Classes of the video to keep, 1 to K.
        method: See :func:`fuse_video_scores`.

    Returns:
        Segments ``[M, 2]``, scores ``[M]`` and labels ``[M]`` of what is kept, in the order given.

    Raises:
        ValueError: As :func:`fuse_video_scores`, or if a label is not 0 to K - 1.
    """
    _check(scores, video_scores, topk, method)
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(video_scores):
        wrong = int(labels.max() if int(labels.min()) >= 0 else labels.min())
        raise ValueError(f"label {wrong} is none of the {len(video_scores)} classes")
    video_scores = video_scores.to(scores)
    best = video_scores.sort(descending=True, stable=True)[1][:topk]
    keep = torch.isin(labels, best)
    fused = scores[keep] * video_scores[labels[keep]]
    return segments[keep], fused.sqrt() if method == "sqrt" else fused, labels[keep]


def check_fusion(topk: int, method: str) -> None:
    """Check the options of :func:`fuse_video_scores`.

    Raises:
        ValueError: If one is out of range.
    """
    if method not in METHODS:
        raise ValueError(f"the method of score fusion is one of {METHODS}, got {method!r}")
    if not isinstance(topk, int) or topk < 1:
        raise ValueError(f"topk of score fusion must be at least 1, got {topk!r}")


def _check(scores: Tensor, video_scores: Tensor, topk: int, method: str) -> None:
    check_fusion(topk, method)
    if topk > len(video_scores):
        raise ValueError(f"topk={topk}, but there are only {len(video_scores)} classes to choose")
    for name, values in (("scores", scores), ("video_scores", video_scores)):
        if not bool((values.isfinite() & (values >= 0)).all()):
            raise ValueError(f"{name} must be finite and not negative to be fused, got {values}")
