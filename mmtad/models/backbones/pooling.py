"""From feature maps of clips to one feature sequence per video."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


class _SpatialMean(torch.autograd.Function):
    """Mean over space whose gradient is a view: no map is written for it."""

    @staticmethod
    def forward(ctx, x):
        ctx.shape, ctx.dtype = x.shape, x.dtype
        return x.mean(dim=(-2, -1), dtype=torch.promote_types(x.dtype, torch.float32))

    @staticmethod
    def backward(ctx, grad):
        area = ctx.shape[-1] * ctx.shape[-2]
        return (grad / area).to(ctx.dtype)[..., None, None].expand(ctx.shape)


def spatial_mean(x: Tensor) -> Tensor:
    """``[N, D, T', H', W']`` to ``[N, D, T']``, in single precision at least."""
    return _SpatialMean.apply(x)


def join_streams(
    streams: Sequence[Tensor], videos: int, length: int | None, snippets: bool
) -> Tensor:
    """Join the clips of every video, bring all streams to one length and stack their channels.

    Args:
        streams: ``[B * clips, D_i, T_i]``, clips of a video in a row.
        videos: Number of videos B.
        length: Steps of the result; None for those of the longest stream.
        snippets: A clip is one step, the mean over its time.

    Returns:
        ``[B, sum of D_i, length]``, resized linearly without aligned corners.
    """
    if snippets:
        streams = [stream.mean(dim=-1, keepdim=True) for stream in streams]
    joined = [s.unflatten(0, (videos, -1)).transpose(1, 2).flatten(2) for s in streams]
    length = max(s.shape[-1] for s in joined) if length is None else length
    joined = [
        s
        if s.shape[-1] == length
        else F.interpolate(s, size=length, mode="linear", align_corners=False)
        for s in joined
    ]
    return joined[0] if len(joined) == 1 else torch.cat(joined, dim=1)
