"""What a load report says about the architecture, in words."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

Shapes = list[tuple[str, tuple[int, ...], tuple[int, ...]]]

_LEAVES = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}


def part_of(key: str) -> str:
    """The part of a model that an entry belongs to: ``patch_embed.projection``, ``blocks.3``."""
    numbered = re.match(r".*?\.\d+(?=\.)", key)
    if numbered:
        return numbered[0]
    parent, _, leaf = key.rpartition(".")
    return parent if parent and leaf in _LEAVES else key


def diagnose(ours: Iterable[str], theirs: Iterable[str], wrong_shape: Shapes) -> list[str]:
    """Name the differences of architecture that explain why entries do not fit.

    Args:
        ours: Entries of the model.
        theirs: Entries of the file.
        wrong_shape: (key, shape in the file, shape in the model).

    Returns:
        Half sentences, the most likely cause first.
    """
    return [*_widths(wrong_shape), *depth_differences(ours, theirs)]


def _widths(wrong_shape: Shapes) -> Iterator[str]:
    """Causes of wrong shapes; a wrong width explains all others."""
    for key, file, model in wrong_shape:
        if re.search(r"(^|\.)norm\d?\.weight$", key) and len(file) == len(model) == 1:
            yield f"the file is {file[0]} channels wide and the model {model[0]} (embed_dims)"
            return
    seen = set()
    for key, file, model in wrong_shape:
        cause = _cause(key, file, model)
        if cause and cause[0] not in seen:
            seen.add(cause[0])
            yield cause[1]


def _cause(key: str, file: tuple[int, ...], model: tuple[int, ...]) -> tuple[str, str] | None:
    """(Kind, half sentence) for one entry."""
    if "patch_embed" in key and len(file) == len(model) > 2 and file[2:] != model[2:]:
        theirs, ours = ("x".join(map(str, shape[2:])) for shape in (file, model))
        return (
            "patch",
            f"its patches are {theirs} and the model's {ours} (tubelet_size, patch_size)",
        )
    if key.endswith("pos_embed") and len(file) == len(model) == 3:
        return "position", (
            f"its position table has {file[1]} tokens and the model's {model[1]}: give the "
            "backbone the img_size and num_frames of its pre-training, whatever your frames are"
        )
    if key.endswith("relative_position_bias_table"):
        return "window", "its attention windows have another size (window_size)"
    if ".mlp." in key and len(file) == len(model) == 2:
        return "mlp", (
            f"its hidden layers are {max(file)} wide and the model's {max(model)} (mlp_ratio)"
        )
    return None


def depth_differences(ours: Iterable[str], theirs: Iterable[str]) -> list[str]:
    """Causes of missing and unexpected blocks."""
    file, model = _count_blocks(theirs), _count_blocks(ours)
    return [
        f"the file has {file[stem]} {stem} and the model {model[stem]} (depth)"
        for stem in model
        if stem in file and file[stem] != model[stem]
    ]


def missing_families(missing: Iterable[str], filled: Iterable[str]) -> list[str]:
    """Names that every block of the model has and no block of the file, as ``blocks.*.bias``."""
    counts = Counter(map(_family, missing))
    known = set(map(_family, filled))
    return sorted(name for name, n in counts.items() if name and n > 1 and name not in known)


def _family(key: str) -> str:
    """The name of an entry without the number of its block; empty outside blocks."""
    family, blocks = re.subn(r"(^|\.)blocks\.\d+\.", r"\1blocks.*.", key)
    return family if blocks else ""


def _count_blocks(keys: Iterable[str]) -> dict[str, int]:
    """Blocks by the name of the list that holds them, e.g. ``{"blocks": 12}``."""
    counts: dict[str, int] = {}
    for key in keys:
        for match in re.finditer(r"(?:^|(?<=\.))(blocks)\.(\d+)\.", key):
            stem = key[: match.end(1)]
            counts[stem] = max(counts.get(stem, 0), int(match[2]) + 1)
    return counts
