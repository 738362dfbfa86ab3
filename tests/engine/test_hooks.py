"""What the hooks tell the data sets."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from torch.utils.data import ConcatDataset, Dataset

from mmtad.checkpoints import align_keys, extract_state_dict, load_checkpoint_safely
from mmtad.engine.hooks import SeedHook, report_setting


class Clock(Dataset):
    told = None

    def __len__(self) -> int:
        return 3

    def set_epoch(self, epoch: int, seed: int) -> None:
        self.told = (epoch, seed)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: inner[0],
        ConcatDataset,
        lambda inner: SimpleNamespace(dataset=ConcatDataset(inner)),  # as RepeatDataset
    ],
)
def test_epoch_reaches_wrapped_data_sets(wrap):
    inner = [Clock(), Clock()]
    wrapped = wrap(inner)
    loader = SimpleNamespace(dataset=wrapped, sampler=object())
    runner = SimpleNamespace(train_dataloader=loader, epoch=4, seed=7, _randomness_cfg={})
    SeedHook().before_train_epoch(runner)
    expected = inner[:1] if wrapped is inner[0] else inner
    assert all(data.told == (4, 7) for data in expected)


# ---- what a checkpoint fills


def weights_of(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


def loaded(runner, model, checkpoint, folder, hooks=(), **kwargs):
    """The weights that a test of this file would use, and those of the average."""
    torch.save(checkpoint, folder / "x.pth")
    run = runner(folder, model, hooks, load_from=str(folder / "x.pth"), **kwargs)
    run.call_hook("before_run")
    run.load_or_resume()
    run.call_hook("before_test_epoch")
    return weights_of(run.model)


@pytest.mark.parametrize("hook", ["EMAHook", "TrainableEMAHook", "SeedHook"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda good, bad: dict(state_dict=bad, state_dict_ema=good, epoch=3),
        lambda good, bad: dict(model=good),
        lambda good, bad: dict(state_dict={f"module.{k}": v for k, v in good.items()}),
        lambda good, bad: dict(model={"module": {f"module.{k}": v for k, v in good.items()}}),
        lambda good, bad: good,
        lambda good, bad: dict(
            state_dict=good, ema_state_dict={f"module.{k}": v for k, v in bad.items()}
        ),
    ],
)
def test_weights_are_found_as_inference_finds_them(runner, detector, tmp_path, wrap, hook):
    torch.manual_seed(3)
    good, model = weights_of(detector()), detector()
    bad = {key: torch.zeros_like(value) for key, value in good.items()}
    checkpoint = wrap(good, bad)
    expected = align_keys(extract_state_dict(checkpoint), detector())
    assert all(torch.equal(good[key], expected[key]) for key in good)
    found = loaded(runner, model, checkpoint, tmp_path, [hook])
    assert found.keys() == good.keys()
    assert all(torch.equal(found[key], good[key]) for key in good)


def test_the_setting_is_named_by_its_place(runner, detector, tmp_path):
    weights = weights_of(detector())
    weights["head.0.bias"] = torch.zeros(5)
    cfg = Config(dict(custom_hooks=[dict(type="SeedHook"), dict(type="mmtad.LoadReportHook")]))
    with pytest.raises(ValueError, match=r"or lower custom_hooks\.1\.min_match$"):
        loaded(runner, detector(), weights, tmp_path, cfg=cfg)
    with pytest.raises(ValueError, match="or lower min_match of LoadReportHook in custom_hooks$"):
        loaded(runner, detector(), weights, tmp_path)


@pytest.mark.parametrize("settings", [{}, dict(min_match=0.8)])
def test_setting_of_a_config(settings):
    cfg = dict(custom_hooks=[dict(type="SeedHook"), dict(type="LoadReportHook", **settings)])
    expected = "custom_hooks.1.min_match", settings.get("min_match", 1.0)
    assert report_setting(cfg) == expected
    assert report_setting({})[1] == 1.0


def test_placement_is_recorded_and_compared(runner, detector, tmp_path):
    class SideVideoEncoder(type(detector().backbone)):
        adapted = [3]

    model = detector()
    model.backbone.adapted = [3]
    runner(tmp_path, model, ["TrainableEMAHook"], epochs=1).train()
    checkpoint = load_checkpoint_safely(str(tmp_path / "epoch_1.pth"))
    record = dict(placement="inside", blocks=[3], couples_clips=False)
    assert checkpoint["meta"]["encoder"] == record
    side = detector()
    side.backbone = SideVideoEncoder()
    for resume in (False, True):
        with pytest.raises(ValueError, match="trained inside the backbone, and this config has th"):
            loaded(runner, side, checkpoint, tmp_path, resume=resume)


def test_nothing_is_recorded_without_an_encoder(runner, detector, tmp_path):
    runner(tmp_path, detector(), epochs=1).train()
    assert "encoder" not in load_checkpoint_safely(str(tmp_path / "epoch_1.pth"))["meta"]
