"""Checkpoints without the frozen backbone, and how it comes back."""

import logging

import pytest
import torch
from mmengine.hooks import Hook
from torch import nn

from mmtad.checkpoints import load_checkpoint_safely
from mmtad.engine.frozen_part import RECORD, file_sha256, restore_frozen_part

SLIM = ("TrainableEMAHook", "SlimCheckpointHook")


def entries(file):
    checkpoint = load_checkpoint_safely(str(file))
    average = {f"ema.{key}": value for key, value in checkpoint["ema_state_dict"].items()}
    return {**checkpoint["state_dict"], **average}


@pytest.fixture
def log(monkeypatch):
    lines = []

    def note(text, logger=None, level=logging.INFO):
        lines.append(str(text))

    for module in ("frozen_part", "slim_checkpoints"):
        monkeypatch.setattr(f"mmtad.engine.{module}.print_log", note)
    monkeypatch.setattr("mmtad.checkpoints.report.print_log", note)
    return lines


@pytest.fixture(scope="module")
def slim(tmp_path_factory, pretrained, runner, detector):
    """Folder of a run with slim checkpoints."""
    folder = tmp_path_factory.mktemp("slim")
    torch.manual_seed(1)
    runner(folder, detector(pretrained=pretrained), SLIM).train()
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory, pretrained, runner, detector):
    """The same run with MMEngine's checkpoints."""
    folder = tmp_path_factory.mktemp("whole")
    torch.manual_seed(1)
    runner(folder, detector(pretrained=pretrained), ["EMAHook"]).train()
    return folder


def load(runner, model, file, folder, hooks=()):
    """Load a checkpoint as tools/test.py does: without init_weights."""
    run = runner(folder, model, hooks, load_from=str(file))
    run.call_hook("before_run")
    run.load_or_resume()
    return run.model.state_dict()


def test_holds_what_was_trained_and_a_record(slim, whole, pretrained):
    small, large = slim / "epoch_2.pth", whole / "epoch_2.pth"
    assert small.stat().st_size < large.stat().st_size / 10
    checkpoint, full = load_checkpoint_safely(str(small)), load_checkpoint_safely(str(large))
    record = checkpoint["meta"][RECORD]
    assert record["file"] == str(pretrained) and record["sha256"] == file_sha256(str(pretrained))
    assert record["prefix"] == "backbone.backbone."
    kept = checkpoint["state_dict"]
    assert not any("backbone" in key and "adapter" not in key for key in kept)
    assert kept.keys() | {f"backbone.backbone.{key}" for key in record["entries"]} == (
        full["state_dict"].keys()
    )
    assert len(record["entries"]) == len(full["state_dict"]) - len(kept)
    assert all(torch.equal(kept[key], full["state_dict"][key]) for key in kept)


@pytest.mark.parametrize("hooks", [("EMAHook",), ("TrainableEMAHook",), SLIM, ()])
def test_test_fills_it_from_the_file(
    slim, whole, runner, detector, pretrained, tmp_path, log, hooks
):
    weights = load(runner, detector(pretrained=pretrained), slim / "epoch_2.pth", tmp_path, hooks)
    expected = load_checkpoint_safely(str(whole / "epoch_2.pth"))["state_dict"]
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[key], expected[key]) for key in expected)
    assert any("11 entries from" in line and "as in the training" in line for line in log)
    assert any("matched 10/10" in line and "not needed from the file 11" in line for line in log)


def test_a_config_without_the_file_takes_the_recorded_one(slim, runner, detector, tmp_path):
    weights = load(runner, detector(), slim / "epoch_2.pth", tmp_path)
    stored = load_checkpoint_safely(str(slim / "epoch_2.pth"))["state_dict"]
    assert all(torch.equal(weights[key], stored[key]) for key in stored)


@pytest.mark.parametrize("hook", ["EMAHook", "TrainableEMAHook"])
def test_resume_is_bit_for_bit(slim, whole, runner, detector, pretrained, tmp_path, hook):
    torch.manual_seed(8)
    run = runner(
        tmp_path, detector(pretrained=pretrained), [hook, "SlimCheckpointHook"], resume=True,
        load_from=str(slim / "epoch_1.pth"),
    )  # fmt: skip
    run.train()
    once, again = entries(slim / "epoch_2.pth"), entries(tmp_path / "epoch_2.pth")
    assert once.keys() == again.keys()
    assert not [key for key in once if not torch.equal(once[key], again[key])]
    full = load_checkpoint_safely(str(whole / "epoch_2.pth"))
    average = next(h for h in run.hooks if type(h).__name__ == hook).ema_model.module.state_dict()
    assert all(torch.equal(average[key], full["state_dict"][key]) for key in average)
    assert str(full["optimizer"]) == str(
        load_checkpoint_safely(str(tmp_path / "epoch_2.pth"))["optimizer"]
    )


def test_whole_checkpoints_resume_under_the_hooks(
    slim, whole, runner, detector, pretrained, tmp_path
):
    model = detector(pretrained=pretrained)
    resumed = dict(resume=True, load_from=str(whole / "epoch_1.pth"))
    runner(tmp_path, model, SLIM, **resumed).train()
    once, again = entries(slim / "epoch_2.pth"), entries(tmp_path / "epoch_2.pth")
    assert not [key for key in once if not torch.equal(once[key], again[key])]


def test_another_file_is_refused(slim, runner, detector, tmp_path):
    other = tmp_path / "other.pth"
    torch.save(dict(state_dict=detector(adapter=False).backbone.backbone.state_dict()), other)
    said = r"epoch_2.pth leaves out .*other.pth, .* is another file .* set model.backbone.pretrai"
    with pytest.raises(ValueError, match=said):
        load(runner, detector(pretrained=other), slim / "epoch_2.pth", tmp_path)


def test_a_missing_file_is_named(slim, runner, detector, tmp_path):
    model = detector(pretrained=tmp_path / "gone.pth")
    with pytest.raises(ValueError, match="epoch_2.pth leaves out .*gone.pth, .* does not exist"):
        load(runner, model, slim / "epoch_2.pth", tmp_path)


def test_records_are_checked(slim, detector, pretrained):
    checkpoint = load_checkpoint_safely(str(slim / "epoch_2.pth"))
    record = checkpoint["meta"][RECORD]
    with pytest.raises(ValueError, match="model with backbone.backbone.*, which this config"):
        restore_frozen_part(nn.Linear(1, 1), checkpoint, "x.pth")
    record["entries"] = ["4.weight"]
    with pytest.raises(ValueError, match="takes backbone.backbone.4.weight from .*backbone.pth"):
        restore_frozen_part(detector(pretrained=pretrained), checkpoint, "x.pth")
    checkpoint["meta"][RECORD] = dict(file="https://example.org/backbone.pth", **{
        key: record[key] for key in ("sha256", "prefix", "entries")
    })  # fmt: skip
    with pytest.raises(ValueError, match="backbone.pth, from which .* does not exist"):
        restore_frozen_part(detector(), checkpoint, "x.pth")
    checkpoint["meta"][RECORD] = "yes"
    with pytest.raises(ValueError, match="x.pth is damaged"):
        restore_frozen_part(detector(), checkpoint, "x.pth")


class _Change(Hook):
    """A training that changes a buffer of the frozen part."""

    def __init__(self, buffer):
        self.buffer = buffer

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.buffer += 1


def kept_whole(run, folder):
    run.train()
    checkpoint = load_checkpoint_safely(str(folder / "epoch_1.pth"))
    return (
        RECORD not in checkpoint["meta"]
        and "backbone.backbone.0.weight" in (checkpoint["state_dict"])
    )


def test_whole_where_no_file_could_give_it_back(runner, detector, pretrained, whole, tmp_path, log):
    assert kept_whole(runner(tmp_path / "a", detector(), SLIM, epochs=1), tmp_path / "a")
    assert any("there is no pre-trained file" in line for line in log)
    torch.manual_seed(3)
    torch.save(detector().state_dict(), tmp_path / "others.pth")
    model = detector(pretrained=pretrained)
    loaded = dict(epochs=1, load_from=str(tmp_path / "others.pth"))
    assert kept_whole(runner(tmp_path / "b", model, SLIM, **loaded), tmp_path / "b")
    assert any("has other weights than its pre-trained file" in line for line in log)
    model = detector(pretrained=pretrained, frozen=False)
    model.head[0].bias.requires_grad_(False)
    assert kept_whole(runner(tmp_path / "c", model, SLIM, epochs=1), tmp_path / "c")


def test_changed_buffers_are_kept(runner, detector, pretrained, tmp_path):
    model = detector(pretrained=pretrained)
    run = runner(tmp_path, model, SLIM, epochs=1)
    statistics = model.backbone.backbone[1].running_mean
    run.register_hook(_Change(statistics))
    run.train()
    checkpoint = load_checkpoint_safely(str(tmp_path / "epoch_1.pth"))
    assert torch.equal(checkpoint["state_dict"]["backbone.backbone.1.running_mean"], statistics)
    assert len(checkpoint["meta"][RECORD]["entries"]) == 10


def test_needs_the_hook_that_puts_back(runner, detector, tmp_path):
    run = runner(tmp_path, detector(), SLIM)
    run._hooks = [hook for hook in run.hooks if type(hook).__name__ != "LoadReportHook"]
    with pytest.raises(ValueError, match="needs dict"):
        run.train()
