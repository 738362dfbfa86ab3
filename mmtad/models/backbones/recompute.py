"""Blocks whose activations are not kept: only their input is, and the backward pass runs again."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .adapted_block import AdaptedBlock
from .clip_groups import ClipLayout


class Autocast:
    """The state of autocast at one moment, to be entered again in a backward pass.

    Casts are not cached: they would outlive the block that they were made for.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device.type
        self.enabled = torch.is_autocast_enabled(self.device)
        self.dtype = torch.get_autocast_dtype(self.device)

    def __call__(self) -> torch.autocast:
        """The same autocast."""
        return torch.autocast(
            self.device, dtype=self.dtype, enabled=self.enabled, cache_enabled=False
        )


class RandomState:
    """The state of the random generators at one moment, if modules are going to draw from them."""

    def __init__(self, modules: Sequence[nn.Module], device: torch.device) -> None:
        self.device = device
        self.cpu = self.accelerator = None
        if any(_draws(part) for module in modules for part in module.modules()):
            self.cpu = torch.get_rng_state()
            if device.type == "cuda":
                self.accelerator = torch.cuda.get_rng_state(device)

    @contextmanager
    def __call__(self):
        """Draw the same numbers again; afterwards the generators go on as if nothing was."""
        if self.cpu is None:
            yield
            return
        devices = [self.device] if self.accelerator is not None else []
        with torch.random.fork_rng(devices):
            torch.set_rng_state(self.cpu)
            if self.accelerator is not None:
                torch.cuda.set_rng_state(self.accelerator, self.device)
            yield


def _draws(module: nn.Module) -> bool:
    if not module.training:
        return False
    if type(module).__module__.split(".")[0] not in ("torch", "mmcv", "mmaction", "mmtad"):
        return True  # nobody knows
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return module.p > 0
    return type(module).__name__ == "DropPath" and getattr(module, "drop_prob", 1) > 0


def segments(blocks: Sequence[AdaptedBlock], size: int) -> list[list[AdaptedBlock]]:
    """Blocks that share one stored input: ``size`` each, from the first that is trained.

    What comes before that needs no backward pass; those blocks are alone.
    """
    trained = (i for i, block in enumerate(blocks) if block.parameters)
    start = next(trained, len(blocks))
    alone = [[block] for block in blocks[:start]]
    return alone + [list(blocks[i : i + size]) for i in range(start, len(blocks), size)]


def recompute(
    blocks: Sequence[AdaptedBlock],
    x: Tensor,
    asides: Sequence[Sequence[Tensor]],
    layout: ClipLayout,
    groups: Sequence[list[slice]],
    offload: bool = False,
) -> Tensor:
    """Run successive blocks and keep nothing but ``x`` for the backward pass.

    With k blocks the backward pass runs k - 1 of them once more to find the input of each, then
    each with a graph: memory for one input instead of k, for nearly one forward pass more.

    Args:
        blocks: The blocks.
        x: Input of the first, clips first.
        asides: Per block what it reads besides.
        layout: How the clips belong together.
        groups: Per block the groups in which the clips pass.
        offload: Keep ``x`` in the memory of the CPU.

    Returns:
        Output of the last block.
    """
    tensors = [t for aside in asides for t in aside]
    parameters = [p for block in blocks for p in block.parameters]
    with offloaded(x.device) if offload else nullcontext():
        return _Recompute.apply(
            list(blocks), layout, list(groups), [len(a) for a in asides], x, *tensors, *parameters
        )


def offloaded(device: torch.device) -> AbstractContextManager:
    """Keep what is saved for the backward pass in the memory of the CPU."""
    return torch.autograd.graph.save_on_cpu(pin_memory=device.type == "cuda")


class _Recompute(torch.autograd.Function):
    @staticmethod
    def forward(ctx, blocks, layout, groups, counts, x, *tensors):
        ctx.blocks, ctx.layout, ctx.groups, ctx.counts = blocks, layout, groups, counts
        asides = tensors[: sum(counts)]
        ctx.save_for_backward(x, *asides)
        ctx.autocast = Autocast(x.device)
        ctx.random = []
        remaining = list(asides)
        with ctx.autocast():
            for block, cut, count in zip(blocks, groups, counts, strict=True):
                ctx.random.append(RandomState(block.modules, x.device))
                aside, remaining = remaining[:count], remaining[count:]
                x = block.forward_groups(x, aside, layout, cut)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, *tensors = ctx.saved_tensors
        needs = ctx.needs_input_grad[4:]
        starts = [sum(ctx.counts[:i]) for i in range(len(ctx.counts))]
        asides = [tensors[s : s + n] for s, n in zip(starts, ctx.counts, strict=True)]
        inputs = [x]
        del x, tensors
        count = len(ctx.blocks)
        grad_asides: list[list[Tensor | None]] = []
        grad_parameters: list[list[Tensor | None]] = []
        with ctx.autocast():
            for i in range(count - 1):
                with ctx.random[i]():
                    inputs.append(
                        ctx.blocks[i].forward_groups(
                            inputs[-1], asides[i], ctx.layout, ctx.groups[i]
                        )
                    )
            for i in reversed(range(count)):
                wanted = [i > 0 or needs[0]]
                wanted += needs[1 + starts[i] : 1 + starts[i] + ctx.counts[i]]
                with ctx.random[i]():
                    (grad, *of_aside), of_parameters = ctx.blocks[i].backward_groups(
                        inputs.pop(),
                        asides[i],
                        ctx.layout,
                        ctx.groups[i],
                        grad,
                        wanted,
                    )
                grad_asides.insert(0, of_aside)
                grad_parameters.insert(0, of_parameters)
        flat = [g for grads in (*grad_asides, *grad_parameters) for g in grads]
        return (None, None, None, None, grad, *flat)
