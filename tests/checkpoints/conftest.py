"""Files of other projects, made by renaming our own tiny models backwards."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmtad.registry import MODELS

TINY = str(Path(__file__).parents[1] / "apis" / "tiny_config.py")
ENCODER = "backbone.backbone."

TO_VIDEOMAE = (
    (r"^patch_embed\.projection\.", "patch_embed.proj."),
    (r"\.mlp\.layers\.0\.0\.", ".mlp.fc1."),
    (r"\.mlp\.layers\.1\.", ".mlp.fc2."),
)
TO_OPENTAD = (
    (r"^backbone\.backbone\.", "backbone.model.backbone."),
    (r"^(projection\..*)\.attn_norm\.", r"\1.ln1."),
    (r"^(projection\..*)\.mlp_norm\.", r"\1.ln2."),
    (r"^(projection\..*)\.mlp_in\.", r"\1.mlp.0."),
    (r"^(projection\..*)\.mlp_out\.", r"\1.mlp.3."),
    (r"^(projection\..*)\.(attn|mlp)_path\.", r"\1.drop_path_\2."),
    (r"^(projection\..*(?:query|key|value)_conv)\.", r"\1.conv."),
    (r"^neck\.norms\.", "neck.fpn_norms."),
    (r"^head\.(cls|reg)_tower\.units\.", r"rpn_head.\1_convs."),
    (r"^head\.(cls|reg)_out\.", r"rpn_head.\1_head."),
    (r"^head\.scales\.", "rpn_head.scale."),
    (r"^head\.normalizer\.average$", "rpn_head.loss_normalizer"),
)
KERNEL_ONE = re.compile(r"^projection\..*\.(attn\.(query|key|value|proj)|mlp\.\d)\.weight$")


def build(seed=0, config=TINY):
    """The tiny detector with adapters that do something."""
    torch.manual_seed(seed)
    cfg = Config.fromfile(config)
    init_default_scope("mmtad")
    model = MODELS.build(cfg.model)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1 or "adapter" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def renamed(state, rules):
    for pattern, replacement in rules:
        state = {re.sub(pattern, replacement, key): value for key, value in state.items()}
    return state


def videomae(model, pretraining=False):
    """A file of VideoMAE: no position table; self-supervised, an encoder beside a decoder."""
    state = {
        key.removeprefix(ENCODER): value
        for key, value in model.state_dict().items()
        if key.startswith(ENCODER) and ".adapter." not in key and "pos_embed" not in key
    }
    state = renamed(state, TO_VIDEOMAE)
    if not pretraining:
        return {**state, "head.weight": torch.zeros(5, 16), "head.bias": torch.zeros(5)}
    state = {f"encoder.{k}": v for k, v in state.items() if not k.startswith("fc_norm")}
    decoder = {"decoder.blocks.0.mlp.fc1.weight": torch.zeros(2, 2), "mask_token": torch.zeros(1)}
    return {**state, "encoder.norm.weight": torch.ones(16), **decoder}


def mmaction(model):
    state = {
        key.removeprefix("backbone."): value
        for key, value in model.state_dict().items()
        if key.startswith(ENCODER) and ".adapter." not in key
    }
    return {**state, "cls_head.fc_cls.weight": torch.zeros(5, 16)}


def opentad(model, ladder=False, module=""):
    """A whole detector of OpenTAD."""
    state = renamed(model.state_dict(), TO_OPENTAD)
    for key, value in state.items():
        if KERNEL_ONE.match(key):
            state[key] = value.unsqueeze(-1)
        elif key.startswith("projection.") and key.endswith(".scale"):
            state[key] = value.view(1, -1, 1)
    if ladder:
        taps = model.backbone.adapted
        rules = [
            (rf"\.blocks\.{index}\.adapter\.", f".ladders.adapters.{i}.")
            for i, index in enumerate(taps)
        ]
        state = {k: v for k, v in renamed(state, rules).items() if "fc_norm" not in k}
    return {f"{module}{key}": value for key, value in state.items()}


@pytest.fixture
def foreign():
    """``build`` makes the tiny detector; ``videomae``, ``mmaction``, ``opentad`` its files."""
    pytest.importorskip("mmaction")
    return SimpleNamespace(
        build=build, videomae=videomae, mmaction=mmaction, opentad=opentad, config=TINY
    )
