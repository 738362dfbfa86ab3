"""Loading weights with an account of what fitted."""

import logging
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mmengine.logging import print_log
from torch import Tensor, nn

from .diagnosis import depth_differences, diagnose, missing_families, part_of

REMEDY = (
    "use a checkpoint of this architecture, name the key table of its project, or lower min_match"
)


@dataclass(frozen=True)
class LoadReport:
    """What came of loading a state dict into a model.

    Attributes:
        matched: Entries of the model that the file filled.
        missing: Entries of the model that the file lacks.
        unexpected: Entries of the file that the model lacks.
        wrong_shape: (key, shape in the file, shape in the model).
        ignored: Entries of the model that the file lacks and need not have.
        source: File or project, for messages.
        learned: Entries of the model that are parameters.
    """

    matched: list[str]
    missing: list[str]
    unexpected: list[str]
    wrong_shape: list[tuple[str, tuple[int, ...], tuple[int, ...]]]
    ignored: list[str] = field(default_factory=list)
    source: str = ""
    learned: frozenset[str] = frozenset()

    @property
    def expected(self) -> int:
        """Number of entries that the file should have filled."""
        return len(self.matched) + len(self.missing) + len(self.wrong_shape)

    @property
    def ratio(self) -> float:
        """Share of the expected entries that were filled, 0 to 1; 0 where nothing is expected."""
        return len(self.matched) / self.expected if self.expected else 0.0

    @property
    def empty_parts(self) -> list[str]:
        """Parts of the model, such as ``patch_embed`` or ``blocks.3``, of which nothing fitted."""
        filled = {part_of(key) for key in self.matched}
        lacking = [*self.missing, *(key for key, _, _ in self.wrong_shape)]
        return sorted({part_of(key) for key in lacking} - filled)

    @property
    def causes(self) -> list[str]:
        """Differences of architecture that explain what did not fit, in words."""
        return diagnose(*self._both(), self.wrong_shape)

    @property
    def depths(self) -> list[str]:
        """Those of the causes that are another number of blocks."""
        return depth_differences(*self._both())

    @property
    def missing_families(self) -> list[str]:
        """Parameters that all blocks of the model have and none of the file: ``blocks.*.bias``."""
        filled = [*self.matched, *(key for key, _, _ in self.wrong_shape)]
        return missing_families([key for key in self.missing if key in self.learned], filled)

    def _both(self) -> tuple[list[str], list[str]]:
        """Entries that the file should have, and those that it has."""
        shaped = [*self.matched, *(key for key, _, _ in self.wrong_shape)]
        return [*shaped, *self.missing], [*shaped, *self.unexpected]

    def __str__(self) -> str:
        shapes = [f"{key}: file {a}, model {b}" for key, a, b in self.wrong_shape]
        parts = [
            f"matched {len(self.matched)}/{self.expected}",
            _counted("missing", self.missing),
            _counted("unexpected", self.unexpected),
            _counted("wrong shape", shapes),
        ]
        if self.ignored:
            parts.append(_counted("not needed from the file", self.ignored))
        why = "".join(f"; {cause}" for cause in self.causes)
        return f"Weights from {self.source or 'a state dict'}: {', '.join(parts)}{why}"


def _counted(what: str, names: Sequence[str], shown: int = 3) -> str:
    """``missing 5 (a, b, c, ...)``."""
    return f"{what} {len(names)} ({listed(names, shown)})" if names else f"{what} 0"


def listed(names: Sequence[str], shown: int = 3) -> str:
    """``a, b, c, ...``."""
    return ", ".join(names[:shown]) + (", ..." if len(names) > shown else "")


def load_report(
    model: nn.Module,
    state_dict: Mapping[str, Tensor],
    min_match: float = 1.0,
    source: str = "",
    ignore_missing: Iterable[str] = (),
    strict: bool = False,
) -> LoadReport:
    r"""Load the entries that fit, log one line about them, and refuse a file that does not fit.

    Args:
        model: Receives the weights.
        state_dict: Weights under the model's names.
        min_match: Smallest share of the model's entries that must be filled, 0 to 1. Nothing is
            loaded below it.
        source: File or project, for messages.
        ignore_missing: Regular expressions, searched in the model's keys. Entries that match need
            not be in the file, e.g. ``r"(^|\.)adapter\."`` for weights of a bare backbone.
        strict: Refuse wrong shapes and parts of the model of which nothing was loaded as well, a
            single patch embedding among hundreds of entries that fit, say.

    Returns:
        The account of what was loaded.

    Raises:
        ValueError: If fewer entries match than ``min_match`` asks for, ``strict`` refuses, or an
            entry is not finite.
    """
    report = compare(model, state_dict, source, ignore_missing)
    check_report(report, type(model).__name__, min_match, strict)
    fill(model, state_dict, report)
    return report


def fill(model: nn.Module, state_dict: Mapping[str, Tensor], report: LoadReport) -> None:
    """Load what the report says to match, and log the report."""
    check_finite({key: state_dict[key] for key in report.matched}, report.source)
    model.load_state_dict({key: state_dict[key] for key in report.matched}, strict=False)
    log_report(report)


def check_finite(state_dict: Mapping[str, Tensor], source: str = "") -> None:
    """Raise a ValueError if an entry holds NaN or infinity."""
    for key, value in state_dict.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise ValueError(
                f"{key} of {source or 'the state dict'} holds numbers that are not finite: its "
                "training diverged or the file is damaged; use another checkpoint"
            )


def check_report(
    report: LoadReport,
    model_name: str,
    min_match: float = 1.0,
    strict: bool = False,
    remedy: str = REMEDY,
) -> None:
    """Raise the errors of ``load_report``; ``remedy`` ends the one about ``min_match``."""
    if report.ratio < min_match:
        raise ValueError(
            f"{report}; that is {_percent(report.ratio)} of {model_name}, and at least "
            f"{_percent(min_match)} must match: {remedy}"
        )
    if strict:
        check_depth(report, model_name)
    if strict and (report.wrong_shape or report.empty_parts):
        random = report.empty_parts or [key for key, _, _ in report.wrong_shape]
        raise ValueError(
            f"{report}; {model_name} would keep random weights in {listed(random)}: use a "
            "checkpoint of this architecture, or set strict=False if you mean it"
        )
    if strict and report.missing_families:
        raise ValueError(
            f"{report}; no block of the file has {listed(report.missing_families)}, so "
            f"{model_name} would keep random weights there: use a checkpoint of this "
            "architecture, or set strict=False if you mean it"
        )


def check_depth(report: LoadReport, model_name: str) -> None:
    """Raise a ValueError if file and model have different numbers of blocks."""
    if report.depths:
        raise ValueError(
            f"{report}: use a checkpoint of this architecture, or give {model_name} the depth of "
            "the file"
        )


def _percent(share: float) -> str:
    """Never rounded up to a whole: 1499 of 1500 are 99.93%."""
    return f"{math.floor(share * 1e4) / 100:g}%"


def log_report(report: LoadReport) -> None:
    """Log a report, and in a line of its own which learned entries stay at random values."""
    unfilled = [*report.missing, *(key for key, _, _ in report.wrong_shape)]
    level = logging.WARNING if unfilled or report.causes else logging.INFO
    print_log(str(report), "current", level)
    random = sorted(set(unfilled) & report.learned)
    if random:
        print_log(
            f"NOT LOADED, {len(random)} parameters keep their random start: {listed(random, 8)}",
            "current",
            logging.WARNING,
        )


def compare(
    model: nn.Module,
    state_dict: Mapping[str, Tensor],
    source: str = "",
    ignore_missing: Iterable[str] = (),
) -> LoadReport:
    """Say what ``load_report`` would load, and load nothing."""
    own = {key: value for key, value in model.state_dict().items() if isinstance(value, Tensor)}
    patterns = [re.compile(pattern) for pattern in ignore_missing]
    matched, wrong_shape = [], []
    for key in own.keys() & state_dict.keys():
        ours, theirs = tuple(own[key].shape), tuple(state_dict[key].shape)
        if ours == theirs:
            matched.append(key)
        else:
            wrong_shape.append((key, theirs, ours))
    absent = [key for key in own if key not in state_dict]
    ignored = [key for key in absent if any(pattern.search(key) for pattern in patterns)]
    return LoadReport(
        matched=sorted(matched),
        missing=sorted(set(absent) - set(ignored)),
        unexpected=sorted(state_dict.keys() - own.keys()),
        wrong_shape=sorted(wrong_shape),
        ignored=sorted(ignored),
        source=source,
        learned=frozenset(name for name, _ in model.named_parameters()),
    )


def align_keys(state_dict: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Take off the prefix under which a file keeps this model: ``module.``, ``backbone.`` or both.

    The prefix is found by comparing key endings, and taken only if more of the model's keys are
    met with it than without. Keys without the prefix keep their names, so that they show up as
    unexpected.

    Args:
        state_dict: Weights of a larger or wrapped model.
        model: The model to be loaded.

    Returns:
        The same tensors, renamed.
    """
    own = list(model.state_dict())
    sample = own[:: max(1, len(own) // 20)]
    prefixes = {
        key[: -len(name)] for name in sample for key in state_dict if key.endswith(f".{name}")
    }
    best = max(
        ["", *sorted(prefixes)],
        key=lambda prefix: sum(f"{prefix}{name}" in state_dict for name in own),
    )
    if not best:
        return dict(state_dict)
    print_log(f"Weights are taken from under the prefix {best!r}", "current")
    inside = {k[len(best) :]: v for k, v in state_dict.items() if k.startswith(best)}
    outside = {k: v for k, v in state_dict.items() if not k.startswith(best)}
    return {**outside, **inside}
