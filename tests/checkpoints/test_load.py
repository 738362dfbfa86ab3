import argparse
import logging
import os

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from torch import nn

from mmtad.checkpoints import (
    align_keys,
    extract_state_dict,
    load_checkpoint_safely,
    load_report,
    load_weights,
)
from mmtad.checkpoints.report import compare
from mmtad.registry import WEIGHT_INITIALIZERS

MODULE = "mmtad.checkpoints"


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))


def weights(value=7.0, prefix=""):
    return {f"{prefix}{k}": torch.full_like(v, value) for k, v in small().state_dict().items()}


@pytest.fixture
def log(monkeypatch):
    lines = []
    monkeypatch.setattr(
        f"{MODULE}.report.print_log",
        lambda text, logger=None, level=logging.INFO: lines.append((level, text)),
    )
    return lines


# ---- safe reading


class Payload:
    """Writes a file if it is unpickled freely."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("function, name", [(os.system, "system"), (exec, "exec"), (eval, "eval")])
def test_code_in_a_file_is_not_run(tmp_path, function, name, legacy):
    flag, file = tmp_path / "flag", tmp_path / "evil.pth"
    command = f"touch {flag}" if function is os.system else f"open({str(flag)!r}, 'w')"
    state = dict(state_dict=weights(), meta=Payload(function, command))
    torch.save(state, file, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ValueError, match=rf"evil\.pth holds [\w.]*{name}, which is not data"):
        load_checkpoint_safely(str(file))
    assert not flag.exists()


def test_getattr_in_a_file_reaches_nothing(tmp_path):
    """MMEngine's log history refers to getattr; what it returns here is only the name."""
    file = tmp_path / "evil.pth"
    torch.save(dict(a=Payload(getattr, HistoryBuffer, "mean")), file)
    assert load_checkpoint_safely(str(file)) == dict(a="mean")


def test_file_cannot_replace_methods_of_the_history(tmp_path):
    file = tmp_path / "evil.pth"
    history = HistoryBuffer([1.0, 3.0], [1, 1])
    history.__dict__["statistics_methods"] = {}
    table = dict(HistoryBuffer._statistics_methods)
    try:
        HistoryBuffer._statistics_methods["mean"] = HistoryBuffer.max
        torch.save(history, file)
    finally:
        HistoryBuffer._statistics_methods.update(table)
    loaded = load_checkpoint_safely(str(file))
    assert type(loaded) is HistoryBuffer and loaded.statistics("mean") == 2
    assert HistoryBuffer._statistics_methods == table


def test_harmless_types_load(tmp_path):
    file = tmp_path / "full.pth"
    meta = dict(
        epoch=3,
        best=np.float64(0.5),
        ids=np.arange(4),
        names=np.array(["a", "b"]),
        flag=np.bool_(True),
        args=argparse.Namespace(lr=0.1),
        classes=("x", "y"),
    )
    torch.save(dict(state_dict=weights(), meta=meta), file)
    loaded = load_checkpoint_safely(str(file))["meta"]
    assert loaded["best"] == 0.5 and loaded["ids"].tolist() == [0, 1, 2, 3]
    assert loaded["names"].tolist() == ["a", "b"] and loaded["args"].lr == 0.1
    assert loaded["flag"] and loaded["classes"] == ("x", "y") and loaded["epoch"] == 3


def test_allowed_types_do_not_leak():
    before = list(torch.serialization.get_safe_globals())
    with pytest.raises(FileNotFoundError):
        load_checkpoint_safely("absent.pth")
    assert list(torch.serialization.get_safe_globals()) == before


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.pth does not exist; check the path"):
        load_checkpoint_safely(str(tmp_path / "absent.pth"))
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_checkpoint_safely(str(tmp_path))


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "flipped"])
def test_damaged_file(tmp_path, damage):
    file = tmp_path / "bad.pth"
    torch.save(weights(), file)
    content = file.read_bytes()
    file.write_bytes(
        dict(
            truncated=content[: len(content) // 2],
            empty=b"",
            text=b"<html>not found</html>",
            flipped=content[:60] + b"\xff" * 40 + content[100:],
        )[damage]
    )
    with pytest.raises(ValueError, match=r"bad\.pth \(\d+ bytes\) cannot be read.*again"):
        load_checkpoint_safely(str(file))


# ---- finding the weights


@pytest.mark.parametrize(
    "wrap", [(), ("state_dict",), ("model",), ("module",), ("state_dict", "model")]
)
def test_wrappers(wrap):
    checkpoint = weights()
    for key in wrap:
        checkpoint = {key: checkpoint, "epoch": 3}
    assert extract_state_dict(checkpoint).keys() == weights().keys()


def test_averaged_weights_come_first():
    found = extract_state_dict(dict(state_dict=weights(1), state_dict_ema=weights(2)))
    assert found["0.bias"][0] == 2
    assert extract_state_dict(dict(state_dict=weights(1), state_dict_ema={}))["0.bias"][0] == 1


@pytest.mark.parametrize("content", [{}, [], "text", dict(epoch=3), dict(state_dict=dict(a=1))])
def test_no_weights(content):
    with pytest.raises(ValueError, match=r"x\.pth holds no weights .*expected a state dict"):
        extract_state_dict(content, "x.pth")


@pytest.mark.parametrize("prefix", ["", "module.", "backbone.", "module.backbone.model.backbone."])
def test_prefixes(prefix):
    other = {"cls_head.fc.weight": torch.zeros(1), "neck.0.weight": torch.zeros(9)}
    aligned = align_keys({**weights(prefix=prefix), **other}, small())
    assert aligned.keys() == weights().keys() | other.keys()
    assert aligned["0.weight"].shape == (3, 2)


# ---- the report


def test_report_counts_and_names(log):
    model = small()
    state = weights()
    del state["0.bias"]
    state["1.weight"] = torch.zeros(1, 4)
    state["head.weight"] = torch.zeros(1)
    report = load_report(model, state, min_match=0.5, source="some.pth")
    assert report.matched == ["0.weight", "1.bias"] and report.missing == ["0.bias"]
    assert report.unexpected == ["head.weight"]
    assert report.wrong_shape == [("1.weight", (1, 4), (1, 3))]
    assert report.ratio == 0.5
    assert log == [
        (
            logging.WARNING,
            "Weights from some.pth: matched 2/4, missing 1 (0.bias), unexpected 1 (head.weight), "
            "wrong shape 1 (1.weight: file (1, 4), model (1, 3))",
        ),
        (
            logging.WARNING,
            "NOT LOADED, 2 parameters keep their random start: 0.bias, 1.weight",
        ),
    ]
    assert (model[0].weight == 7).all() and (model[1].bias == 7).all()


def test_too_few_matches_change_nothing(log):
    model, before = small(), small().state_dict()
    with pytest.raises(
        ValueError, match=r"some\.pth: matched 1/4.* 25% of Sequential, and at leas"
    ):
        load_report(model, {"0.bias": torch.zeros(3)}, source="some.pth")
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert log == []


def test_ignored_entries_do_not_count(log):
    model = small()
    state = weights()
    del state["1.weight"], state["1.bias"]
    report = load_report(model, state, ignore_missing=[r"^1\."])
    assert report.ratio == 1 and report.ignored == ["1.bias", "1.weight"]
    assert log[0][0] == logging.INFO
    assert load_report(model, weights(), ignore_missing=[r"^1\."]).expected == 4


def test_long_lists_are_cut(log):
    load_report(small(), {**weights(), **{f"x{i}": torch.zeros(1) for i in range(5)}})
    assert "unexpected 5 (x0, x1, x2, ...)" in log[0][1]


def test_strict_refuses_what_a_share_overlooks():
    """One patch embedding among hundreds of entries that fit."""
    model, state = small(), weights()
    del state["1.weight"], state["1.bias"]
    assert load_report(model, state, min_match=0.5).empty_parts == ["1"]
    with pytest.raises(ValueError, match="Sequential would keep random weights in 1: use a check"):
        load_report(small(), state, min_match=0.5, strict=True)
    state = {**weights(), "1.weight": torch.zeros(1, 4)}
    with pytest.raises(ValueError, match="would keep random weights in 1.weight: use a checkpoint"):
        load_report(small(), state, min_match=0.5, strict=True)
    assert load_report(small(), weights(), strict=True).empty_parts == []


def vit_shapes(width=8, depth=2, patch=16, ratio=4, tokens=32):
    """Entries of a transformer, as far as they tell its architecture."""
    shapes = {"pos_embed": (1, tokens, width), "patch_embed.projection.bias": (width,)}
    shapes["patch_embed.projection.weight"] = (width, 3, 2, patch, patch)
    for i in range(depth):
        shapes[f"blocks.{i}.norm1.weight"] = (width,)
        shapes[f"blocks.{i}.mlp.layers.0.0.weight"] = (int(ratio * width), width)
    return shapes


CAUSES = {
    "its patches are 2x14x14 and the model's 2x16x16 (tubelet_size, patch_size)": dict(patch=14),
    "its position table has 64 tokens and the model's 32: give the backbone the img": dict(
        tokens=64
    ),
    "its hidden layers are 40 wide and the model's 32 (mlp_ratio)": dict(ratio=5),
    "the file is 16 channels wide and the model 8 (embed_dims)": dict(width=16),
    "the file has 3 blocks and the model 2 (depth)": dict(depth=3),
    "the file has 1 blocks and the model 2 (depth)": dict(depth=1),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_other_architectures_are_named(cause):
    class Model(nn.Module):
        def state_dict(self):
            return {key: torch.zeros(shape) for key, shape in vit_shapes().items()}

    state = {key: torch.zeros(shape) for key, shape in vit_shapes(**CAUSES[cause]).items()}
    report = compare(Model(), state)
    assert len(report.causes) == 1 and cause in report.causes[0]
    assert str(report).endswith(f"; {report.causes[0]}")


def test_a_deeper_file_is_no_silent_match(log):
    """All entries of the model are met, and still the models are not the same."""
    model = nn.Module()
    model.blocks = nn.ModuleList([nn.Linear(2, 2)])
    state = {f"blocks.{i}.{k}": v for i in (0, 1) for k, v in nn.Linear(2, 2).state_dict().items()}
    load_report(model, state, strict=True)
    assert log[0][0] == logging.WARNING and "the file has 2 blocks and the model 1" in log[0][1]


# ---- all together


def test_load_weights(tmp_path):
    file = tmp_path / "recognizer.pth"
    state = {**weights(prefix="module.backbone."), "module.cls_head.weight": torch.zeros(2)}
    torch.save(dict(state_dict=state, meta={}), file)
    model = small()
    report = load_weights(model, str(file))
    assert report.ratio == 1 and report.unexpected == ["module.cls_head.weight"]
    assert (model[1].weight == 7).all()
    with pytest.raises(ValueError, match="unknown source 'nowhere'; known are .*opentad_vit"):
        load_weights(model, str(file), source="nowhere")
    with pytest.raises(
        ValueError, match="not of source 'videomae'.*looks like mmaction_recognizer"
    ):
        load_weights(model, str(file), source="videomae")


def test_forgotten_source_is_named(tmp_path):
    file = tmp_path / "vit.pth"
    state = dict.fromkeys(["blocks.0.mlp.fc1.weight", "patch_embed.proj.bias"], torch.zeros(1))
    torch.save(dict(model=state), file)
    with pytest.raises(
        ValueError, match=r"vit\.pth \(by its names of source 'videomae'\): matched 0"
    ):
        load_weights(small(), str(file))


def test_a_converted_file_needs_no_source(tmp_path):
    file = tmp_path / "converted.pth"
    torch.save(dict(state_dict=weights(), meta=dict(source="videomae")), file)
    for source in (None, "videomae"):
        assert load_weights(small(), str(file), source).ratio == 1


@pytest.mark.parametrize("registry", ["mmengine", "mmtad"])
def test_as_init_cfg(tmp_path, registry):
    from mmengine.model.weight_init import initialize

    file = tmp_path / "weights.pth"
    torch.save(weights(), file)
    config = dict(type="mmtad.PretrainedWeights", checkpoint=str(file))
    model = small()
    if registry == "mmengine":
        initialize(model, config)
    else:
        WEIGHT_INITIALIZERS.build(config)(model)
    assert (model[0].weight == 7).all()


def test_mmengine_checkpoint_with_averaged_weights(tmp_path):
    """A file of MMEngine's Runner: it loads, and its state_dict holds the averaged weights."""
    from mmengine.model import BaseModel
    from mmengine.runner import Runner

    class Model(BaseModel):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(2, 1)

        def forward(self, x, mode="tensor"):
            return dict(loss=self.fc(torch.stack(x)).mean())

    data = [dict(x=torch.ones(2) * i) for i in range(4)]
    runner = Runner(
        Model(),
        str(tmp_path),
        train_dataloader=dict(
            dataset=data, batch_size=2, sampler=dict(type="DefaultSampler", shuffle=False)
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type="AdamW", lr=0.1)),
        param_scheduler=dict(type="LinearLR", start_factor=0.1),
        default_hooks=dict(logger=dict(type="LoggerHook", interval=1)),
        custom_hooks=[dict(type="EMAHook", momentum=0.5)],
        experiment_name="averaged_weights",
        default_scope="mmtad",
    )
    runner.train()
    checkpoint = load_checkpoint_safely(str(tmp_path / "epoch_1.pth"))
    averaged = next(h for h in runner.hooks if type(h).__name__ == "EMAHook").ema_model.module
    raw = runner.model.fc.weight
    assert torch.equal(extract_state_dict(checkpoint)["fc.weight"], averaged.fc.weight)
    assert torch.equal(checkpoint["ema_state_dict"]["module.fc.weight"], raw)
    assert not torch.equal(averaged.fc.weight, raw)
    history = checkpoint["message_hub"]["log_scalars"]["train/loss"]
    assert type(history) is HistoryBuffer and np.isfinite(history.mean())
