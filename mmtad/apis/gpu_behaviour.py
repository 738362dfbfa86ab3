"""What fake tensors on a CPU must do differently to take the memory that they would on a GPU."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from mmtad.models.adapters import tia
from mmtad.models.backbones import adapted_block, recompute, side_encoder
from mmtad.models.backbones.fused_window_attention import FusedWindowAttention

GROUPS = 3


class RealConstants(TorchFunctionMode):
    """Backbones read the values of a ``linspace`` in their constructors, so those are real."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return np.linspace(*args) if func is torch.linspace else func(*args, **(kwargs or {}))


def widened(function: Callable) -> Callable:
    """As autocast on CUDA runs a norm or a softmax: in single precision."""

    def run(*args, **kwargs):
        if torch.is_autocast_enabled("cpu"):
            args = tuple(a.float() if isinstance(a, Tensor) else a for a in args)
            kwargs = {k: v.float() if isinstance(v, Tensor) else v for k, v in kwargs.items()}
        return function(*args, **kwargs)

    return run


class _ClaimGPU(TorchFunctionMode):
    """Tensors say that they are on a GPU."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.Tensor.device.__get__:
            return torch.device("cuda")
        return func(*args, **(kwargs or {}))


@contextmanager
def countable_parts(sent: list[int]) -> Iterator[None]:
    """Put in the place of some functions what can be counted.

    Norms and softmax run in single precision under autocast (also where a backward pass runs them
    once more, which function modes do not reach). Offloaded tensors are forgotten (their bytes are
    added to ``sent``) and come back as new ones;
    the states of random generators, which fake tensors do not have, are not kept; depth-wise
    convolutions choose their precision as on a GPU. Groups of clips that pass a block one after
    another are alike and leave nothing behind, so only a few of them do.
    """

    def pack(tensor: Tensor) -> tuple[torch.Size, torch.dtype]:
        sent[0] += tensor.untyped_storage().nbytes()
        return tensor.shape, tensor.dtype

    def unpack(description: tuple[torch.Size, torch.dtype]) -> Tensor:
        return torch.empty(description[0], dtype=description[1])

    def offloaded(device):
        return torch.autograd.graph.saved_tensors_hooks(pack, unpack)

    def depthwise_conv(*args, **kwargs):
        with _ClaimGPU():
            return convolve(*args, **kwargs)

    def some_groups(groups):
        return sorted(groups, key=lambda group: group.start - group.stop)[:GROUPS]

    convolve = tia.depthwise_conv
    changes = [
        (recompute, "offloaded", offloaded),
        (side_encoder, "offloaded", offloaded),
        (recompute, "_draws", lambda module: False),
        (tia, "depthwise_conv", depthwise_conv),
        (adapted_block, "passing", some_groups),
        (FusedWindowAttention, "_part", FusedWindowAttention._fused),
        *((F, name, widened(getattr(F, name))) for name in ("layer_norm", "group_norm", "softmax")),
        (torch, "softmax", widened(torch.softmax)),
        (Tensor, "softmax", widened(Tensor.softmax)),
    ]
    before = [getattr(module, name) for module, name, _ in changes]
    try:
        for module, name, value in changes:
            setattr(module, name, value)
        yield
    finally:
        for (module, name, _), value in zip(changes, before, strict=True):
            setattr(module, name, value)
