import pytest
import torch

from mmtad.checkpoints import KeyTable, convert, known_sources, recognise, register_source
from mmtad.checkpoints.key_tables import check_source, get_source

NAMES = {
    "opentad_vit": {
        "blocks.0.norm1.weight": "blocks.0.norm1.weight",
        "backbone.model.backbone.blocks.0.adapter.gamma": "blocks.0.adapter.gamma",
        "module.backbone.model.backbone.pos_embed": "pos_embed",
        "module.rpn_head.scale.0.scale": "module.rpn_head.scale.0.scale",
    },
    "mmaction_recognizer": {
        "backbone.blocks.0.norm1.weight": "blocks.0.norm1.weight",
        "module.backbone.patch_embed.projection.bias": "patch_embed.projection.bias",
        "cls_head.fc_cls.weight": "cls_head.fc_cls.weight",
    },
    "opentad_adatad": {
        "backbone.model.backbone.blocks.0.norm1.bias": "backbone.backbone.blocks.0.norm1.bias",
        "module.neck.fpn_norms.0.bias": "neck.norms.0.bias",
    },
    "videomae": {
        "patch_embed.proj.weight": "patch_embed.projection.weight",
        "encoder.blocks.11.attn.q_bias": "blocks.11.attn.q_bias",
        "module.blocks.0.mlp.fc1.weight": "blocks.0.mlp.layers.0.0.weight",
        "blocks.0.mlp.fc2.bias": "blocks.0.mlp.layers.1.bias",
        "decoder.blocks.0.mlp.fc1.bias": "decoder.blocks.0.mlp.layers.0.0.bias",
        "fc_norm.weight": "fc_norm.weight",
    },
}


@pytest.mark.parametrize("source", NAMES)
def test_names(source):
    state = {key: torch.tensor(i) for i, key in enumerate(NAMES[source])}
    converted = convert(state, source)
    assert list(converted) == list(NAMES[source].values())
    assert [int(value) for value in converted.values()] == list(range(len(state)))


def test_videomae_names_fill_mmaction_vit():
    """Every parameter of the backbone has a name in VideoMAE's files."""
    pytest.importorskip("mmaction")
    from mmtad.registry import MODELS

    vit = MODELS.build(
        dict(type="mmaction.VisionTransformer", img_size=32, embed_dims=8, depth=1, num_heads=1)
    )
    block = ["norm1", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"]
    theirs = [f"blocks.0.{m}.{p}" for m in block for p in ("weight", "bias")]
    theirs += ["blocks.0.attn.q_bias", "blocks.0.attn.v_bias", "blocks.0.attn.qkv.weight"]
    theirs += ["patch_embed.proj.weight", "patch_embed.proj.bias", "fc_norm.weight", "fc_norm.bias"]
    ours = convert(dict.fromkeys(theirs, torch.zeros(1)), "videomae")
    assert set(ours) == {name for name, _ in vit.named_parameters()}


def test_two_keys_must_not_become_one():
    table = KeyTable([(r"^module\.", "")])
    with pytest.raises(ValueError, match=r"keys module\.a and a both become a"):
        table({"module.a": torch.zeros(1), "a": torch.zeros(1)})


def test_registering(monkeypatch):
    monkeypatch.setattr("mmtad.checkpoints.key_tables._SOURCES", {})

    @register_source("double")
    def double(state_dict):
        return {key: 2 * value for key, value in state_dict.items()}

    register_source("plain", KeyTable([("a", "b")]))
    assert known_sources() == ["double", "plain"]
    assert convert({"a": torch.ones(1)}, "double")["a"] == 2
    assert list(convert({"a": torch.ones(1)}, "plain")) == ["b"]
    with pytest.raises(ValueError, match="'plain' exists already"):
        register_source("plain", KeyTable([]))
    with pytest.raises(ValueError, match="unknown source 'other'; known are double, plain"):
        convert({}, "other")


SIGNATURES = {
    "videomae": ["encoder.blocks.0.mlp.fc1.weight", "encoder.patch_embed.proj.weight"],
    "mmaction_recognizer": ["backbone.slow_path.conv1.conv.weight", "cls_head.fc_cls.bias"],
    "opentad_vit": ["model.backbone.blocks.0.adapter.gamma"],
    "actionformer": ["module.backbone.stem.0.ln1.weight", "module.cls_head.head.0.conv.weight"],
    "opentad_actionformer": ["projection.stem.0.ln1.weight", "rpn_head.cls_head.bias"],
}


@pytest.mark.parametrize("source", SIGNATURES)
def test_projects_are_told_apart(source):
    state = dict.fromkeys(SIGNATURES[source], torch.zeros(1))
    twins = {"opentad_vit", "opentad_adatad"}
    assert set(recognise(state)) == (twins if source in twins else {source})
    check_source(state, source, "x.pth")
    for other in SIGNATURES.keys() - {source}:
        with pytest.raises(ValueError, match=f"x.pth is not of source '{other}': its .*{source}"):
            check_source(state, other, "x.pth")


def test_our_own_names_are_of_no_project():
    ours = ["backbone.backbone.blocks.0.norm1.weight", "head.cls_out.bias", "neck.norms.0.bias"]
    assert recognise(ours) == []
    with pytest.raises(ValueError, match="its entries read backbone.*; no other source has such"):
        check_source(dict.fromkeys(ours), "videomae", "x.pth")


def test_every_source_says_what_it_is():
    for name in known_sources():
        assert len(get_source(name).about) > 20 and get_source(name).signature


def test_options_reach_only_those_who_take_them():
    with pytest.raises(
        ValueError, match="'videomae' takes no adapter_indices; only opentad_adatad"
    ):
        convert({}, "videomae", adapter_indices=[1])
    assert convert({}, "videomae", adapter_indices=None) == {}


def test_learned_tables_must_be_in_the_file():
    """A fixed position table is a formula; a learned one is not."""
    model = torch.nn.Module()
    model.register_buffer("pos_embed", torch.zeros(1))
    assert r"^pos_embed$" in get_source("videomae").need_not_have(model)
    model = torch.nn.Module()
    model.pos_embed = torch.nn.Parameter(torch.zeros(1))
    assert get_source("videomae").need_not_have(model) == [r"(^|\.)fc_norm\."]
