"""Averages of what is trained equal MMEngine's averages of everything."""

import pytest
import torch
from torch import nn

from mmtad.checkpoints import load_checkpoint_safely
from mmtad.engine.ema import TrainableEMAHook, trainable_view


def trained(make_runner, detector, folder, hook, model=None, **kwargs):
    """Weights in the checkpoints of a run, by file name."""
    torch.manual_seed(1)
    run = make_runner(folder, model or detector(), [hook], **kwargs)
    run.train()
    return {f.name: load_checkpoint_safely(str(f)) for f in folder.glob("epoch_*.pth")}


def same(one, two):
    assert one.keys() == two.keys()
    return [key for key in one if not torch.equal(one[key], two[key])]


@pytest.mark.parametrize(
    "options",
    [
        dict(momentum=0.1),
        dict(momentum=0.1, begin_epoch=2),
        dict(momentum=0.1, begin_iter=3, update_buffers=True),
        dict(ema_type="StochasticWeightAverage", interval=2),
    ],
)
def test_equals_mmengine(runner, detector, tmp_path, options):
    whole = trained(runner, detector, tmp_path / "a", dict(type="EMAHook", **options))
    part = trained(runner, detector, tmp_path / "b", dict(type="TrainableEMAHook", **options))
    for name, ours in part.items():
        theirs = whole[name]
        assert not same(ours["state_dict"], theirs["state_dict"])
        live = theirs["ema_state_dict"]
        assert not same(ours["ema_state_dict"], {k: live[k] for k in ours["ema_state_dict"]})
    frozen = live.keys() - ours["ema_state_dict"].keys()
    assert sum(live[key].numel() for key in frozen) > 100 * sum(
        value.numel() for value in ours["ema_state_dict"].values()
    )
    averaged, raw = ours["state_dict"]["head.0.weight"], live["module.head.0.weight"]
    assert not torch.equal(averaged, raw)


@pytest.mark.parametrize("before", ["EMAHook", "TrainableEMAHook"])
@pytest.mark.parametrize("after", ["EMAHook", "TrainableEMAHook"])
def test_resume_is_bit_for_bit(runner, detector, tmp_path, before, after):
    options = dict(momentum=0.1)
    once = trained(runner, detector, tmp_path / "a", dict(type=before, **options))["epoch_2.pth"]
    again = trained(
        runner, detector, tmp_path / "b", dict(type=after, **options), resume=True,
        load_from=str(tmp_path / "a" / "epoch_1.pth"),
    )["epoch_2.pth"]  # fmt: skip
    assert not same(once["state_dict"], again["state_dict"])
    both = once["ema_state_dict"].keys() & again["ema_state_dict"].keys()
    assert not same(*({k: c["ema_state_dict"][k] for k in both} for c in (once, again)))
    assert str(once["optimizer"]) == str(again["optimizer"])


def test_evaluation_uses_the_average(runner, detector, tmp_path):
    hook = dict(type="TrainableEMAHook", momentum=0.1)
    run = runner(tmp_path, hooks=[hook])
    run.train()
    ema = next(h for h in run.hooks if isinstance(h, TrainableEMAHook))
    weight = run.model.head[0].weight
    live, average = weight.clone(), ema.ema_model.module.head._modules["0"].weight.clone()
    ema.before_val_epoch(run)
    assert torch.equal(weight, average) and not torch.equal(weight, live)
    ema.after_val_epoch(run)
    assert torch.equal(weight, live)


def test_a_plain_state_dict_starts_model_and_average(runner, detector, tmp_path):
    torch.manual_seed(5)
    weights = detector().state_dict()
    torch.save(weights, tmp_path / "plain.pth")
    run = runner(tmp_path, load_from=str(tmp_path / "plain.pth"))
    run.call_hook("before_run")
    run.load_or_resume()
    ema = next(h for h in run.hooks if isinstance(h, TrainableEMAHook))
    average = ema.ema_model.module.state_dict()
    assert not same(average, {key: weights[key] for key in average})


def test_view_of_a_model():
    frozen = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Sequential())
    frozen.requires_grad_(False)
    frozen[2].register_buffer("table", torch.ones(3))  # no parameters: goes with its parent
    shared = nn.Linear(2, 2)
    model = nn.ModuleDict(dict(frozen=frozen, one=shared, two=shared, norm=nn.BatchNorm1d(2)))
    model.norm.register_buffer("cache", torch.ones(1), persistent=False)
    model.norm.bias.requires_grad_(False)
    view, _ = trainable_view(model)
    norm = ["weight", "running_mean", "running_var", "num_batches_tracked"]
    assert list(view.state_dict()) == [
        "one.weight", "one.bias", "two.weight", "two.bias", *(f"norm.{name}" for name in norm)
    ]  # fmt: skip
    assert [id(p) for p in view.parameters()] == [
        id(p) for p in model.parameters() if p.requires_grad
    ]
    assert "cache" in dict(view.get_submodule("norm").named_buffers())


def test_replaced_buffers_are_followed(runner, tmp_path):
    run = runner(tmp_path)
    run.call_hook("before_run")
    ema = next(h for h in run.hooks if isinstance(h, TrainableEMAHook))
    run.model.normalizer.average = torch.tensor(9.0)
    ema._refresh()
    ema.ema_model.update_parameters(ema.src_model)
    assert float(ema.ema_model.module.normalizer.average) == 9.0
