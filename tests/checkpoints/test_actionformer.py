import pytest
import torch

from mmtad.checkpoints import convert


def test_official_names_and_shapes():
    state = {
        "module.backbone.embd.0.conv.weight": torch.zeros(8, 4, 3),
        "module.backbone.embd_norm.0.bias": torch.zeros(1, 8, 1),
        "module.backbone.stem.1.attn.query.weight": torch.zeros(8, 8, 1),
        "module.backbone.branch.0.mlp.3.weight": torch.zeros(8, 32, 1),
        "module.backbone.branch.0.drop_path_attn.scale": torch.zeros(1, 8, 1),
        "module.reg_head.scale.2.scale": torch.tensor(1.0),
        "module.cls_head.cls_head.conv.weight": torch.zeros(1, 8, 1),  # one class, kernel 1
        "module.cls_head.cls_head.conv.bias": torch.zeros(1),
    }
    shapes = {key: tuple(value.shape) for key, value in convert(state, "actionformer").items()}
    assert shapes == {
        "projection.embed.0.conv.weight": (8, 4, 3),
        "projection.embed.0.norm.bias": (8,),
        "projection.stem.1.attn.query.weight": (8, 8),
        "projection.branch.0.mlp_out.weight": (8, 32),
        "projection.branch.0.attn_path.scale": (8,),
        "head.scales.2.scale": (),
        "head.cls_out.weight": (1, 8, 1),
        "head.cls_out.bias": (1,),
    }


def test_opentad_normaliser_and_foreign_keys():
    state = {
        "rpn_head.loss_normalizer": torch.tensor(100),
        "backbone.model.backbone.blocks.0.norm1.weight": torch.zeros(4),
    }
    converted = convert(state, "opentad_actionformer")
    assert converted["head.normalizer.average"].dtype == torch.float32
    assert "backbone.model.backbone.blocks.0.norm1.weight" in converted


def test_two_keys_that_become_one_are_named():
    state = {"module.cls_head.x": torch.zeros(1), "cls_head.x": torch.zeros(1)}
    with pytest.raises(ValueError, match="module.cls_head.x and cls_head.x both become cls_head.x"):
        convert(state, "actionformer")
