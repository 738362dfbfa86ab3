"""Tiny encoders whose adapters are awake."""

import copy

import pytest
import torch

from mmtad.registry import MODELS


def vit_config(**kwargs):
    config = dict(
        type="mmaction.VisionTransformer",
        img_size=32,
        patch_size=16,
        embed_dims=16,
        depth=4,
        num_heads=2,
        num_frames=16,
        norm_cfg=dict(type="LN", eps=1e-6),
    )
    return {**config, **kwargs}


def build_encoder(kind="VideoEncoder", adapter="TIA", train=True, **kwargs):
    """An encoder in which every parameter of the adapters matters."""
    pytest.importorskip("mmaction")
    torch.manual_seed(0)
    backbone = kwargs.pop("backbone", {})
    backbone = backbone if "type" in backbone else vit_config(**backbone)
    config = dict(type=kind, backbone=copy.deepcopy(backbone), **kwargs)
    if adapter is not None:
        config["adapter"] = dict(type=adapter) if isinstance(adapter, str) else adapter
    model = MODELS.build(config)
    for module in model.adapters:
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return model.train(train)


def gradients(model, frames, length=20, seed=1, encode=None):
    """Features, and the gradients of a fixed random projection of them."""
    torch.manual_seed(seed)
    features = (encode or model)(frames, length)
    weights = torch.randn(features.shape, generator=torch.Generator().manual_seed(2))
    (features.float() * weights).sum().backward()
    found = {k: p.grad for k, p in model.named_parameters() if p.grad is not None}
    return features.detach(), found


def cosine(ours, reference):
    """Cosine similarity of two sets of gradients, all parameters in one vector."""
    assert ours.keys() == reference.keys()
    a = torch.cat([ours[k].double().flatten() for k in reference])
    b = torch.cat([reference[k].double().flatten() for k in reference])
    return torch.nn.functional.cosine_similarity(a, b, dim=0).item()


@pytest.fixture
def tiny():
    """``tiny.encoder``, ``tiny.gradients``, ``tiny.cosine``, ``tiny.vit``."""

    class Tiny:
        encoder = staticmethod(build_encoder)
        gradients = staticmethod(gradients)
        cosine = staticmethod(cosine)
        vit = staticmethod(vit_config)

    return Tiny


def _encoder(adapter=True, train=False, **kwargs):
    """A tiny encoder whose adapters, if any, are awake."""
    torch.manual_seed(0)
    backbone = vit_config(**{"depth": 3, **kwargs.pop("backbone", {})})
    config = dict(type="VideoEncoder", backbone=backbone, **kwargs)
    if adapter:
        config["adapter"] = dict(type="TIA")
    model = MODELS.build(config)
    for module in model.adapters:
        torch.nn.init.normal_(module.up_proj.weight)
    return model.train(train)


@pytest.fixture
def vit():
    """Makes the config of a backbone of three blocks."""
    return lambda **kwargs: vit_config(**{"depth": 3, **kwargs})


@pytest.fixture
def encoder():
    """Makes an encoder of three blocks; see ``_encoder``."""
    return _encoder
