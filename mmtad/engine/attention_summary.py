"""Diversity of attention per layer, over the windows of a run."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_reduce, is_distributed
from torch import Tensor

from mmtad.models.layers.attention_recorder import KINDS, RecordedMap
from mmtad.ops.attention_diversity import CENTRES, attention_diversity
from mmtad.ops.attention_guidance import restrict_map

HEADS = ("average", "each")


class AttentionSummary:
    """Mean and spread of d(A) over windows for every layer, and the maps of one window.

    Beside it the mean of d(A) / ||A||, which does not grow just because a map looks at few places.

    Rows and columns of padded steps do not count; the rows of what is left are scaled to a sum of
    1. Windows with fewer than two valid rows have no diversity and are left out.

    Args:
        centre: See :func:`mmtad.ops.attention_diversity.attention_diversity`.
        heads: ``"average"``: of the mean over heads, the map that Self-DETR's losses see;
            ``"each"``: the mean of the d(A) of all heads, which is larger.

    Raises:
        ValueError: If an option is unknown.
    """

    def __init__(self, centre: str = "median", heads: str = "average") -> None:
        if centre not in CENTRES:
            raise ValueError(f"centre is one of {', '.join(CENTRES)}, got {centre!r}")
        if heads not in HEADS:
            raise ValueError(f"heads is one of {', '.join(HEADS)}, got {heads!r}")
        self.centre, self.heads = centre, heads
        # Number of windows, sums of d(A), of its square and of d(A) / ||A||, by (kind, layer).
        self._sums: dict[tuple[str, int], Tensor] = {}
        self.examples: dict[str, list[np.ndarray]] = {}

    def add(self, maps: Iterable[RecordedMap]) -> None:
        """Take in the maps of a batch; the first window of all becomes the example.

        Args:
            maps: Of all layers.
        """
        first = not self._sums
        for one in maps:
            rows = one.mask if one.kind == "encoder" else None
            weights = one.weights if self.heads == "each" else one.weights.mean(1, keepdim=True)
            weights = restrict_map(weights, one.mask, rows)  # [B, H or 1, R, C]
            if rows is None:
                rows = weights.new_ones(len(weights), weights.shape[2], dtype=torch.bool)
            counted = rows.sum(1) > 1
            values, shares = (
                attention_diversity(weights, self.centre, rows[:, None], relative=relative).mean(1)
                for relative in (False, True)
            )
            values, shares = values[counted].double().cpu(), shares[counted].double().cpu()
            count = values.new_tensor(len(values))
            sums = torch.stack([count, values.sum(), values.square().sum(), shares.sum()])
            key = (one.kind, one.layer)
            self._sums[key] = self._sums.get(key, 0) + sums
            if first:
                self._keep_example(one, rows[0])

    def _keep_example(self, one: RecordedMap, rows: Tensor) -> None:
        example = one.weights[0].float().mean(0)[rows]
        if one.mask is not None:
            example = example[:, one.mask[0]]
        self.examples.setdefault(one.kind, []).append(example.cpu().numpy())

    def reduce(self) -> None:
        """Add up the windows of all processes."""
        if is_distributed():
            for key in sorted(self._sums):
                all_reduce(self._sums[key])

    @property
    def num_windows(self) -> int:
        """Windows that were taken in."""
        return int(max((sums[0] for sums in self._sums.values()), default=0))

    def means(self) -> dict[str, list[float]]:
        """Mean d(A) per layer by kind, NaN without a window; kinds without a layer are absent."""
        return self._per_layer(lambda n, total, *_: total / n)

    def relative_means(self) -> dict[str, list[float]]:
        """Mean d(A) / ||A||, as :meth:`means`."""
        return self._per_layer(lambda n, *others: others[-1] / n)

    def deviations(self) -> dict[str, list[float]]:
        """Standard deviation of d(A) over windows, as :meth:`means`."""
        return self._per_layer(lambda n, t, s, _: (s / n - (t / n).square()).clamp(min=0).sqrt())

    def numbers(self) -> dict[str, Any]:
        """What is written to files: all of the above, by name."""
        return dict(
            num_windows=self.num_windows,
            diversity=self.means(),
            deviation=self.deviations(),
            relative=self.relative_means(),
        )

    def _per_layer(self, measure) -> dict[str, list[float]]:
        return {
            kind: [float(measure(*self._sums[key])) for key in sorted(self._sums) if key[0] == kind]
            for kind in KINDS
            if any(key[0] == kind for key in self._sums)
        }
