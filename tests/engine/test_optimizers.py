import pytest
import torch
from torch import nn

from mmtad.engine import optimizers
from mmtad.engine.optimizers import RoleOptimWrapperConstructor, role_of


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.Linear(4, 4)
        self.adapter = nn.ModuleDict({"down_proj": nn.Linear(4, 2)})


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.ModuleDict({"blocks": nn.ModuleList([Block()])})
        self.head = nn.Sequential(nn.Conv1d(4, 4, 3), nn.GroupNorm(1, 4))
        for parameter in self.backbone["blocks"][0].attn.parameters():
            parameter.requires_grad = False


def build(**paramwise):
    constructor = RoleOptimWrapperConstructor(
        dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=1e-4, weight_decay=0.05)),
        paramwise_cfg=paramwise,
    )
    return constructor(Detector()).optimizer


def test_one_kernel_unless_told_otherwise():
    assert build().defaults["fused"]
    for optimizer in (dict(type="AdamW", fused=False), dict(type="SGD")):
        config = dict(type="OptimWrapper", optimizer=dict(optimizer, lr=1e-4))
        built = RoleOptimWrapperConstructor(config)(Detector()).optimizer
        assert not built.defaults["fused"] and config["optimizer"] == dict(optimizer, lr=1e-4)


def test_roles():
    assert role_of("backbone.encoder.blocks.3.adapter.down_proj.weight") == "adapter"
    assert role_of("backbone.encoder.blocks.3.attn.qkv.weight") == "backbone"
    assert role_of("head.cls.weight") == "detector"


def test_groups_by_role():
    optimizer = build(adapter=dict(lr=2e-4, weight_decay=0.1, decay_all=True))
    groups = {g["name"]: g for g in optimizer.param_groups}
    assert set(groups) == {"adapter", "detector", "detector_no_decay"}
    assert groups["adapter"]["lr"] == 2e-4 and groups["adapter"]["weight_decay"] == 0.1
    assert groups["detector"]["lr"] == 1e-4 and groups["detector"]["weight_decay"] == 0.05
    assert groups["detector_no_decay"]["weight_decay"] == 0.0
    assert [len(groups[n]["params"]) for n in groups] == [2, 1, 3]


def test_every_trainable_parameter_once():
    optimizer = build()
    ids = [id(p) for g in optimizer.param_groups for p in g["params"]]
    assert len(ids) == len(set(ids)) == 6


def test_unknown_role():
    with pytest.raises(ValueError, match="unknown roles \\['neck'\\]"):
        build(neck=dict(lr=1.0))


def test_part_with_a_rate_of_its_own():
    """It goes before the role that its name would give it, and keeps what it does not set."""
    parts = dict(norms=dict(lr=1e-5, match=[r"head\.1\."]), detector=dict(decay_all=True))
    groups = {g["name"]: g for g in build(**parts).param_groups}
    assert set(groups) == {"adapter", "adapter_no_decay", "detector", "norms_no_decay"}
    assert groups["norms_no_decay"]["lr"] == 1e-5 and groups["detector"]["lr"] == 1e-4
    assert [len(groups[n]["params"]) for n in ("norms_no_decay", "detector")] == [2, 2]


def test_nothing_to_train():
    model = Detector().requires_grad_(False)
    constructor = RoleOptimWrapperConstructor(
        dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.1)), paramwise_cfg={}
    )
    with pytest.raises(ValueError, match="every parameter of the model is frozen"):
        constructor(model)


def test_adapters_inside_a_block_are_adapters():
    assert role_of("backbone.backbone.blocks.3.attn.qkv.adapter.down_proj.weight") == "adapter"
    assert role_of("backbone.backbone.blocks.3.adapter_norm.weight") == "backbone"


def test_tuned_biases_belong_to_the_backbone_unless_matched():
    model = Detector()
    model.backbone["blocks"][0].attn.bias.requires_grad_(True)

    def names(**paramwise):
        constructor = RoleOptimWrapperConstructor(
            dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=1e-4, weight_decay=0.05)),
            paramwise_cfg=paramwise,
        )
        return {g["name"]: g for g in constructor(model).optimizer.param_groups}

    groups = names(backbone=dict(lr=3e-4))
    assert groups["backbone_no_decay"]["lr"] == 3e-4 and "backbone" not in groups
    groups = names(adapter=dict(lr=2e-4, match=[r"^backbone\..*bias$"]))
    assert not any(name.startswith("backbone") for name in groups)
    assert len(groups["adapter_no_decay"]["params"]) == 2


def test_unknown_setting():
    with pytest.raises(ValueError, match=r"adapter has the unknown settings \['lr_mult'\]"):
        build(adapter=dict(lr_mult=2.0))


def test_settings_of_a_role_are_a_dict():
    with pytest.raises(ValueError, match=r"adapter=0.0001 must be a dict such as dict\(lr="):
        build(adapter=1e-4)


def test_a_backbone_at_the_rate_of_the_detector_is_told(monkeypatch):
    messages = []
    monkeypatch.setattr(optimizers, "print_log", lambda text, *args: messages.append(text))
    model = Detector()
    model.backbone["blocks"][0].attn.bias.requires_grad_(True)
    for settings, told in ((dict(), True), (dict(backbone=dict(lr=1e-5)), False)):
        messages.clear()
        RoleOptimWrapperConstructor(
            dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=1e-4)), settings
        )(model)
        assert ("backbone.lr for one of their own" in messages[0]) is told


def test_bare_matrices_of_an_adapter_decay():
    model = Detector()
    adapter = model.backbone["blocks"][0].adapter
    adapter.register_parameter("up_proj", nn.Parameter(torch.zeros(4, 2)))
    constructor = RoleOptimWrapperConstructor(
        dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=1e-4, weight_decay=0.05))
    )
    groups = {g["name"]: g for g in constructor(model).optimizer.param_groups}
    assert len(groups["adapter"]["params"]) == 2
    assert len(groups["adapter_no_decay"]["params"]) == 1
