import re

import pytest
import torch

from mmtad.checkpoints import convert, recognise
from mmtad.checkpoints.conversion import check_fit, convert_checkpoint
from mmtad.registry import MODELS

TO_FOREIGN = (  # one SGP block and what both projects took from ActionFormer
    (r"^(projection\.(?:stem|branch)\.\d+)\.layer_norm\.", r"\1.ln."),
    (r"^(projection\.(?:stem|branch)\.\d+)\.group_norm\.", r"\1.gn."),
    (r"^(projection\.(?:stem|branch)\.\d+)\.sgp\.conv_", r"\1.conv"),
    (r"^(projection\.(?:stem|branch)\.\d+)\.sgp\.", r"\1."),
    (r"^(projection\.(?:stem|branch)\.\d+)\.mlp_in\.", r"\1.mlp.0."),
    (r"^(projection\.(?:stem|branch)\.\d+)\.mlp_out\.", r"\1.mlp.2."),
    (r"^(projection\.(?:stem|branch)\.\d+)\.sgp_path\.", r"\1.drop_path_out."),
    (r"^(projection\.(?:stem|branch)\.\d+)\.mlp_path\.", r"\1.drop_path_mlp."),
    (r"^neck\.norms\.", "neck.fpn_norms."),
)
TO_OPENTAD = (
    *TO_FOREIGN,
    (r"^head\.(cls|reg)_tower\.units\.", r"rpn_head.\1_convs."),
    (r"^head\.(start|end)_tower\.units\.", r"rpn_head.cls_\1_convs."),
    (r"^head\.(cls|reg)_out\.", r"rpn_head.\1_head."),
    (r"^head\.(start|end)_out\.", r"rpn_head.cls_\1_head."),
    (r"^head\.scales\.", "rpn_head.scale."),
    (r"^head\.normalizer\.average$", "rpn_head.loss_normalizer"),
)
TO_OFFICIAL = (
    *TO_FOREIGN,
    (r"^projection\.embed\.(\d+)\.norm\.", r"backbone.embd_norm.\1."),
    (r"^projection\.embed\.", "backbone.embd."),
    (r"^projection\.", "backbone."),
    (r"^head\.(\w+)_tower\.units\.(\d+)\.norm\.", r"\1_head.norm.\2."),
    (r"^head\.(\w+)_tower\.units\.", r"\1_head.head."),
    (r"^head\.reg_out\.", "reg_head.offset_head.conv."),
    (r"^head\.(cls|start|end)_out\.", r"\1_head.cls_head.conv."),
    (r"^head\.scales\.", "reg_head.scale."),
)


def build(seed=0):
    torch.manual_seed(seed)
    points = dict(type="PointGenerator", strides=(1, 2), regression_ranges=((0, 4), (4, 10000)))
    head = dict(num_classes=3, in_channels=16, feat_channels=8, num_bins=4, point_generator=points)
    return MODELS.build(
        dict(
            type="TADDetector",
            projection=dict(
                type="SGPProjection", in_channels=6, out_channels=16, arch=(2, 1, 1), mlp_channels=8
            ),
            neck=dict(type="FPNIdentity", channels=16, num_levels=2),
            head=dict(type="TridentHead", **head),
        )
    )


def foreign(source, seed=1):
    """A file of the project, made by renaming our own tiny model backwards."""
    state = build(seed).state_dict()
    if source == "tridet":
        state.pop("head.normalizer.average")
    made = {}
    for key, value in state.items():
        for pattern, replacement in TO_OPENTAD if source == "opentad_tridet" else TO_OFFICIAL:
            key = re.sub(pattern, replacement, key)
        if re.search(r"\.mlp\.\d\.weight$", key):
            value = value[..., None]
        elif "drop_path" in key or (source == "tridet" and re.search(r"(norm|norms|ln)\.", key)):
            value = value.view(1, -1, 1)
        made[key] = value
    return {f"module.{key}": value for key, value in made.items()}


@pytest.mark.parametrize("source", ["tridet", "opentad_tridet"])
def test_a_whole_file(source, tmp_path):
    theirs = foreign(source)
    assert recognise(theirs) == [source]
    path = tmp_path / "theirs.pth.tar"
    torch.save({"state_dict_ema": theirs, "epoch": 3}, path)
    converted = convert_checkpoint(str(path), source)
    model = build()
    report = check_fit(model, converted)
    assert not report.missing and not report.unexpected
    model.load_state_dict(converted["state_dict"], strict=source == "opentad_tridet")
    expected = build(1).state_dict()
    for key, value in model.state_dict().items():
        if key in converted["state_dict"]:
            assert torch.equal(value, expected[key]), key


def test_told_apart_from_actionformer(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"state_dict": foreign("tridet")}, path)
    with pytest.raises(ValueError, match="'actionformer'.*looks like tridet"):
        convert_checkpoint(str(path), "actionformer")
    attention = ["backbone.stem.0.attn.query.weight", "cls_head.head.0.conv.weight"]
    assert recognise(attention) == ["actionformer"]
    attention = ["projection.stem.0.attn.query.weight", "rpn_head.cls_head.bias"]
    assert recognise(attention) == ["opentad_actionformer"]


def test_behind_the_encoder_of_adatad():
    encoder = {"backbone.model.backbone.blocks.0.adapter.gamma": torch.ones(1)}
    theirs = {**foreign("opentad_tridet"), **{f"module.{k}": v for k, v in encoder.items()}}
    converted = convert(theirs, "opentad_adatad")
    assert converted.keys() - build().state_dict().keys() == {
        "backbone.backbone.blocks.0.adapter.gamma"
    }
    assert build().state_dict().keys() <= converted.keys()


def test_shapes_of_the_authors_files(golden):
    for case, source in (("tridet_official", "tridet"), ("tridet_opentad", "opentad_tridet")):
        state, _, _ = golden(case)
        assert recognise(state) == [source]
        converted = convert(state, source)
        assert len(converted) == len(state)
        assert all(key.startswith(("projection.", "neck.", "head.")) for key in converted)
        assert converted["projection.stem.0.layer_norm.weight"].shape == (32,)
        assert converted["projection.stem.0.sgp.psi.weight"].shape == (32, 1, 1)
        assert converted["projection.branch.2.mlp_in.weight"].shape == (48, 32)
        assert converted["projection.branch.2.sgp_path.scale"].shape == (32,)
