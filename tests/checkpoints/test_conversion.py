"""Foreign files, converted and compared with the model that they were made from."""

import pytest
import torch
from mmengine.config import Config

from mmtad.apis.model_setup import build_model
from mmtad.checkpoints import load_checkpoint_safely, load_weights
from mmtad.checkpoints.conversion import check_fit, convert_checkpoint, write_checkpoint
from mmtad.registry import MODELS

NO_ADAPTER = [r"(^|\.)adapter\."]
SIDE = """
_base_ = {config!r}
model = dict(
    backbone=dict(
        type="SideVideoEncoder", backbone=dict(depth=4), adapter_indices={indices}
    )
)
"""


@pytest.fixture
def convert(tmp_path):
    """``convert(checkpoint, source, model)`` -> (load report, file)."""

    def run(checkpoint, source, model=None, min_match=1.0, **options):
        torch.save(checkpoint, tmp_path / "foreign.pth")
        file = str(tmp_path / "converted.pth")
        converted = convert_checkpoint(str(tmp_path / "foreign.pth"), source, **options)
        report = model and check_fit(model, converted, min_match)
        write_checkpoint(converted, file, force=True)
        return report, file

    return run


def same_outputs(ours, model):
    frames, masks = torch.randn(1, 3, 32, 32, 32), torch.ones(1, 32, dtype=torch.bool)
    with torch.no_grad():
        features = model.backbone(frames, 32)
        torch.testing.assert_close(ours.backbone(frames, 32), features, rtol=1e-5, atol=1e-5)
        found, expected = ours(frames, masks), model(frames, masks)
    for a, b in zip(found.class_logits, expected.class_logits, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def rebuilt(foreign, model, file):
    """Another detector with the model's weights but for the backbone's own: those of the file."""
    ours = foreign.build(seed=1)
    state = {
        key: value
        for key, value in model.state_dict().items()
        if not key.startswith("backbone.backbone.") or ".adapter." in key
    }
    ours.load_state_dict(state, strict=False)
    report = load_weights(ours.backbone.backbone, file, ignore_missing=NO_ADAPTER)
    assert report.ratio == 1
    return ours


# ---- every layout


@pytest.mark.parametrize("pretraining", [False, True])
@pytest.mark.parametrize("wrapper", ["model", "module", None])
def test_videomae(foreign, convert, wrapper, pretraining):
    model = foreign.build()
    state = foreign.videomae(model, pretraining)
    checkpoint = {wrapper: state, "epoch": 1} if wrapper else state
    report, file = convert(checkpoint, "videomae", model)
    assert "foreign.pth for the model's backbone.backbone: matched" in str(report)
    assert not report.missing and not report.wrong_shape and "pos_embed" in report.ignored
    assert ("fc_norm.bias" in report.ignored) == pretraining
    same_outputs(rebuilt(foreign, model, file), model)


@pytest.mark.parametrize("module", ["", "module."])
def test_mmaction_recognizer(foreign, convert, module):
    model = foreign.build()
    state = {f"{module}{key}": value for key, value in foreign.mmaction(model).items()}
    checkpoint = dict(state_dict=state, meta=dict(epoch=3))
    report, file = convert(checkpoint, "mmaction_recognizer", model)
    assert report.ratio == 1 and len(report.unexpected) == 1
    same_outputs(rebuilt(foreign, model, file), model)


@pytest.mark.parametrize(
    "backbone",
    [
        dict(type="mmaction.ResNet3dSlowOnly", depth=50, base_channels=4, lateral=False),
        dict(type="mmaction.SwinTransformer3D", arch="tiny", pretrained2d=False),
    ],
)
def test_other_backbones_of_mmaction(foreign, convert, backbone):
    torch.manual_seed(0)
    model = MODELS.build(backbone)
    state = {f"backbone.{key}": value for key, value in model.state_dict().items()}
    report, file = convert(dict(state_dict=state), "mmaction_recognizer", model)
    assert report.ratio == 1 and not report.unexpected
    converted = load_checkpoint_safely(file)["state_dict"]
    assert all(torch.equal(converted[key], value) for key, value in model.state_dict().items())


def test_opentad_detector(foreign, convert):
    model = foreign.build()
    state = foreign.opentad(model, module="module.")
    raw = {key: torch.zeros_like(value) for key, value in state.items()}
    checkpoint = dict(state_dict=raw, state_dict_ema=state, epoch=3)
    report, file = convert(checkpoint, "opentad_adatad", model)
    assert report.ratio == 1 and not report.unexpected and not report.ignored
    cfg = Config.fromfile(foreign.config)
    same_outputs(build_model(cfg, load_checkpoint_safely(file), file), model)


@pytest.mark.parametrize("indices", [None, [0, 2, 3]])
def test_opentad_detector_of_side_placement(foreign, convert, tmp_path, indices):
    config = tmp_path / "side.py"
    config.write_text(SIDE.format(config=foreign.config, indices=indices))
    model = foreign.build(config=config)
    state = foreign.opentad(model, ladder=True)
    if indices is not None:
        with pytest.raises(ValueError, match=r"TADDetector.*at least 100%"):
            convert(state, "opentad_adatad", model)  # taken for the last three blocks
    report, file = convert(state, "opentad_adatad", model, adapter_indices=indices)
    assert report.ratio == 1 and not report.unexpected and not report.ignored
    cfg = Config.fromfile(config)
    same_outputs(build_model(cfg, load_checkpoint_safely(file), file), model)


def test_opentad_adapters_keep_their_placement(foreign, convert, tmp_path):
    """Inside or beside: the same names and shapes, and another model."""
    config = tmp_path / "side.py"
    config.write_text(SIDE.format(config=foreign.config, indices=[0, 1, 2, 3]))
    side = foreign.build(config=config)
    config.write_text(config.read_text().replace("SideVideoEncoder", "VideoEncoder"))
    inside = foreign.build(config=config)
    assert side.state_dict().keys() == inside.state_dict().keys()
    _, file = convert(foreign.opentad(side, ladder=True), "opentad_adatad", side)
    assert load_checkpoint_safely(file)["meta"]["encoder"] == dict(placement="side")
    with pytest.raises(ValueError, match="trained beside the backbone, and .* inside .*SideVideoE"):
        build_model(Config.fromfile(config), load_checkpoint_safely(file), file)
    with pytest.raises(ValueError, match="trained beside the backbone, and this config has them"):
        convert(foreign.opentad(side, ladder=True), "opentad_adatad", inside)
    for source in ("opentad_adatad", "opentad_vit"):
        with pytest.raises(ValueError, match="inside the backbone, .* beside .* to VideoEncoder"):
            convert(foreign.opentad(inside), source, side)


@pytest.mark.parametrize("source", ["opentad_vit", "opentad_adatad"])
def test_opentad_encoder_alone(foreign, convert, source):
    model = foreign.build()
    prefix = "backbone."
    state = {
        key.removeprefix(prefix): value
        for key, value in foreign.opentad(model).items()
        if key.startswith(prefix)
    }
    report, file = convert(state, source, model)
    assert report.ratio == 1 and not report.unexpected
    ours = foreign.build(seed=1)
    assert load_weights(ours.backbone.backbone, file).ratio == 1
    same = model.backbone.backbone.state_dict()
    for key, value in ours.backbone.backbone.state_dict().items():
        assert torch.equal(value, same[key]), key


# ---- refused


@pytest.mark.parametrize(
    "backbone, cause",
    [
        (dict(patch_size=8, img_size=16), "its patches are 2x8x8 and the model's 2x16x16"),
        (dict(mlp_ratio=2), r"its hidden layers are 32 wide and the model's 64 \(mlp_ratio"),
        (dict(embed_dims=8), r"8 channels wide and the model 16 \(embed_dims"),
        (dict(depth=1), r"1 blocks and the model 2 \(depth"),
        (dict(depth=3), r"3 blocks and the model 2 \(depth"),
    ],
)
def test_wrong_architecture(foreign, convert, backbone, cause):
    other = torch.nn.Module()
    other.backbone = torch.nn.Module()
    config = Config.fromfile(foreign.config).model.backbone.backbone
    model = foreign.build()
    other.backbone.backbone = MODELS.build(dict(config, **backbone))
    with pytest.raises(ValueError, match=f"{cause}.*use a checkpoint of this architecture"):
        convert(foreign.videomae(other), "videomae", model, min_match=0.1)


def test_position_table_of_another_clip_length(foreign, convert):
    model = foreign.build()
    state = foreign.mmaction(model)
    state["backbone.pos_embed"] = torch.zeros(1, 64, 16)
    with pytest.raises(ValueError, match="its position table has 64 tokens and the model's 32"):
        convert(state, "mmaction_recognizer", model, min_match=0.9)


def test_detector_without_its_head(foreign, convert):
    """A detector's file must fill the whole model, not only the backbone."""
    model = foreign.build()
    state = {k: v for k, v in foreign.opentad(model).items() if "cls_head" not in k}
    with pytest.raises(ValueError, match=r"missing 2 \(head.cls_out.bias, .* of TADDetector"):
        convert(state, "opentad_adatad", model)


def test_detector_without_its_adapters(foreign, convert):
    """One missing or all of them: what was trained is not whole."""
    model = foreign.build()
    state = foreign.opentad(model)
    for lost in (".blocks.1.adapter.", ".adapter."):
        part = {key: value for key, value in state.items() if lost not in key}
        with pytest.raises(ValueError, match=r"missing .*blocks\.\d\.adapter\..* must match"):
            convert(part, "opentad_adatad", model)
        with pytest.raises(ValueError, match=r"missing .*blocks\.\d\.adapter\.") as error:
            convert(part, "opentad_adatad", model, min_match=0.5 if lost == ".adapter." else 1)
    assert "no block of the file has backbone.backbone.blocks.*.adapter." in str(error.value)


def test_detector_with_adapters_for_a_model_without(foreign, convert, tmp_path):
    config = tmp_path / "bare.py"
    config.write_text(
        f"_base_ = {foreign.config!r}\nmodel = dict(backbone=dict(adapter_indices=[1]))\n"
    )
    state = foreign.opentad(foreign.build())
    with pytest.raises(ValueError, match=r"foreign.pth has 9 entries of adapters that this model"):
        convert(state, "opentad_adatad", foreign.build(config=config))


def test_official_detector_needs_no_normaliser(foreign, convert):
    """That project does not store it; the converted file is whole without it."""
    model = foreign.build()
    weights = {k: v for k, v in model.state_dict().items() if k != "head.normalizer.average"}
    checkpoint = dict(state_dict=weights, meta=dict(source="actionformer"))
    ours = build_model(Config.fromfile(foreign.config), checkpoint, "x.pth")
    assert float(ours.head.normalizer.average) == 100
    same_outputs(ours, model)
    del weights["head.scales.0.scale"]
    with pytest.raises(ValueError, match=r"missing 1 \(head\.scales\.0\.scale\), .* not needed"):
        build_model(Config.fromfile(foreign.config), checkpoint, "x.pth")


def test_values_beyond_half_precision(foreign, convert):
    state = foreign.videomae(foreign.build())
    state["head.bias"] = torch.full((5,), 1e6)
    with pytest.raises(ValueError, match="head.bias holds values beyond the range of fp16"):
        convert(state, "videomae", half=True)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite(foreign, convert, value):
    state = foreign.videomae(foreign.build())
    state["blocks.1.mlp.fc1.bias"] = torch.full((64,), value)
    with pytest.raises(
        ValueError, match=r"blocks\.1\.mlp\.fc1\.bias of .*foreign.pth holds numbers"
    ):
        convert(state, "videomae")


def test_converted_already(foreign, convert):
    converted = dict(state_dict=foreign.videomae(foreign.build()), meta=dict(source="videomae"))
    with pytest.raises(ValueError, match="was converted from videomae already; use it as it is"):
        convert(converted, "videomae")
