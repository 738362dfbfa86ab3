"""One block with its adapter: run at once, or group by group in little memory, forth and back."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .clip_groups import ClipLayout, neighbours
from .taps import BackboneTaps

Borders = list[tuple[Tensor, Tensor]]


class AdaptedBlock:
    """A block of a backbone and the adapter after it.

    Clips meet only in the adapter, whose convolution reaches a few steps to either side. A group of
    clips therefore needs from its neighbours only a few steps of the adapter's hidden layer
    (``borders``), and hands back to them only a few steps of gradient (``TIA.spill``). Everything
    else of a group can be forgotten before the next one comes.

    Args:
        taps: The backbone.
        index: Number of the block.
        adapter: The adapter after it; None for none.
        dtype: Half precision in which the output is stored; None leaves it as it comes.
        couples_clips: The block itself mixes the clips of a video, so they must come together.
    """

    def __init__(
        self,
        taps: BackboneTaps,
        index: int,
        adapter: nn.Module | None = None,
        dtype: torch.dtype | None = None,
        couples_clips: bool = False,
    ) -> None:
        self.taps = taps
        self.index = index
        self.adapter = adapter
        self.dtype = dtype
        self.couples_clips = couples_clips

    @property
    def reach(self) -> int:
        """Steps to either side that the output of a step depends on, beyond its own clip."""
        return 0 if self.adapter is None else self.adapter.reach

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What is trained in here."""
        return [p for p in self.taps.blocks[self.index].parameters() if p.requires_grad]

    def split(self) -> "tuple[AdaptedBlock, AdaptedBlock] | None":
        """The block and its adapter as two stages; None if the block itself is trained."""
        trained = any(p.requires_grad for _, p in self._own_parameters())
        if trained or self.adapter is None:
            return None
        block = AdaptedBlock(self.taps, self.index, None, self.dtype)
        return block, _AdapterAlone(self.taps, self.index, self.adapter, self.dtype)

    def groups(self, layout: ClipLayout, size: int | None, steps: int) -> list[slice]:
        """Cut the clips into groups that this block can take; ``steps`` is a clip's length."""
        if self.couples_clips:
            return layout.groups(layout.joined)
        return layout.groups(size, max(1, -(-self.reach // steps)))

    def __call__(self, x: Tensor, aside: Sequence[Tensor], layout: ClipLayout) -> Tensor:
        """Run all clips at once, differentiable as any module."""
        if self.couples_clips:
            parts = [self._block(x[g], [a[g] for a in aside]) for g in layout.groups(layout.joined)]
            x = torch.cat(parts)
        else:
            x = self._block(x, aside)
        if self.adapter is not None:
            tokens = self.taps.to_grid(x)
            adapted = self.adapter(layout.join(tokens)).reshape(tokens.shape)
            x = self.taps.from_grid(adapted)
        return self._store(x)

    def block(self, x: Tensor, aside: Sequence[Tensor]) -> Tensor:
        """The block alone, without its adapter, in the type of the stream."""
        return self._store(self._block(x, aside))

    def _block(self, x: Tensor, aside: Sequence[Tensor]) -> Tensor:
        # What is stored in half precision is added up in single precision.
        x = x if self.dtype is None else x.float()
        return self.taps.block(self.index, x, *aside)

    def _store(self, x: Tensor) -> Tensor:
        return x if self.dtype is None else x.to(self.dtype)

    @torch.no_grad()
    def forward_groups(
        self, x: Tensor, aside: Sequence[Tensor], layout: ClipLayout, groups: list[slice]
    ) -> tuple[Tensor, Borders]:
        """Run group by group, without a graph.

        Args:
            x: Output of the block before, clips first.
            aside: What the block reads besides.
            layout: How the clips belong together.
            groups: See :meth:`groups`.

        Returns:
            The output, and per group the first and last hidden steps of the adapter.
        """
        out: list[Tensor] = []
        borders: Borders = []
        waiting: Callable[[Tensor | None], None] | None = None
        for i, group, before, after in neighbours(layout, groups):
            z = self._block(x[group], [a[group] for a in aside])
            if not out:
                out.append(z.new_empty(layout.clips, *z.shape[1:], dtype=self.dtype or z.dtype))
            if self.adapter is None:
                out[0][group] = z
                continue
            tokens = layout.join(self.taps.to_grid(z))
            hidden = self.adapter.squeeze(tokens)
            borders.append(_edges(hidden, self.reach))
            if waiting is not None:
                waiting(borders[i][0] if before else None)
            left = borders[i - 1][1] if before else None
            waiting = self._finisher(out[0], group, z.shape, tokens, hidden, left)
            del z, tokens, hidden
            if not after:
                waiting(None)
                waiting = None
        return out[0], borders

    def _finisher(
        self,
        out: Tensor,
        group: slice,
        shape: torch.Size,
        tokens: Tensor,
        hidden: Tensor,
        left: Tensor | None,
    ) -> Callable[[Tensor | None], None]:
        """What remains to be done for a group once the steps after it are known."""

        def finish(right: Tensor | None) -> None:
            adapted = self.adapter.expand(tokens, self.adapter.mix(hidden, left, right))
            out[group] = self.taps.from_grid(adapted.reshape(shape[0], -1, *adapted.shape[2:]))

        return finish

    def backward_groups(
        self,
        x: Tensor,
        aside: Sequence[Tensor],
        layout: ClipLayout,
        groups: list[slice],
        borders: Borders,
        grad: Tensor,
        needs: Sequence[bool],
    ) -> tuple[list[Tensor | None], list[Tensor | None]]:
        """Recompute every group with a graph and differentiate it.

        Args:
            x: Input of :meth:`forward_groups`.
            aside: Likewise.
            layout: Likewise.
            groups: Likewise.
            borders: What it returned.
            grad: Gradient of its output.
            needs: For x and each of ``aside``, whether a gradient is wanted.

        Returns:
            Gradients of x with all of ``aside``, and of ``parameters``.
        """
        parameters = self.parameters
        grad_inputs = [
            torch.empty_like(t) if need else None
            for t, need in zip((x, *aside), needs, strict=True)
        ]
        grad_parameters: list[Tensor | None] = [None] * len(parameters)
        for i, group, before, after in neighbours(layout, groups):
            leaves = [
                t[group].detach().requires_grad_(need)
                for t, need in zip((x, *aside), needs, strict=True)
            ]
            sides = (
                borders[i - 1][1] if before and self.reach else None,
                borders[i + 1][0] if after and self.reach else None,
            )
            outputs, grads = self._differentiable(leaves, layout, group, sides, grad)
            wanted = [leaf for leaf, need in zip(leaves, needs, strict=True) if need]
            found = list(
                torch.autograd.grad(outputs, [*wanted, *parameters], grads, allow_unused=True)
            )
            del outputs, grads, leaves
            for total in grad_inputs:
                if total is not None:
                    total[group] = found.pop(0)
            for k, gradient in enumerate(found):
                if gradient is not None:
                    known = grad_parameters[k]
                    grad_parameters[k] = gradient if known is None else known.add_(gradient)
        return grad_inputs, grad_parameters

    def _differentiable(
        self,
        leaves: list[Tensor],
        layout: ClipLayout,
        group: slice,
        sides: tuple[Tensor | None, Tensor | None],
        grad: Tensor,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Outputs that depend on a group, and the gradients that reach them."""
        needs_block = any(leaf.requires_grad for leaf in leaves) or any(
            p.requires_grad for _, p in self._own_parameters()
        )
        with torch.set_grad_enabled(needs_block):
            z = self._block(leaves[0], leaves[1:])
        with torch.enable_grad():
            if self.adapter is None:
                return [z.to(grad.dtype)], [grad[group]]
            tokens = layout.join(self.taps.to_grid(z))
            hidden = self.adapter.squeeze(tokens)
            adapted = self.adapter.expand(tokens, self.adapter.mix(hidden, *sides))
            outputs = [adapted.to(grad.dtype)]
            grads = [layout.join(self.taps.to_grid(grad[group]))]
            for side, first in zip(sides, (True, False), strict=True):
                if side is None:
                    continue
                outputs.append(self._spilled(hidden, first).to(grad.dtype))
                grads.append(self._beyond(layout, group, grad, first))
        return outputs, grads

    def _spilled(self, hidden: Tensor, first: bool) -> Tensor:
        """Part of the neighbours' update that stems from these hidden steps."""
        adapter = self.adapter
        spill = adapter.spill(hidden, before=first)
        weight = adapter.up_proj.weight.detach()
        return adapter.gamma.detach() * torch.nn.functional.linear(spill, weight)

    def _beyond(self, layout: ClipLayout, group: slice, grad: Tensor, first: bool) -> Tensor:
        """Gradient of the ``reach`` steps before or after a group."""
        reach = self.reach
        steps = self.taps.to_grid(grad[group]).shape[1]
        clips = -(-reach // steps)
        near = (
            slice(group.start - clips, group.start)
            if first
            else slice(group.stop, group.stop + clips)
        )
        joined = layout.join(self.taps.to_grid(grad[near]))
        return joined[:, -reach:] if first else joined[:, :reach]

    def _own_parameters(self) -> list[tuple[str, nn.Parameter]]:
        block = self.taps.blocks[self.index]
        return [(n, p) for n, p in block.named_parameters() if not n.startswith("adapter.")]


class _AdapterAlone(AdaptedBlock):
    """An adapter whose block has run already."""

    def _block(self, x: Tensor, aside: Sequence[Tensor]) -> Tensor:
        return x if self.dtype is None else x.float()


def _edges(hidden: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """Copies of the first and last ``reach`` steps, so that the rest can be freed."""
    return hidden[:, :reach].clone(), hidden[:, hidden.shape[1] - reach :].clone()
