import pytest
import torch

from mmtad.checkpoints import convert, recognise


def test_names_and_shapes():
    state = {
        "module.projection.convs.0.conv.weight": torch.zeros(8, 2, 3),
        "module.neck.sconvs.0.weight": torch.zeros(4, 16, 1, 1),
        "module.rpn_head.tem.1.0.tconvs.2.bias": torch.zeros(4),
        "module.rpn_head.tem.1.1.conv.bias": torch.zeros(1),
        "module.roi_head.proposal_roi_extractor.gcnext.sconvs.4.weight": torch.zeros(8, 4, 1, 1),
        "module.roi_head.proposal_roi_extractor.conv2d.0.weight": torch.zeros(8, 9, 1, 1),
        "module.roi_head.proposal_head.head.2.0.weight": torch.zeros(4, 4, 3, 3),
        "module.roi_head.proposal_head.head.3.weight": torch.zeros(2, 4, 1, 1),
        "module.backbone.model.conv.weight": torch.zeros(1),
    }
    assert recognise(state) == ["opentad_gtad"]
    shapes = {k: tuple(v.shape) for k, v in convert(state, "opentad_gtad").items()}
    assert shapes == {
        "projection.convs.0.weight": (8, 2, 3),
        "neck.blocks.0.semantic_in.weight": (4, 16, 1),
        "head.towers.1.block.temporal_conv.bias": (4,),
        "head.towers.1.out.bias": (1,),
        "head.extractor.graph.semantic_out.weight": (8, 4, 1),
        "head.extractor.bin_conv.weight": (8, 9, 1, 1),
        "head.map_convs.2.weight": (4, 4, 3, 3),
        "head.map_out.weight": (2, 4, 1, 1),
        "backbone.model.conv.weight": (1,),
    }


def test_one_tower_for_both_boundaries():
    state = {
        "rpn_head.tem.0.conv.weight": torch.zeros(8, 2, 3),
        "rpn_head.tem.1.conv.weight": torch.zeros(2, 8, 1),
        "roi_head.proposal_roi_extractor.reduce_dim.0.bias": torch.zeros(4),
        "roi_head.proposal_roi_extractor.conv3d.0.bias": torch.zeros(4),
        "roi_head.proposal_roi_extractor.conv2d.0.bias": torch.zeros(4),
    }
    assert recognise(state) == ["opentad_bmn"]
    assert set(convert(state, "opentad_bmn")) == {
        "head.towers.0.block.weight",
        "head.towers.0.out.weight",
        "head.extractor.reduce.bias",
        "head.extractor.point_conv.bias",
        "head.extractor.cell_conv.bias",
    }


@pytest.mark.parametrize("case", ["bmn", "gtad"])
def test_golden_files_are_recognised(golden, case):
    state, _, _ = golden(case)
    assert recognise(state) == [f"opentad_{case}"]
    converted = convert(state, f"opentad_{case}")
    assert len(converted) == len(state)
    assert all(key.startswith(("projection.", "neck.", "head.")) for key in converted)
    # The same behind the adapted backbone of AdaTAD.
    state["backbone.model.backbone.blocks.0.adapter.gamma"] = torch.ones(1)
    whole = convert(state, "opentad_adatad")
    assert whole.keys() == converted.keys() | {"backbone.backbone.blocks.0.adapter.gamma"}
