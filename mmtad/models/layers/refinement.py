"""Iterative refinement: how the segments of queries move from layer to layer."""

import torch
import torch.nn.functional as F
from torch import Tensor

EPS = 1e-3  # DAB-DETR's; Deformable DETR and TadTR have 1e-5


def inverse_sigmoid(x: Tensor, eps: float = EPS) -> Tensor:
    """``log(x / (1 - x))``, with both parts of the fraction at least ``eps``."""
    return (x.clamp(min=eps) / (1 - x).clamp(min=eps)).log()


def refine(references: Tensor, offsets: Tensor, eps: float = EPS) -> Tensor:
    """Move references in the space of logits: ``sigmoid(offset + inverse_sigmoid(reference))``.

    Args:
        references: ``[..., 2]`` (centre, width) in unit, or centres ``[..., 1]``, which leave the
            width to the offset alone.
        offsets: ``[..., 2]``, what a layer predicts.
        eps: See :func:`inverse_sigmoid`.

    Returns:
        Segments ``[..., 2]`` (centre, width) in unit, at least float32.
    """
    exact = torch.promote_types(offsets.dtype, torch.float32)
    logits = inverse_sigmoid(references.to(exact), eps)
    if logits.shape[-1] == 1:
        logits = F.pad(logits, (0, 1))
    return (offsets.to(exact) + logits).sigmoid()
