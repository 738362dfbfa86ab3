"""Bins of action characteristics: which actions count as short, as rare or as filling their video.

The bins of DETAD (`Diagnosing Error in Temporal Action Detectors
<https://arxiv.org/abs/1807.10706>`_) for THUMOS14 and ActivityNet, and the scales of LTP.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isnan

import numpy as np

from .average_precision import FloatArray, IntArray

# Characteristic: its title and its unit in pictures and tables.
CHARACTERISTICS = {
    "coverage": ("Coverage", "of the video"),
    "length": ("Length", "s"),
    "num_instances": ("Instances", "per video"),
}
_NAMES = {
    1: ("all",),
    2: ("S", "L"),
    3: ("S", "M", "L"),
    4: ("XS", "S", "M", "L"),
    5: ("XS", "S", "M", "L", "XL"),
}


@dataclass(frozen=True)
class Bins:
    """Intervals of one characteristic, without a gap.

    Args:
        characteristic: ``"coverage"`` (length / duration of the video), ``"length"`` (seconds) or
            ``"num_instances"`` (annotated actions of the video, of all classes).
        edges: ``B + 1`` increasing numbers; the last may be infinity.
        names: ``B`` different names. Defaults to XS, S, M, L, XL, or numbers beyond five bins.
        closed: Which end of a bin belongs to it, ``"right"`` as in DETAD or ``"left"``; the two
            outermost edges always do.

    Raises:
        ValueError: If one of them is invalid.
    """

    characteristic: str
    edges: tuple[float, ...]
    names: tuple[str, ...] = ()
    closed: str = "right"

    def __post_init__(self) -> None:
        if self.characteristic not in CHARACTERISTICS:
            raise ValueError(
                f"there is no characteristic {self.characteristic!r}; choose one of "
                f"{', '.join(CHARACTERISTICS)}"
            )
        edges = tuple(float(edge) for edge in self.edges)
        steps = zip(edges, edges[1:], strict=False)
        if len(edges) < 2 or any(map(isnan, edges)) or any(a >= b for a, b in steps):
            raise ValueError(
                f"bins of {self.characteristic} need two or more increasing edges, "
                f"got {list(self.edges)}"
            )
        count = len(edges) - 1
        names = tuple(self.names) or _NAMES.get(count) or tuple(map(str, range(1, count + 1)))
        if len(names) != count or len(set(names)) != count:
            raise ValueError(
                f"the {count} bins of {self.characteristic} need as many different names, "
                f"got {list(self.names)}"
            )
        if self.closed not in ("left", "right"):
            raise ValueError(f"bins are closed to the 'left' or 'right', got {self.closed!r}")
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "names", names)

    @property
    def title(self) -> str:
        """Name of the characteristic for readers."""
        return CHARACTERISTICS[self.characteristic][0]

    @property
    def unit(self) -> str:
        """Unit of the edges."""
        return CHARACTERISTICS[self.characteristic][1]

    def assign(self, values: FloatArray) -> IntArray:
        """Find the bin of each value.

        Args:
            values: ``[M]``.

        Returns:
            ``[M]`` index of the bin.

        Raises:
            ValueError: If a value lies in no bin: an action that counts nowhere would make shares
                and averages say something else than they seem to.
        """
        index = np.searchsorted(self.edges, values, "left" if self.closed == "right" else "right")
        index = index - 1
        index[values == self.edges[0]] = 0
        index[values == self.edges[-1]] = len(self.names) - 1
        outside = np.flatnonzero((index < 0) | (index >= len(self.names)) | np.isnan(values))
        if outside.size:
            raise ValueError(
                f"{outside.size} of {len(values)} actions lie in no bin of {self.characteristic} "
                f"(one has {values[outside[0]]:.6g}, the bins reach from {self.edges[0]:g} to "
                f"{self.edges[-1]:g}); widen the outer edges, 'inf' is allowed"
            )
        return index

    def intervals(self) -> list[str]:
        """Bounds of the bins as in mathematics, such as ``(30, 60]``."""
        last = len(self.names) - 1
        texts = []
        for i, (low, high) in enumerate(zip(self.edges, self.edges[1:], strict=False)):
            opening = "[" if self.closed == "left" else "("
            closing = "]" if (self.closed == "right" or i == last) and high != inf else ")"
            texts.append(f"{opening}{low:g}, {'∞' if high == inf else f'{high:g}'}{closing}")
        return texts

    def ranges(self) -> list[str]:
        """Bounds of the bins in few characters, for the axis of a picture: ``30–60``, ``>180``."""
        whole = self.characteristic == "num_instances" and self.closed == "right"
        texts = []
        for low, high in zip(self.edges, self.edges[1:], strict=False):
            first = low + 1 if whole else low
            if high == inf:
                texts.append(f"{'>' if self.closed == 'right' else '≥'}{low:g}")
            elif whole and first == high:
                texts.append(f"{high:g}")
            else:
                texts.append(f"{first:g}–{high:g}")
        return texts


def _detad(coverage: tuple, length: tuple, instances: tuple) -> tuple[Bins, ...]:
    return (
        Bins("coverage", coverage),
        Bins("length", length),
        Bins("num_instances", instances),
    )


BIN_PRESETS: dict[str, tuple[Bins, ...]] = {
    # DETAD's.
    "activitynet": _detad(
        (0, 0.2, 0.4, 0.6, 0.8, 1), (0, 30, 60, 120, 180, inf), (0, 1, 4, 8, inf)
    ),
    "thumos14": _detad((0, 0.02, 0.04, 0.06, 0.08, 1), (0, 3, 6, 12, 18, inf), (0, 1, 40, 80, inf)),
    # The scales of LTP's pretext task.
    "ltp": (Bins("coverage", (0, 0.25, 0.5, 0.75, 1), ("XS", "S", "L", "XL"), "left"),),
}


def resolve_bins(choice: str | Bins | Sequence[str | Bins]) -> tuple[Bins, ...]:
    """Turn names, texts and bins into one set of bins per characteristic.

    Args:
        choice: One or several of: name of a preset, text ``characteristic=edge,edge,...`` such as
            ``"length=0,10,60,inf"``, or :class:`Bins`. What comes later replaces earlier bins of
            the same characteristic.

    Returns:
        The bins, one per characteristic.

    Raises:
        ValueError: If there are none, or one is not understood.
    """
    parts = [choice] if isinstance(choice, str | Bins) else list(choice)
    chosen: dict[str, Bins] = {}
    for part in parts:
        for bins in (part,) if isinstance(part, Bins) else _parse(part):
            chosen[bins.characteristic] = bins
    if not chosen:
        raise ValueError(f"choose bins: one of {', '.join(BIN_PRESETS)}, or length=0,10,60,inf")
    return tuple(chosen.values())


def _parse(text: str) -> tuple[Bins, ...]:
    if text in BIN_PRESETS:
        return BIN_PRESETS[text]
    name, _, edges = str(text).partition("=")
    if name in CHARACTERISTICS and edges:
        try:
            numbers = tuple(float(edge) for edge in edges.split(","))
        except ValueError as error:
            raise ValueError(
                f"the edges in {text!r} are not numbers; write them as in length=0,10,60,inf"
            ) from error
        return (Bins(name, numbers),)
    raise ValueError(
        f"bins {text!r} are not understood; choose {', '.join(BIN_PRESETS)}, or give edges of "
        f"{', '.join(CHARACTERISTICS)} as in length=0,10,60,inf"
    )
