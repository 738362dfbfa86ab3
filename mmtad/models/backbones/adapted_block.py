"""A block with the adapter in front of it: run at once, or group by group, forth and back."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..layers.linear import gradient_only
from .clip_groups import ClipLayout, join_groups
from .taps import BackboneTaps


class AdaptedBlock:
    """A block of a backbone, and before it the adapter that follows the previous block.

    Clips meet only in the adapter, whose convolution reaches a few steps to either side. With the
    adapter in front, a group of clips needs nothing but its own input and a few steps of its
    neighbours' (the margin), so groups can be run, differentiated and forgotten one by one. And
    what the backward pass has to run again ends just before the block's last linear layer, whose
    output nothing needs: with the adapter behind, that third of the block would have to be
    computed for it.

    Args:
        taps: The backbone.
        index: Number of the block; one beyond the last for the last adapter, with no block.
        adapter: The adapter of the block before; None for none.
        dtype: Half precision in which the output is stored; None leaves it as it comes.
        couples_clips: The block itself mixes the clips of a video, so they must come together.
            (They do so too before an adapter that does not say, by ``reach``, how far it looks.)
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
        self.runs = taps.modules_of(index) if index < len(taps.blocks) else []
        self.adapter = adapter
        self.dtype = dtype
        self.reach = 0 if adapter is None else getattr(adapter, "reach", None)
        self.couples_clips = couples_clips or self.reach is None

    @property
    def modules(self) -> list[nn.Module]:
        """Adapter and block, as far as they exist."""
        return self.runs if self.adapter is None else [self.adapter, *self.runs]

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What is trained in here; not the adapter that follows the block."""
        own = [] if self.adapter is None else list(self.adapter.parameters())
        for module in self.runs:
            named = module.named_parameters()
            own += [p for name, p in named if not name.startswith("adapter.")]
        return [p for p in own if p.requires_grad]

    def aside_of(self, aside: Sequence[Tensor]) -> list[Tensor]:
        """What the block reads besides its input."""
        return [] if not self.runs else [aside[k] for k in self.taps.aside_of(self.index)]

    def groups(self, layout: ClipLayout, size: int | None) -> list[slice]:
        """Cut the clips into groups that this block can take."""
        return layout.groups(layout.joined if self.couples_clips else size)

    def __call__(
        self,
        x: Tensor,
        aside: Sequence[Tensor],
        layout: ClipLayout | None = None,
        before: Tensor | None = None,
        after: Tensor | None = None,
    ) -> Tensor:
        """Run a group of clips, differentiable as any module.

        Args:
            x: Output of the block before for these clips.
            aside: What the block reads besides, for these clips.
            layout: How the clips of the batch belong together; only an adapter asks.
            before: ``[1, <= reach, H', W', C]``, the steps before this group; None where a video
                begins.
            after: The steps after it, likewise.
        """
        x = self._widen(x)
        if self.adapter is not None:
            tokens = self.taps.to_grid(x)
            margin = [None if edge is None else self._widen(edge) for edge in (before, after)]
            margin = margin if any(edge is not None for edge in margin) else []
            adapted = self.adapter(layout.join(tokens), *margin)
            x = self.taps.from_grid(adapted.reshape(tokens.shape))
        if self.runs:
            x = self.taps.block(self.index, x, *aside)
        return x if self.dtype is None else x.to(self.dtype)

    def forward_all(self, x: Tensor, aside: Sequence[Tensor], layout: ClipLayout) -> Tensor:
        """Run all clips at once, as far as the block can take them, differentiable."""
        parts = [
            self(x[group], [a[group] for a in aside], layout) for group in self.groups(layout, None)
        ]
        return join_groups(parts)

    @torch.no_grad()
    def forward_groups(
        self, x: Tensor, aside: Sequence[Tensor], layout: ClipLayout, groups: list[slice]
    ) -> Tensor:
        """Run group by group, without a graph.

        Args:
            x: Output of the block before, clips first.
            aside: What the block reads besides.
            layout: How the clips belong together.
            groups: See :meth:`groups`.
        """
        out = None
        for group in passing(groups):
            margin = self._margin(x, layout, group)
            y = self(x[group], [a[group] for a in aside], layout, *margin)
            if len(groups) == 1:
                return y
            if out is None:
                out = y.new_empty(layout.clips, *y.shape[1:])
            out[group] = y
        return out

    def backward_groups(
        self,
        x: Tensor,
        aside: Sequence[Tensor],
        layout: ClipLayout,
        groups: list[slice],
        grad: Tensor,
        needs: Sequence[bool],
    ) -> tuple[list[Tensor | None], list[Tensor | None]]:
        """Recompute every group with a graph and differentiate it.

        Args:
            x: Input of :meth:`forward_groups`.
            aside: Likewise.
            layout: Likewise.
            groups: Likewise.
            grad: Gradient of its output.
            needs: For x and each of ``aside``, whether a gradient is wanted.

        Returns:
            Gradients of x with all of ``aside``, and of ``parameters``.
        """
        parameters = self.parameters
        totals: list[Tensor | None] = [None] * len(needs)
        of_parameters: list[Tensor | None] = [None] * len(parameters)
        for group in passing(groups):
            inputs = [
                t[group].detach().requires_grad_(need)
                for t, need in zip((x, *aside), needs, strict=True)
            ]
            margin = [
                None if edge is None else edge.detach().requires_grad_(needs[0])
                for edge in self._margin(x, layout, group)
            ]
            with torch.enable_grad(), gradient_only(self._last_linear()):
                out = self(inputs[0], inputs[1:], layout, *margin)
            leaves = [t for t in (*inputs, *margin) if t is not None and t.requires_grad]
            found = iter(
                torch.autograd.grad(out, [*leaves, *parameters], grad[group], allow_unused=True)
            )
            del out, leaves, inputs
            for k, (whole, need) in enumerate(zip((x, *aside), needs, strict=True)):
                if need and len(groups) == 1:
                    totals[k] = next(found)
                elif need:
                    totals[k] = torch.zeros_like(whole) if totals[k] is None else totals[k]
                    totals[k][group] += next(found)
            for edge, first in zip(margin, (True, False), strict=True):
                if edge is not None and needs[0]:
                    self._add_margin(totals[0], group, next(found), first)
            for k, gradient in enumerate(found):
                if gradient is not None:
                    known = of_parameters[k]
                    of_parameters[k] = gradient if known is None else known.add_(gradient)
        return totals, of_parameters

    def _widen(self, x: Tensor) -> Tensor:
        # What is stored in half precision is added up in single precision.
        return x if self.dtype is None else x.float()

    def _last_linear(self) -> nn.Module | None:
        return self.taps.last_linear(self.index) if self.runs else None

    def _margin(
        self, x: Tensor, layout: ClipLayout, group: slice
    ) -> tuple[Tensor | None, Tensor | None]:
        """Steps of other groups that the adapter sees before and after this group."""
        reach = self.reach
        before, after = layout.around(group)
        if not reach or not (before or after):
            return None, None
        steps = self.taps.to_grid(x[:1]).shape[1]
        clips = -(-reach // steps)
        first = last = None
        if before:
            near = x[group.start - min(clips, before) : group.start]
            first = layout.join(self.taps.to_grid(near))[:, -reach:]
        if after:
            near = x[group.stop : group.stop + min(clips, after)]
            last = layout.join(self.taps.to_grid(near))[:, :reach]
        return first, last

    def _add_margin(self, total: Tensor, group: slice, grad: Tensor, first: bool) -> None:
        """Add the gradient of the steps before (or after) a group to that of the whole input."""
        steps = self.taps.to_grid(total[:1]).shape[1]
        clips = -(-grad.shape[1] // steps)
        start = group.start - clips if first else group.stop
        near = total[start : start + clips]
        grid = self.taps.to_grid(near)
        missing = clips * steps - grad.shape[1]
        padding = (missing, 0) if first else (0, missing)
        spread = nn.functional.pad(grad, (0, 0, 0, 0, 0, 0, *padding)).reshape(grid.shape)
        near += self.taps.from_grid(spread)


def passing(groups: list[slice]) -> list[slice]:
    """The groups that pass a block one after another: all of them."""
    return groups
