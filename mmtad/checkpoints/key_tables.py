"""Renaming the weights of other projects: the registry of key tables."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

Converter = Callable[..., dict[str, Tensor]]

_SOURCES: dict[str, "Source"] = {}


@dataclass(frozen=True)
class Source:
    r"""A foreign project (and model): how its weights are renamed and how its files are told apart.

    All patterns are regular expressions, searched in entry names.

    Attributes:
        converter: ``KeyTable`` or function from state dict to state dict.
        about: One line for people.
        signature: Patterns of the foreign names; a file of this source meets every one of them.
            None means that nothing tells its files apart.
        optional: Entries of our models that not all of its files hold and that a feature map does
            not depend on.
        computed: Entries of our models that its files do not hold because a formula gives them;
            where our model learns such an entry, the file does have to hold it.
        options: Keyword arguments that the converter takes beside the weights.
        detector: Its files hold a whole detector, at least as a rule.
    """

    converter: Converter
    about: str = ""
    signature: Sequence[str] = ()
    optional: Sequence[str] = ()
    computed: Sequence[str] = ()
    options: Sequence[str] = ()
    detector: bool = False

    def met_by(self, keys: Iterable[str]) -> bool:
        """Whether these entries may be of a file of this source."""
        keys = list(keys)
        return all(any(re.search(pattern, key) for key in keys) for pattern in self.signature)

    def need_not_have(self, model: nn.Module) -> list[str]:
        """Patterns of the model's entries that a file of this source need not hold."""
        learned = {name for name, _ in model.named_parameters()}
        fixed = [name for name in model.state_dict() if name not in learned]
        given = [n for n in fixed if any(re.search(pattern, n) for pattern in self.computed)]
        return [*self.optional, *(f"^{re.escape(name)}$" for name in given)]


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


def register_source(name: str, converter: Converter | None = None, **details) -> Callable:
    """Make a converter known to ``convert``; without one, a decorator.

    Args:
        name: Name of the foreign project (and model).
        converter: ``KeyTable`` or function from state dict to state dict.
        details: The other attributes of ``Source``.

    Raises:
        ValueError: If the name is taken.
    """
    if converter is None:
        return lambda function: register_source(name, function, **details)
    if name in _SOURCES:
        raise ValueError(f"a key table named {name!r} exists already")
    _SOURCES[name] = Source(converter, **details)
    return converter


def known_sources() -> list[str]:
    """Names that ``convert`` accepts."""
    return sorted(_SOURCES)


def get_source(name: str) -> Source:
    """Look a source up.

    Raises:
        ValueError: If there is none of this name.
    """
    if name not in _SOURCES:
        raise ValueError(f"unknown source {name!r}; known are {', '.join(known_sources())}")
    return _SOURCES[name]


def recognise(keys: Iterable[str]) -> list[str]:
    """Sources whose names these entries have; several where projects share their names."""
    keys = list(keys)
    return [
        name for name in known_sources() if _SOURCES[name].signature and _SOURCES[name].met_by(keys)
    ]


def check_source(state_dict: Mapping[str, Tensor], source: str, path: str) -> None:
    """Refuse a file that is not of the source that it is said to be.

    Args:
        state_dict: Weights under their foreign names.
        source: Name of the key table.
        path: Named in the error.

    Raises:
        ValueError: If the source is unknown or the file does not have its names.
    """
    if get_source(source).met_by(state_dict):
        return
    likely = recognise(state_dict)
    remedy = f"it looks like {' or '.join(likely)}" if likely else "no other source has such names"
    raise ValueError(
        f"{path} is not of source {source!r}: its entries read {', '.join(list(state_dict)[:3])}; "
        f"{remedy}"
    )


def convert(state_dict: Mapping[str, Tensor], source: str, **options) -> dict[str, Tensor]:
    """Rename (and where needed reshape) the weights of another project to ours.

    Args:
        state_dict: Weights as that project stores them.
        source: Name of the key table, one of ``known_sources()``.
        options: What the converter takes beside the weights; None values are left out.

    Returns:
        Weights under our names. Entries without a counterpart keep their names.

    Raises:
        ValueError: If the source is unknown or does not take such an option.
    """
    table = get_source(source)
    options = {name: value for name, value in options.items() if value is not None}
    for name in options:
        if name not in table.options:
            takers = [key for key in known_sources() if name in _SOURCES[key].options]
            raise ValueError(f"source {source!r} takes no {name}; only {', '.join(takers)} does")
    return table.converter(state_dict, **options)
