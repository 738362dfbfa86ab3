"""Adapters beside a frozen backbone: the light placement of AdaTAD."""

from collections.abc import Iterator
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mmtad.registry import MODELS

from ..adapters.plain import PlainAdapter
from .adapted_block import AdaptedBlock
from .clip_groups import join_groups
from .pooling import join_streams, spatial_mean
from .precision import half_autocast
from .recompute import Autocast, offloaded
from .video_encoder import Prepare, VideoEncoder


@MODELS.register_module()
class SideVideoEncoder(VideoEncoder):
    """Video encoder with adapters beside the backbone, `AdaTAD <https://arxiv.org/abs/2311.17241>`_.

    AdaTAD-dagger of the paper, section 3.4: ``y = x_N + sum_i adapter_i(x_i)``, where ``x_i`` is
    the detached output of block i and the adapters have no residual. No gradient enters the
    backbone, and drop-path is off. By default the last half of the blocks is tapped, as in the
    public code.

    Where the width or the grid of the blocks changes (SlowFast, VideoSwin, ResNet), the paper says
    nothing. Here an adapter projects to the width of the last block, and its result is averaged
    over space and resized to the last block's time steps.

    All that a temporal adapter does after its GELU is linear and alike at every position, so the
    mean over space is taken there already; only that part is computed on maps. (With a kernel over
    space it is not, and maps are kept: ``checkpointing``, ``offload`` and ``clips_per_group`` have
    no effect then.) With
    ``checkpointing`` the tapped blocks run once more in the backward pass, instead of their outputs
    being kept. See docs/memory.md.

    Args:
        backbone: See ``VideoEncoder``, as for all that is not said here.
        adapter: Config of the adapters, without ``embed_dims``, ``out_dims`` and ``residual``.
        adapter_indices: Tapped blocks, with the last one among them. Defaults to the last half.
        checkpointing: Recompute the tapped blocks in the backward pass. Defaults to False.
        offload: Keep what is kept for the backward pass in the CPU's memory.
        kwargs: See ``VideoEncoder``.

    Raises:
        ValueError: If the last block is not among the taps, the backbone is to be fine-tuned or the
            adapter is one that works inside a block.
    """

    drops_paths = False

    def _check(self, representation: str) -> None:
        super()._check(representation)
        if not self.frozen:
            raise ValueError(
                "side placement keeps gradients out of the backbone: use frozen=True, or "
                "VideoEncoder to fine-tune it"
            )
        if self.checkpoint_every != 1:
            raise ValueError("side placement has no checkpoint_every; use checkpointing=True alone")

    def _check_checkpointing(self) -> None:
        """Offload needs no checkpointing here."""

    def _default_indices(self, count: int) -> list[int]:
        return list(range(count // 2, count))

    def _adapter_arguments(self, index: int) -> dict:
        widths = self.taps.widths
        return dict(embed_dims=widths[index], out_dims=widths[-1], residual=False)

    def _adapt(self, index: int, adapter: dict | None) -> nn.Module | None:
        last = len(self.taps.blocks) - 1
        if adapter is not None and last not in self.adapted:
            raise ValueError(
                f"side placement adds to the output of the last block: adapter_indices="
                f"{self.adapted} must hold {last}"
            )
        if adapter is not None and index in self.adapted:
            kind = MODELS.get(adapter["type"]) if isinstance(adapter["type"], str) else None
            if kind is not None and not issubclass(kind, PlainAdapter):
                raise ValueError(
                    f"{adapter['type']} does not work beside a backbone; side placement takes TIA, "
                    "PlainAdapter or a class derived from them"
                )
        return super()._adapt(index, adapter)

    def forward(
        self, frames: Tensor, length: int | None = None, prepare: Prepare | None = None
    ) -> Tensor:
        """Encode videos; see ``VideoEncoder.forward``."""
        if not all(getattr(adapter, "spatial", 1) == 1 for adapter in self.adapters):
            # The mean does not commute: maps are kept whole.
            return super().forward(frames, length, prepare)
        clips = self.cut(frames)
        layout = self.layout(clips)
        with half_autocast(self.frozen_dtype, frames.device):
            count = len(self.taps.stream_channels)
            keep = offloaded(frames.device) if self.offload else nullcontext()
            parameters = [p for a in self.adapters for p in a.down_proj.parameters()]
            with keep:
                training = torch.is_grad_enabled()
                found = _PooledTaps.apply(self, clips, prepare, layout, training, *parameters)
            streams, squeezed = list(found[:count]), found[count:]
            for adapter, hidden in zip(self.adapters, squeezed, strict=True):
                joined = layout.join(hidden[:, :, None, None])
                update = adapter.project(adapter.mix(joined)).reshape(*hidden.shape[:2], -1)
                update = update.transpose(1, 2).to(streams[0].dtype)
                streams[0] = streams[0] + _resize(update, streams[0].shape[-1])
        return join_streams(streams, len(frames), length, self.snippet_stride is not None)

    def feature_maps(self, frames: Tensor, prepare: Prepare | None = None) -> tuple[Tensor, ...]:
        """Feature maps by the definition, with the graph of every adapter kept.

        Where grids differ, a tap's map is averaged down to the last block's grid.
        """
        clips = self.cut(frames)
        with half_autocast(self.frozen_dtype, frames.device):
            with torch.no_grad():
                x, aside, layout = self._begin(clips, prepare)
                tapped = []
                for adapter, out in self.run_blocks(x, aside):
                    x = out
                    if adapter is not None:
                        tapped.append(x)
                first, *others = self.taps.finish(x, aside)
            for adapter, x in zip(self.adapters, tapped, strict=True):
                tokens = self.taps.to_grid(x if self.stream_dtype is None else x.float())
                update = adapter(layout.join(tokens)).reshape(*tokens.shape[:-1], -1)
                update = update.permute(0, 4, 1, 2, 3)
                first = first + F.adaptive_avg_pool3d(update, first.shape[-3:])
        return first, *others

    def adapted_blocks(self) -> list[AdaptedBlock]:
        """The blocks alone: here adapters only read what runs through."""
        return [AdaptedBlock(self.taps, i, None, self.stream_dtype) for i in range(len(self.after))]

    def run_blocks(
        self, x: Tensor, aside: tuple[Tensor, ...], start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[nn.Module | None, Tensor]]:
        """Run blocks from ``start`` to ``stop``; yields adapter (or None) and output of each."""
        for block in self.adapted_blocks()[start:stop]:
            x = block(x, block.aside_of(aside))
            yield self.after[block.index], x


class _PooledTaps(torch.autograd.Function):
    """Streams of the frozen backbone, and of every tap the spatial mean of its hidden layer."""

    @staticmethod
    def forward(ctx, encoder, clips, prepare, layout, training, *parameters):
        groups = layout.groups(encoder.clips_per_group)
        start = encoder.adapted[0] if encoder.adapted else len(encoder.after)
        ctx.encoder, ctx.groups, ctx.start = encoder, groups, start
        ctx.autocast = Autocast(clips.views.device)
        ctx.kept = []  # per group: number of tensors kept
        kept, streams, hidden = [], [], []
        with ctx.autocast():
            for group in groups:
                x, aside = encoder._embed(clips[group], prepare)
                for _, out in encoder.run_blocks(x, aside, stop=start):
                    x = out
                mine = [x, *aside] if encoder.checkpointing else []
                squeezed = []
                for adapter, out in encoder.run_blocks(x, aside, start):
                    if adapter is not None:
                        squeezed.append(_squeeze(encoder, adapter, out))
                        mine += [] if encoder.checkpointing else [out]
                    x = out
                streams.append([spatial_mean(m) for m in encoder.taps.finish(x, aside)])
                hidden.append(squeezed)
                if training:
                    kept += mine
                    ctx.kept.append(len(mine))
        ctx.save_for_backward(*kept)
        joined = [join_groups(list(parts)) for parts in zip(*streams, strict=True)]
        ctx.mark_non_differentiable(*joined)
        return (*joined, *(join_groups(list(parts)) for parts in zip(*hidden, strict=True)))

    @staticmethod
    @once_differentiable
    def backward(ctx, *grads):
        encoder, saved = ctx.encoder, list(ctx.saved_tensors)
        of_taps = grads[len(grads) - len(encoder.adapters) :]
        totals = [[torch.zeros_like(p) for p in a.down_proj.parameters()] for a in encoder.adapters]
        with ctx.autocast():
            for group, count in zip(ctx.groups, ctx.kept, strict=True):
                mine, saved = saved[:count], saved[count:]
                for tap, (adapter, x) in enumerate(_taps_again(encoder, mine, ctx.start)):
                    with torch.enable_grad():
                        pooled = _squeeze(encoder, adapter, x)
                    parameters = list(adapter.down_proj.parameters())
                    found = torch.autograd.grad(pooled, parameters, of_taps[tap][group])
                    for total, gradient in zip(totals[tap], found, strict=True):
                        total.add_(gradient)
        return (None, None, None, None, None, *(g for total in totals for g in total))


def _taps_again(encoder: SideVideoEncoder, kept: list[Tensor], start: int):
    """Adapters and the outputs of their blocks, kept or computed once more."""
    if not encoder.checkpointing:
        yield from zip(encoder.adapters, kept, strict=True)
        return
    for adapter, out in encoder.run_blocks(kept[0], tuple(kept[1:]), start):
        if adapter is not None:
            yield adapter, out


def _squeeze(encoder: SideVideoEncoder, adapter: nn.Module, x: Tensor) -> Tensor:
    """Spatial mean of an adapter's hidden layer, ``[n, T', h]``."""
    x = x if encoder.stream_dtype is None else x.float()
    hidden = adapter.squeeze(encoder.taps.to_grid(x))
    return hidden.mean(dim=(2, 3), dtype=torch.promote_types(hidden.dtype, torch.float32))


def _resize(x: Tensor, length: int) -> Tensor:
    """``[n, D, T]`` to ``[n, D, length]``."""
    return x if x.shape[-1] == length else F.adaptive_avg_pool1d(x, length)
