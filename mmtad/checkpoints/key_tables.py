"""Renaming the weights of other projects: the registry of key tables."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

Converter = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]

_SOURCES: dict[str, Converter] = {}


@dataclass(frozen=True)
class KeyTable:
    """A converter that only renames keys; calling it renames a state dict.

    Every key goes through all rules in order, each a regular expression and its replacement as in
    ``re.sub``. Keys that no rule meets keep their names and so show up in the load report.

    Attributes:
        rules: (pattern, replacement) pairs.
    """

    rules: Sequence[tuple[str, str]]

    def __call__(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename; two keys that become one are a ValueError."""
        renamed: dict[str, Tensor] = {}
        origin: dict[str, str] = {}
        for key, value in state_dict.items():
            new = key
            for pattern, replacement in self.rules:
                new = re.sub(pattern, replacement, new)
            if new in renamed:
                raise ValueError(
                    f"keys {origin[new]} and {key} both become {new}; the file is not of the "
                    "project that this key table is for"
                )
            renamed[new], origin[new] = value, key
        return renamed


def register_source(name: str, converter: Converter | None = None) -> Callable:
    """Make a converter known to ``convert``; with one argument, a decorator.

    Args:
        name: Name of the foreign project (and model).
        converter: ``KeyTable`` or function from state dict to state dict.

    Raises:
        ValueError: If the name is taken.
    """
    if converter is None:
        return lambda function: register_source(name, function)
    if name in _SOURCES:
        raise ValueError(f"a key table named {name!r} exists already")
    _SOURCES[name] = converter
    return converter


def known_sources() -> list[str]:
    """Names that ``convert`` accepts."""
    return sorted(_SOURCES)


def convert(state_dict: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Rename (and where needed reshape) the weights of another project to ours.

    Args:
        state_dict: Weights as that project stores them.
        source: Name of the key table, one of ``known_sources()``.

    Returns:
        Weights under our names. Entries without a counterpart keep their names.

    Raises:
        ValueError: If the source is unknown.
    """
    if source not in _SOURCES:
        raise ValueError(f"unknown source {source!r}; known are {', '.join(known_sources())}")
    return _SOURCES[source](state_dict)
