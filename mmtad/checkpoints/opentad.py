"""Key tables of `OpenTAD <https://github.com/sming256/OpenTAD>`_: AdaTAD, inside and side.

Its transformers have MMAction2's names. Adapters inside a block are ``blocks.3.adapter.*`` there
and here. Those of its side placement (the ladder) are ``ladders.adapters.0.*``, counted in the
order of the tapped blocks; here they belong to the tapped block itself.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from .key_tables import KeyTable, convert, recognise, register_source

_SHARED: dict[str, Any] = dict(
    signature=(r"(blocks\.\d+\.adapter|ladders\.adapters\.\d+|backbone\.model\.backbone)\.",),
    options=("adapter_indices",),
)

_TO_BACKBONE = KeyTable([(r"^(module\.)?(backbone\.)?(model\.)?backbone\.", "")])
_TO_DETECTOR = KeyTable(
    [
        (r"^module\.", ""),
        (r"^backbone\.model\.backbone\.", "backbone.backbone."),
        (r"^model\.backbone\.", ""),
    ]
)


@register_source(
    "opentad_vit",
    about="OpenTAD AdaTAD: only the adapted backbone, also out of a detector",
    **_SHARED,
)
def from_opentad_vit(
    state_dict: Mapping[str, Tensor], adapter_indices: Sequence[int] | None = None
) -> dict[str, Tensor]:
    """Rename the backbone and its adapters to those of an encoder's ``backbone``.

    Args:
        state_dict: Weights of a transformer, of the wrapper around it or of a whole detector.
        adapter_indices: See ``from_opentad_adatad``.

    Returns:
        Weights under our names; keys of a detector's other parts keep theirs.
    """
    return place_ladders(_TO_BACKBONE(state_dict), adapter_indices)


@register_source(
    "opentad_adatad",
    about="OpenTAD AdaTAD: the whole detector, with ActionFormer or another head known here",
    detector=True,
    **_SHARED,
)
def from_opentad_adatad(
    state_dict: Mapping[str, Tensor], adapter_indices: Sequence[int] | None = None
) -> dict[str, Tensor]:
    """Rename the weights of a whole AdaTAD detector to those of ``TADDetector``.

    Use them with ``preset="opentad"``. A bare encoder is taken too, and stays one.

    Args:
        state_dict: ``state_dict_ema`` (or ``state_dict``) of its checkpoint.
        adapter_indices: Blocks that the side placement tapped. Its files do not say; None takes
            the last ones, as many as there are adapters, which is what all released models do.

    Returns:
        Weights under our names; keys without a counterpart keep theirs.
    """
    placed = place_ladders(_TO_DETECTOR(state_dict), adapter_indices)
    heads = [name for name in recognise(placed) if name.startswith("opentad_")]
    heads = [name for name in heads if name not in ("opentad_vit", "opentad_adatad")]
    return convert(placed, heads[0] if len(heads) == 1 else "opentad_actionformer")


_LADDER = re.compile(r"^(.*?)ladders\.adapters\.(\d+)\.")
_BLOCK = re.compile(r"(?:^|\.)blocks\.(\d+)\.")


def placement_of(keys: Iterable[str]) -> str | None:
    """Where the adapters are, by the foreign names: ``"inside"``, ``"side"`` or None for none."""
    for key in keys:
        if _LADDER.match(key):
            return "side"
        if re.search(r"(^|\.)blocks\.\d+\.adapter\.", key):
            return "inside"
    return None


def place_ladders(
    state_dict: Mapping[str, Tensor], adapter_indices: Sequence[int] | None = None
) -> dict[str, Tensor]:
    """Give every adapter of a side placement to the block that it taps.

    Args:
        state_dict: Weights with ``ladders.adapters.{i}.*``; without any, they come back unchanged.
        adapter_indices: Tapped blocks, negative ones from the end; None for the last ones.

    Returns:
        The weights with ``blocks.{index}.adapter.*`` instead. The ladder is built without the norm
        after the pooling, on which no feature map depends; it is put in at its start value, so that
        the file is whole.

    Raises:
        ValueError: If the indices do not fit the adapters and blocks of the file.
    """
    blocks = {int(n) for key in state_dict for n in _BLOCK.findall(key)}
    ladders = {int(m[2]) for m in map(_LADDER.match, state_dict) if m}
    depth, count = max(blocks, default=-1) + 1, len(ladders)
    if not count:
        if adapter_indices is not None:
            raise ValueError(
                f"adapter_indices={list(adapter_indices)} were given, but the file holds no "
                "adapters of a side placement (ladders.adapters.*); leave them out"
            )
        return dict(state_dict)
    if ladders != set(range(count)) or count > depth:
        raise ValueError(
            f"the file holds ladder adapters {sorted(ladders)} for {depth} blocks; it is incomplete"
        )
    chosen = list(range(depth - count, depth) if adapter_indices is None else adapter_indices)
    indices = sorted({index % depth for index in chosen if -depth <= index < depth})
    if len(indices) != count or len(chosen) != count:
        raise ValueError(
            f"adapter_indices={chosen} do not fit: the file holds {count} adapters, which need as "
            f"many different blocks out of 0 to {depth - 1}"
        )
    if depth - 1 not in indices:
        raise ValueError(
            f"adapter_indices={chosen} must hold {depth - 1}: the side placement adds to the "
            "output of the last block"
        )
    placed = {
        _LADDER.sub(lambda m: f"{m[1]}blocks.{indices[int(m[2])]}.adapter.", key): value
        for key, value in state_dict.items()
    }
    for norm in [
        key for key in placed if re.search(r"(^|\.)blocks\.0\.norm1\.(weight|bias)$", key)
    ]:
        name = norm.replace("blocks.0.norm1.", "fc_norm.")
        fill = torch.ones_like if name.endswith("weight") else torch.zeros_like
        placed.setdefault(name, fill(placed[norm]))
    return placed
