"""Foreign checkpoints, made by renaming our own tiny models backwards, through the tool."""

import hashlib
import re
import runpy
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmtad.apis.model_setup import build_model
from mmtad.checkpoints import load_checkpoint_safely, load_weights
from mmtad.registry import MODELS

pytest.importorskip("mmaction")

ROOT = Path(__file__).parents[2]
TOOL = str(ROOT / "tools" / "convert_checkpoint.py")
CONFIG = str(ROOT / "tests" / "apis" / "tiny_config.py")
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


SIDE = """
_base_ = {config!r}
model = dict(
    backbone=dict(
        type="SideVideoEncoder", backbone=dict(depth=4), adapter_indices={indices}
    )
)
"""


def build(seed=0, config=CONFIG):
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
def tool(tmp_path, monkeypatch, capsys):
    """``tool(checkpoint, "--source", ..)`` -> (exit status, what it printed, file)."""

    def run(checkpoint, *arguments):
        source, target = tmp_path / "foreign.pth", tmp_path / "new" / "converted.pth"
        torch.save(checkpoint, source)
        monkeypatch.setattr(sys, "argv", [TOOL, str(source), str(target), *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(TOOL, run_name="__main__")
        shown = capsys.readouterr()
        return end.value.code, shown.out + shown.err, str(target)

    return run


def same_outputs(ours, model):
    frames, masks = torch.randn(1, 3, 32, 32, 32), torch.ones(1, 32, dtype=torch.bool)
    with torch.no_grad():
        features = model.backbone(frames, 32)
        torch.testing.assert_close(ours.backbone(frames, 32), features, rtol=1e-5, atol=1e-5)
        found, expected = ours(frames, masks), model(frames, masks)
    for a, b in zip(found.class_logits, expected.class_logits, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def take_adapters(ours, model):
    """Everything but the backbone's own weights, which the file is to bring."""
    state = model.state_dict()
    ours.load_state_dict(
        {k: v for k, v in state.items() if not k.startswith(ENCODER) or ".adapter." in k},
        strict=False,
    )


# ---- every layout


@pytest.mark.parametrize("pretraining", [False, True])
@pytest.mark.parametrize("wrapper", ["model", "module", None])
def test_videomae(tool, wrapper, pretraining):
    model = build()
    state = videomae(model, pretraining)
    checkpoint = {wrapper: state, "epoch": 1} if wrapper else state
    status, shown, file = tool(checkpoint, "--source", "videomae", "--config", CONFIG)
    assert status == 0, shown
    assert "for the model's backbone.backbone: matched" in shown
    assert "missing 0" in shown and "wrong shape 0" in shown and "not needed" in shown
    ours = build(seed=1)
    take_adapters(ours, model)
    report = load_weights(ours.backbone.backbone, file, ignore_missing=[r"(^|\.)adapter\."])
    assert report.ratio == 1
    same_outputs(ours, model)


def test_mmaction_recognizer(tool):
    model = build()
    checkpoint = dict(state_dict=mmaction(model), meta=dict(epoch=3))
    status, shown, file = tool(checkpoint, "--source", "mmaction_recognizer", "--config", CONFIG)
    assert status == 0, shown
    ours = build(seed=1)
    take_adapters(ours, model)
    load_weights(ours.backbone.backbone, file, ignore_missing=[r"(^|\.)adapter\."])
    same_outputs(ours, model)


def test_opentad_detector(tool):
    model = build()
    state = opentad(model, module="module.")
    other = {key: torch.zeros_like(value) for key, value in state.items()}
    checkpoint = dict(state_dict=other, state_dict_ema=state, epoch=3)
    status, shown, file = tool(checkpoint, "--source", "opentad_adatad", "--config", CONFIG)
    assert status == 0, shown
    assert "missing 0, unexpected 0, wrong shape 0" in shown
    ours = build_model(Config.fromfile(CONFIG), load_checkpoint_safely(file), file)
    same_outputs(ours, model)


@pytest.mark.parametrize("indices", [None, [0, 2, 3]])
def test_opentad_detector_of_side_placement(tool, tmp_path, indices):
    config = tmp_path / "side.py"
    config.write_text(SIDE.format(config=CONFIG, indices=indices))
    model = build(config=config)
    arguments = ["--source", "opentad_adatad", "--config", config]
    state = opentad(model, ladder=True)
    if indices is not None:
        error = refused(tool(state, *arguments))  # taken for the last three blocks
        assert "blocks.0.adapter" in error and "TADDetector" in error
        arguments += ["--adapter-indices", *indices]
    status, shown, file = tool(state, *arguments)
    assert status == 0, shown
    assert "missing 0, unexpected 0, wrong shape 0" in shown
    ours = build_model(Config.fromfile(config), load_checkpoint_safely(file), file)
    same_outputs(ours, model)


def test_opentad_encoder_alone(tool):
    model = build()
    prefix = "backbone.model.backbone."
    state = {k: v for k, v in opentad(model).items() if k.startswith(prefix)}
    status, shown, file = tool(state, "--source", "opentad_vit", "--config", CONFIG)
    assert status == 0 and "Sequential" not in shown, shown
    ours = build(seed=1)
    assert load_weights(ours.backbone.backbone, file).ratio == 1
    same = model.backbone.backbone.state_dict()
    for key, value in ours.backbone.backbone.state_dict().items():
        assert torch.equal(value, same[key]), key


@pytest.mark.parametrize(
    "backbone, part",
    [
        (
            dict(type="mmaction.ResNet3dSlowOnly", depth=50, base_channels=4, lateral=False),
            "layer1.0.conv1.conv.weight",
        ),
        (
            dict(type="mmaction.SwinTransformer3D", arch="tiny", pretrained2d=False),
            "layers.0.blocks.0.attn.qkv.weight",
        ),
    ],
)
def test_other_backbones_of_mmaction(tool, tmp_path, backbone, part):
    torch.manual_seed(0)
    theirs = MODELS.build(backbone)
    state = {f"backbone.{key}": value for key, value in theirs.state_dict().items()}
    config = tmp_path / "config.py"
    config.write_text(f"model = {backbone!r}\n")
    status, shown, file = tool(
        dict(state_dict=state), "--source", "mmaction_recognizer", "--config", config
    )
    assert status == 0 and "missing 0, unexpected 0" in shown, shown
    converted = load_checkpoint_safely(file)["state_dict"]
    assert torch.equal(converted[part], state[f"backbone.{part}"])


# ---- the file


def test_what_is_written(run_tool, tmp_path):
    source, target = tmp_path / "vit.pth", tmp_path / "new.pth"
    weights = videomae(build())
    # A view: what is written must not drag along all that it looks at.
    weights["head.bias"] = torch.zeros(10**6)[:5]
    torch.save(dict(module=weights), source)
    done = run_tool("convert_checkpoint.py", source, target, "--source", "videomae", "--half")
    assert done.returncode == 0, done.stderr
    assert "new.pth: 32 entries of videomae" in done.stdout and "--config" in done.stdout
    written = load_checkpoint_safely(str(target))
    assert written.keys() == {"state_dict", "meta"}
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert written["meta"] == dict(source="videomae", file="vit.pth", sha256=digest)
    assert {value.dtype for value in written["state_dict"].values()} == {torch.float16}
    assert target.stat().st_size < 200_000
    again = run_tool("convert_checkpoint.py", source, target, "--source", "videomae")
    assert again.returncode == 1 and again.stderr.count("\n") == 1
    assert "new.pth exists; name another file, or replace it with --force" in again.stderr
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["new.pth", "vit.pth"]


def test_force(tool):
    state = videomae(build())
    assert tool(state, "--source", "videomae")[0] == 0
    assert tool(state, "--source", "videomae")[0] == 1
    assert tool(state, "--source", "videomae", "--force")[0] == 0


def test_list(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [TOOL, "--list"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(TOOL, run_name="__main__")
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert "videomae " in shown and "opentad_adatad " in shown and "recognizers" in shown


# ---- refused


def refused(result):
    status, shown, file = result
    assert status == 1 and not Path(file).exists()
    error = shown.strip().splitlines()[-1]
    assert error.startswith("error: ")
    return error


def test_wrong_source(tool):
    state = videomae(build())
    error = refused(tool(state, "--source", "mmaction_recognizer"))
    assert "foreign.pth is not of source 'mmaction_recognizer'" in error
    assert error.endswith("it looks like videomae")
    assert "unknown source 'vit'; known are " in refused(tool(state, "--source", "vit"))
    assert "say with --source of which project" in refused(tool(state))
    assert "takes no adapter_indices" in refused(
        tool(state, "--source", "videomae", "--adapter-indices", 1)
    )


@pytest.mark.parametrize(
    "backbone, cause",
    [
        (dict(patch_size=8, img_size=16), "its patches are 2x8x8 and the model's 2x16x16"),
        (dict(mlp_ratio=2), "its hidden layers are 32 wide and the model's 64 (mlp_ratio)"),
        (dict(embed_dims=8), "8 channels wide and the model 16 (embed_dims)"),
        (dict(depth=1), "1 blocks and the model 2 (depth)"),
    ],
)
def test_wrong_architecture(tool, backbone, cause):
    torch.manual_seed(0)
    config = dict(Config.fromfile(CONFIG).model.backbone.backbone, **backbone)
    model = torch.nn.Module()
    model.backbone = torch.nn.Module()
    model.backbone.backbone = MODELS.build(config)
    error = refused(
        tool(videomae(model), "--source", "videomae", "--config", CONFIG, "--min-match", 0.1)
    )
    assert cause in error and "use a checkpoint of this architecture" in error


def test_position_table_of_another_clip_length(tool):
    state = mmaction(build())
    state["backbone.pos_embed"] = torch.zeros(1, 64, 16)
    arguments = "--source", "mmaction_recognizer", "--config", CONFIG
    error = refused(tool(state, *arguments, "--min-match", 0.9))
    assert "its position table has 64 tokens and the model's 32" in error


def test_detector_without_its_head(tool):
    """A detector's file must fill the whole model, not only the backbone."""
    state = {k: v for k, v in opentad(build()).items() if "cls_head" not in k}
    error = refused(tool(state, "--source", "opentad_adatad", "--config", CONFIG))
    assert "missing 2 (head.cls_out.bias, head.cls_out.weight)" in error and "TADDetector" in error


def test_other_refusals(tool, tmp_path):
    state = videomae(build())
    error = refused(tool(state, "--source", "videomae", "--config", tmp_path / "none.py"))
    assert "none.py does not exist" in error
    (tmp_path / "empty.py").write_text("a = 1\n")
    error = refused(tool(state, "--source", "videomae", "--config", tmp_path / "empty.py"))
    assert "empty.py has no model" in error
    assert "holds no weights" in refused(tool(dict(epoch=1), "--source", "videomae"))
    large = {**state, "head.bias": torch.full((5,), 1e6)}
    error = refused(tool(large, "--source", "videomae", "--half"))
    assert "head.bias holds values beyond the range of fp16" in error
    converted = dict(state_dict=state, meta=dict(source="videomae"))
    error = refused(tool(converted, "--source", "videomae"))
    assert "was converted from videomae already" in error
