import pytest
import torch
from torch.testing import assert_close

from mmtad.checkpoints import convert, recognise

CASES = pytest.mark.parametrize(
    "case, source", [("tadtr_official", "tadtr"), ("tadtr_opentad", "opentad_tadtr")]
)


@CASES
def test_golden_files_are_recognised(golden, case, source):
    state, _, _ = golden(case)
    assert recognise(state) == [source]
    wrapped = {f"module.{key}": value for key, value in state.items()}
    assert recognise(wrapped) == [source]
    converted, again = convert(state, source), convert(wrapped, source)
    assert converted.keys() == again.keys()
    parts = ("projection.", "head.encoder.", "head.decoder.", "head.classifiers.")
    assert all(key.startswith((*parts, "head.actionness.")) for key in converted)


@CASES
def test_nothing_is_lost(golden, case, source):
    """Regressors have two names there; what was one tensor is several here."""
    state, _, _ = golden(case)
    converted = convert(state, source)
    copies = ("segment_embed.", "transformer.bbox_embed.")
    total = sum(value.numel() for key, value in state.items() if not key.startswith(copies))
    added = converted["projection.convs.0.bias"].numel() if source == "opentad_tadtr" else 0
    assert sum(value.numel() for value in converted.values()) == total + added


def test_names_and_shapes():
    state = {
        "transformer.level_embed": torch.zeros(1, 8),
        "transformer.decoder.segment_embed.1.layers.2.bias": torch.zeros(2),
        "segment_embed.1.layers.2.bias": torch.zeros(2),
        "transformer.decoder.layers.0.self_attn.in_proj_weight": torch.arange(192.0).view(24, 8),
        "query_embed.weight": torch.arange(80.0).view(5, 16),
        "transformer.encoder.layers.3.norm2.weight": torch.zeros(8),
        "transformer.decoder.layers.3.norm2.weight": torch.zeros(8),
        "backbone.conv.weight": torch.zeros(1),
    }
    converted = convert(state, "tadtr")
    assert {key: tuple(value.shape) for key, value in converted.items()} == {
        "head.encoder.level_code": (8,),
        "head.decoder.regressors.1.layers.2.bias": (2,),
        "head.decoder.layers.0.self_attention.query_proj.weight": (8, 8),
        "head.decoder.layers.0.self_attention.key_proj.weight": (8, 8),
        "head.decoder.layers.0.self_attention.value_proj.weight": (8, 8),
        "head.decoder.query_positions": (5, 8),
        "head.decoder.query_content": (5, 8),
        "head.encoder.layers.3.feed_forward.norm.weight": (8,),
        "head.decoder.layers.3.self_norm.weight": (8,),
        "backbone.conv.weight": (1,),
    }
    assert_close(converted["head.decoder.query_content"], state["query_embed.weight"][:, 8:])
    values = converted["head.decoder.layers.0.self_attention.value_proj.weight"]
    assert_close(values, torch.arange(128.0, 192).view(8, 8))


def test_regressors_under_their_second_name_alone():
    values = torch.zeros(8)
    state = {"transformer.level_embed": torch.zeros(1, 8), "segment_embed.0.layers.0.bias": values}
    assert recognise(state) == ["tadtr"]
    assert convert(state, "tadtr")["head.decoder.regressors.0.layers.0.bias"] is values


def test_behind_an_encoder_of_opentad(golden):
    state, _, _ = golden("tadtr_opentad")
    converted = convert(state, "opentad_tadtr")
    state["backbone.model.backbone.blocks.0.adapter.gamma"] = torch.ones(1)
    whole = convert(state, "opentad_adatad")
    assert whole.keys() == converted.keys() | {"backbone.backbone.blocks.0.adapter.gamma"}
