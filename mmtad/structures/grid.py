"""The only place where seconds and feature-grid indices are turned into each other."""

import math
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class TemporalGrid:
    """Where the steps of a feature sequence lie in a video: ``seconds = origin + index * step``.

    The sampling transform makes it, the sample's metainfo carries it, post-processing uses it.
    Models see grid units only.

    Args:
        origin: Time of step 0 in seconds.
        step: Seconds between neighbouring steps.
        length: Number of steps, padding included.
        duration: Length of the whole video in seconds.

    Raises:
        ValueError: If a value is not finite, ``step`` is not positive or ``length`` or ``duration``
            is negative.
    """

    origin: float
    step: float
    length: int
    duration: float

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.origin, self.step, self.duration))):
            raise ValueError(
                "origin, step and duration of a grid must be finite, got "
                f"{self.origin}, {self.step} and {self.duration}"
            )
        if self.step <= 0:
            raise ValueError(f"the step of a grid must be positive, got {self.step}")
        if self.length < 0 or self.duration < 0:
            raise ValueError(
                f"a grid needs a length and a duration >= 0, got {self.length} and {self.duration}"
            )

    @property
    def extent(self) -> tuple[float, float]:
        """Start and end in seconds of what the grid covers of its video."""
        ends = (self.origin + index * self.step for index in (0, self.length))
        start, end = (min(max(seconds, 0.0), self.duration) for seconds in ends)
        return start, end

    def to_seconds(self, segments: Tensor, clamp: bool = True) -> Tensor:
        """Turn grid units into seconds.

        Args:
            segments: ``[..., 2]`` in steps; any trailing shape works.
            clamp: Limit the result to [0, duration].

        Returns:
            The same shape, in seconds.
        """
        seconds = segments * self.step + self.origin
        return seconds.clamp(min=0, max=self.duration) if clamp else seconds

    def to_grid(self, segments: Tensor) -> Tensor:
        """Turn seconds into grid units.

        Args:
            segments: ``[..., 2]`` in seconds; any trailing shape works.

        Returns:
            The same shape, in steps, not clamped.
        """
        return (segments - self.origin) / self.step
