"""Half precision: for weights that are frozen, and for activations on their way between blocks."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def half_dtype(name: str | None, argument: str) -> torch.dtype | None:
    """Read a half precision from a config.

    Args:
        name: ``"bfloat16"``, ``"float16"`` or None.
        argument: Name of the argument, for the message.

    Raises:
        ValueError: If it is neither.
    """
    if name is None or name in HALF:
        return None if name is None else HALF[name]
    raise ValueError(f"{argument} is None, 'bfloat16' or 'float16', got {name!r}")


def halve_frozen(module: nn.Module, dtype: torch.dtype) -> None:
    """Keep the frozen weights of linear and convolutional layers in half precision, nothing else.

    Args:
        module: Changed in place.
        dtype: The half precision.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd):
            if not layer.weight.requires_grad:
                layer.weight.data = layer.weight.data.to(dtype)


def check_half(dtype: torch.dtype, device: torch.device, argument: str) -> None:
    """Make sure that a device computes in half precision.

    Raises:
        ValueError: If it does not.
    """
    name = str(dtype).removeprefix("torch.")
    try:
        supported = not (
            device.type == "cuda"
            and dtype is torch.bfloat16
            and not torch.cuda.is_bf16_supported(including_emulation=False)
        )
        if supported:
            torch.ones(2, 2, dtype=dtype, device=device).mm(
                torch.ones(2, 2, dtype=dtype, device=device)
            )
    except RuntimeError:
        supported = False
    if not supported:
        other = "float16" if dtype is torch.bfloat16 else "bfloat16"
        raise ValueError(
            f"{argument}='{name}' needs a device that computes in {name}, which {device} does not; "
            f"use '{other}' or None"
        )


def half_autocast(dtype: torch.dtype | None, device: torch.device) -> AbstractContextManager:
    """Autocast for weights kept in half precision, unless the caller is in one already.

    Nobody scales the loss then, and small gradients would vanish in float16: training computes in
    bfloat16, whatever half precision the weights are kept in.
    """
    if dtype is None or torch.is_autocast_enabled(device.type):
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16 if torch.is_grad_enabled() else dtype)
