import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

from mmtad.registry import MODELS

TOOL = Path(__file__).resolve().parents[2] / "tools" / "analysis" / "attention_diversity.py"
CONFIG = """
default_scope = "mmtad"
layer = dict(embed_dims=16, num_heads=2, feedforward_channels=32)
model = dict(
    type="TADDetector",
    data_preprocessor=dict(type="TADDataPreprocessor"),
    projection=dict(
        type="ConvProjection", in_channels=6, out_channels=16, num_convs=1, groups=1
    ),
    head=dict(
        type="DETRHead",
        num_classes=2,
        encoder=dict(type="{kind}Encoder", num_layers=2, **layer),
        decoder=dict(type="{kind}Decoder", num_layers=3, num_queries=7, **layer),
        feedback={feedback},
    ),
)
test_dataloader = dict(
    batch_size=2,
    dataset=dict(
        type="FeatureDataset",
        ann_file="annotations.json",
        data_root={root!r},
        features="{{video_id}}.npy",
        feature_stride=4,
        clip_frames=4,
        window_size=16,
        sampling="sliding",
        window_overlap=0.25,
        test_mode=True,
    ),
)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Two configs, the checkpoint of one, and features of three videos, the last damaged."""
    root = tmp_path_factory.mktemp("attention")
    rng, database = np.random.default_rng(0), {}
    for name, steps in (("a", 30), ("b", 11), ("c", 20)):
        features = rng.normal(size=(steps, 6)).astype(np.float32)
        np.save(root / f"{name}.npy", features if name != "c" else features * np.nan)
        database[name] = dict(
            subset="test",
            duration=steps * 4 / 25,
            fps=25,
            annotations=[{"segment": [0.2, 1.0], "label": "run"}],
        )
    (root / "annotations.json").write_text(json.dumps({"database": database}))
    for name, kind, feedback in (
        ("dab", "DAB", "dict(type='SelfFeedbackLoss')"),
        ("deformable", "Deformable", "None"),
    ):
        text = CONFIG.format(kind=kind, feedback=feedback, root=str(root))
        (root / f"{name}.py").write_text(text)
    torch.manual_seed(1)
    with DefaultScope.overwrite_default_scope("mmtad"):
        model = MODELS.build(Config.fromfile(root / "dab.py").model)
    torch.save(dict(state_dict=model.state_dict(), meta={}), root / "dab.pth")
    head = dict(type="ActionFormerHead", num_classes=2, in_channels=16, feat_channels=16)
    (root / "dense.py").write_text(
        f"_base_ = 'dab.py'\nmodel = dict(head=dict(_delete_=True, **{head}))\n"
    )
    (root / "video.py").write_text("_base_ = 'dab.py'\nmodel = dict(backbone=dict(type='X'))\n")
    return root


@pytest.fixture
def tool(project, monkeypatch, capsys):
    def run(*arguments):
        files = (".py", ".pth")
        arguments = [str(project / a) if a.endswith(files) or a == "out" else a for a in arguments]
        monkeypatch.setattr(sys, "argv", [str(TOOL), *arguments])
        logger = MMLogger.get_current_instance()
        level = logger.level
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(TOOL), run_name="__main__")
        logger.setLevel(level)
        return stop.value.code, capsys.readouterr()

    return run


def test_compares_models_on_their_windows(tool, project):
    code, output = tool(
        *("dab.py", "dab.pth", "--compare", "deformable.py", "none"),
        *("--names", "DAB", "Deformable", "--out", "out", "--batch-size", "3"),
    )
    assert code == 0, output.err
    assert "Decoder cross-attention" in output.out and "Deformable" in output.out
    assert output.out.endswith("diversity.json and 4 pictures\n")
    content = json.loads((project / "out" / "diversity.json").read_text())
    assert content["settings"]["centre"] == "median"
    assert list(content["results"]) == ["DAB", "Deformable"]
    for one in content["results"].values():
        assert one["num_windows"] == 4  # three of a, one of b; those of c are damaged
        assert {kind: len(v) for kind, v in one["diversity"].items()} == dict(
            encoder=2, decoder=3, cross=3
        )
        assert all(value > 0 for values in one["diversity"].values() for value in values)
    own = content["results"]["DAB"]
    cell = f"{own['diversity']['encoder'][0]:.3f} ± {own['deviation']['encoder'][0]:.3f}"
    assert f"{cell} ({own['relative']['encoder'][0]:.2f})" in output.out
    names = {file.name for file in (project / "out").iterdir()}
    pictures = {f"maps_{kind}.png" for kind in ("encoder", "decoder", "cross")}
    assert names == {"diversity.json", "diversity.png", *pictures}


def test_random_features_and_options(tool, project, tmp_path):
    code, output = tool(
        *("dab.py", "dab.pth", "--random-features", "5", "--batch-size", "2", "--centre", "mean"),
        *("--heads", "each", "--out", str(tmp_path), "--dpi", "60"),
        *("--cfg-options", "test_dataloader.dataset.ann_file=missing.json"),
    )
    assert code == 0, output.err
    content = json.loads((tmp_path / "diversity.json").read_text())
    assert content["settings"] == dict(centre="mean", heads="each", random_features=5)
    assert content["results"]["dab"]["num_windows"] == 5
    again = tmp_path / "again"
    assert tool("dab.py", "dab.pth", "--random-features", "5", "--out", str(again))[0] == 0
    other = json.loads((again / "diversity.json").read_text())["results"]["dab"]
    assert other["diversity"]["decoder"] != content["results"]["dab"]["diversity"]["decoder"]


def test_model_names():
    names = runpy.run_path(str(TOOL))["model_names"]
    assert names(["x/a.py", "y/b.py"], None) == ["a", "b"]
    assert names(["x/a.py", "y/a.py"], None) == ["a (1)", "a (2)"]
    with pytest.raises(ValueError, match="a name per model: 1, got 2"):
        names(["a"], ["b", "c"])
    with pytest.raises(ValueError, match="two models have the same name"):
        names(["a", "b"], ["c", "c"])


@pytest.mark.parametrize(
    "arguments,message",
    [
        (["missing.py", "none"], "missing.py does not exist"),
        (["dab.py", "missing.pth"], "missing.pth"),
        (["deformable.py", "dab.pth"], "dab.pth"),
        (["dense.py", "none"], "no module of TADDetector can show its attention map"),
        (["video.py", "none", "--random-features", "2"], "needs a detector on features"),
        (["dab.py", "none", "--names", "a", "b"], "--names needs a name per model: 1, got 2"),
        (["dab.py", "none", "--device", "abacus"], "device 'abacus' is not available"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message, tool, tmp_path):
    code, output = tool(*arguments, "--out", str(tmp_path))
    assert code == 1
    assert message in output.err and "error: " in output.err
    assert output.err.splitlines()[-1].startswith("error: ")
