"""MMAction2's window attention of Video Swin, computed by fused kernels."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod

import torch
import torch.nn.functional as F
from mmaction.models.backbones.swin import WindowAttention3D, get_window_size
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

# Where no fused kernel applies, at most so many scores are in memory at a time.
MAX_SCORES = 1 << 24


@dataclass(frozen=True)
class ShiftedWindows:
    """Geometry of windows on a cyclically shifted map; stands for MMAction2's attention mask.

    Along a shifted axis only the last window holds tokens from both ends of the map. So there are
    at most eight kinds of windows, one for each choice of the axes along which a window is last;
    the windows of one kind share one mask, and those of the first kind need none.

    Attributes:
        counts: Windows along time, height and width.
        window: Tokens of a window along the three axes.
        shift: Cyclic shift along the three axes; 0 where an axis is not shifted.
    """

    counts: tuple[int, int, int]
    window: tuple[int, int, int]
    shift: tuple[int, int, int]

    @classmethod
    def of(
        cls,
        sizes: tuple[int, int, int],
        window_size: tuple[int, int, int],
        shift_size: tuple[int, int, int],
    ) -> "ShiftedWindows | None":
        """Geometry on a map of ``sizes``, padded to whole windows; None if nothing is shifted.

        Axes that fit into one window are one, and are not shifted.
        """
        window, shift = get_window_size(sizes, window_size, shift_size)
        if not any(shift):
            return None
        counts = tuple(ceil(size / length) for size, length in zip(sizes, window, strict=True))
        return cls(counts, window, shift)

    def foreign(self, last: tuple[int, ...], device: torch.device) -> Tensor:
        """Pairs of tokens that only the shift made neighbours, bool ``[L, L]``.

        Args:
            last: Axes (0 to 2) along which the window is the last one.
            device: Where the mask shall be.
        """
        ends = torch.zeros(1, 1, 1, dtype=torch.int8, device=device)
        for axis in range(3):
            places = torch.arange(self.window[axis], device=device)
            start = self.window[axis] - self.shift[axis]
            end = (places >= start) if axis in last else torch.zeros_like(places, dtype=torch.bool)
            shape = [1, 1, 1]
            shape[axis] = -1
            ends = 2 * ends + end.view(shape)
        ends = ends.flatten()
        return ends.unsqueeze(0) != ends.unsqueeze(1)

    def by_kind(self, x: Tensor, function: Callable[[Tensor, tuple[int, ...]], Tensor]) -> Tensor:
        """Apply a function to all windows of each kind, and put its results into their places.

        Args:
            x: ``[N * windows, L, C]``, as MMAction2 cuts them.
            function: Of windows ``[n, L, C]`` and the axes along which they are last.
        """
        grid = x.unflatten(0, (-1, *self.counts))
        return self._by_kind(grid, function, 0, ()).flatten(0, 3)

    def _by_kind(
        self,
        grid: Tensor,
        function: Callable[[Tensor, tuple[int, ...]], Tensor],
        axis: int,
        last: tuple[int, ...],
    ) -> Tensor:
        if axis == 3:
            return function(grid.flatten(0, 3), last).view(grid.shape)
        if not self.shift[axis]:
            return self._by_kind(grid, function, axis + 1, last)
        inner, outer = grid.split((grid.shape[axis + 1] - 1, 1), dim=axis + 1)
        return torch.cat(
            (
                self._by_kind(inner, function, axis + 1, last),
                self._by_kind(outer, function, axis + 1, (*last, axis)),
            ),
            dim=axis + 1,
        )


class FusedWindowAttention(WindowAttention3D):
    """MMAction2's window attention without its L x L scores in memory; parameters are the same.

    The fused kernels take position bias and mask of a window, added up, as one ``[heads, L, L]``
    for all windows of a kind. On the CPU they are no choice where that bias is trained or the
    attention has dropout: then few windows are computed at a time, and again in the backward pass.
    """

    def forward(self, x: Tensor, mask: ShiftedWindows | Tensor | None = None) -> Tensor:
        """Attend within windows: ``[N * windows, L, C]`` to the same shape.

        Args:
            x: Tokens of each window.
            mask: Geometry of shifted windows; None where nothing is shifted. A mask as MMAction2
                makes it, ``[windows, L, L]``, is taken too, and computed in MMAction2's way.
        """
        if isinstance(mask, Tensor):
            return super().forward(x, mask)
        length = x.shape[1]
        index = self.relative_position_index[:length, :length].flatten()
        # Contiguous, as the kernels read it row by row; not expanded, as that would be copied.
        bias = self.relative_position_bias_table[index].T.contiguous()
        bias = bias.unflatten(1, (length, length))
        if mask is None:
            out = self._attend(x, bias)
        else:
            out = mask.by_kind(x, lambda part, last: self._attend_kind(part, bias, mask, last))
        return self.proj_drop(out)

    def _attend_kind(
        self, x: Tensor, bias: Tensor, windows: ShiftedWindows, last: tuple[int, ...]
    ) -> Tensor:
        """Attend within windows of one kind."""
        if last:
            foreign = windows.foreign(last, x.device)
            bias = bias + torch.zeros_like(bias[0]).masked_fill(foreign, -100.0)
        return self._attend(x, bias)

    def _attend(self, x: Tensor, bias: Tensor) -> Tensor:
        """Projected attention within windows ``[n, L, C]``, with scores plus ``[heads, L, L]``."""
        qkv = self.qkv(x).unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        bias = bias.unsqueeze(0)
        dropout = self.attn_drop.p if self.attn_drop.training else 0.0
        if not bias.requires_grad and (x.is_cuda or not dropout):
            out = self._fused(*qkv.unbind(), bias, dropout)
        else:
            size = max(1, MAX_SCORES // prod(bias.shape))
            parts = zip(*(t.split(size) for t in qkv.unbind()), strict=True)
            out = torch.cat([self._part(*part, bias, dropout) for part in parts])
        return self.proj(out.transpose(1, 2).flatten(2))

    def _part(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor, dropout: float) -> Tensor:
        """Attention of a few windows, of which nothing but the input is kept."""
        if q.is_cuda or not torch.is_grad_enabled():
            return self._fused(q, k, v, bias, dropout)
        return checkpoint(self._fused, q, k, v, bias, dropout, use_reentrant=False)

    def _fused(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor, dropout: float) -> Tensor:
        """Attention of ``[n, heads, L, C / heads]`` to the same shape."""
        # Cast here, so that the gradients of parts are added up in the precision of the table.
        return F.scaled_dot_product_attention(
            q, k, v, attn_mask=bias.to(q.dtype), dropout_p=dropout, scale=self.scale
        )


def fuse_window_attention(backbone: nn.Module) -> None:
    """Switch every window attention of a backbone to fused kernels; nothing is renamed.

    Args:
        backbone: Changed in place.
    """
    for module in backbone.modules():
        if type(module) is WindowAttention3D:
            # Another class for the same object, so copies and state dicts keep working.
            module.__class__ = FusedWindowAttention
