import argparse
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
    load_weights,
)
from mmtad.registry import WEIGHT_INITIALIZERS


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))


def weights(value=7.0, prefix=""):
    return {f"{prefix}{k}": torch.full_like(v, value) for k, v in small().state_dict().items()}


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
