"""Checks of arguments that configs give."""

import math
from collections.abc import Sequence
from typing import Any

CROP_RATIO = "None or a range (low, high) above 0 and up to 1"  # what :func:`is_range` asks for


def is_number(
    value: Any,
    least: float = -math.inf,
    most: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> bool:
    """Whether an argument is a finite number within its bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return least <= value <= most and above < value < below


def is_range(ratio: Any) -> bool:
    """Whether an argument is None or (low, high) with shares above 0 and up to 1."""
    if ratio is None:
        return True
    pair = isinstance(ratio, Sequence) and len(ratio) == 2 and all(map(is_number, ratio))
    return pair and 0 < ratio[0] <= ratio[1] <= 1
