"""Colour jitter of a clip."""

from typing import Any

from ...registry import TRANSFORMS
from . import photometry
from .base import Transform
from .clip import Clip


@TRANSFORMS.register_module()
class ColorJitter(Transform):
    """Change brightness, contrast, saturation and hue in random order, the same for all frames.

    All of it becomes one matrix on the colours. The defaults are those of MMAction2's
    ``ColorJitter``.

    Args:
        brightness: Factor drawn from [1 - brightness, 1 + brightness].
        contrast: Factor drawn from [1 - contrast, 1 + contrast].
        saturation: Factor drawn from [1 - saturation, 1 + saturation].
        hue: Turn of the colour circle drawn from [-hue, hue], at most 0.5.
        prob: Probability of each of the four changes.

    Raises:
        ValueError: If a strength or the probability is out of range.
    """

    def __init__(
        self,
        brightness: float = 0.5,
        contrast: float = 0.5,
        saturation: float = 0.5,
        hue: float = 0.1,
        prob: float = 1.0,
    ):
        limits = dict(brightness=1, contrast=1, saturation=1, hue=0.5, prob=1)
        values = dict(
            brightness=brightness, contrast=contrast, saturation=saturation, hue=hue, prob=prob
        )
        for name, value in values.items():
            if not 0 <= value <= limits[name]:
                raise ValueError(
                    f"{name} of ColorJitter must lie in [0, {limits[name]}], got {value}"
                )
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue
        self.prob = prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``frames``."""
        clip = results["frames"] = Clip.of(results["frames"])
        rng = results["rng"]
        strengths = (self.brightness, self.contrast, self.saturation, self.hue)
        draws = rng.uniform(-1, 1, size=4) * strengths
        ops = (
            photometry.brightness(1 + draws[0]),
            photometry.contrast(1 + draws[1]),
            photometry.saturation(1 + draws[2]),
            photometry.hue(draws[3]),
        )
        chosen = rng.random(4) < self.prob
        for position in rng.permutation(4):
            if chosen[position] and strengths[position] > 0:
                clip.color(ops[position])
        return results
