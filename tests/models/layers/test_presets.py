import pytest

from mmtad.models.layers import PRESETS, resolve_preset


def test_known_presets():
    assert set(PRESETS) == {"padding_free", "official", "opentad"}
    assert resolve_preset("official").topk_per_level
    assert resolve_preset("opentad").norm_eps == 1e-6


def test_unknown_preset_is_named():
    with pytest.raises(ValueError, match="paper.*padding_free"):
        resolve_preset("paper")
