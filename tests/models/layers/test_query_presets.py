"""Presets of query-based detectors."""

import pytest

from mmtad.models.layers.query_presets import QUERY_PRESETS, resolve_query_preset


def test_what_differs():
    ours, official, opentad = (
        resolve_query_preset(name) for name in ("padding_free", "official", "opentad")
    )
    assert ours.use_mask and official.use_mask and not opentad.use_mask
    assert ours.position_offset == official.position_offset == 0
    assert opentad.position_offset == -0.5
    assert [name for name, p in QUERY_PRESETS.items() if p.shared_actionness_targets] == [
        "official"
    ]


def test_unknown_name():
    with pytest.raises(ValueError, match="no preset is called 'tadtr'; choose one of"):
        resolve_query_preset("tadtr")
