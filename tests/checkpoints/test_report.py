"""What the load report counts, names and refuses."""

import logging

import pytest
import torch
from torch import nn

from mmtad.checkpoints import load_report
from mmtad.checkpoints.report import compare

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


def test_a_deeper_file_is_no_match(log):
    """All entries of the model are met, and still the models are not the same."""
    model = nn.Module()
    model.blocks = nn.ModuleList([nn.Linear(2, 2)])
    state = {f"blocks.{i}.{k}": v for i in (0, 1) for k, v in nn.Linear(2, 2).state_dict().items()}
    said = "the file has 2 blocks and the model 1"
    with pytest.raises(ValueError, match=rf"{said} \(depth\): use .* or give Module the depth of"):
        load_report(model, state, strict=True)
    load_report(model, state)
    assert log[0][0] == logging.WARNING and said in log[0][1]


def test_depth_is_that_of_what_the_file_should_have(log):
    """Entries that need not be in the file say nothing about its blocks."""
    model = nn.Module()
    model.blocks = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    state = {f"blocks.0.{key}": value for key, value in nn.Linear(2, 2).state_dict().items()}
    report = load_report(model, state, ignore_missing=[r"blocks\.1\."])
    assert report.causes == [] and log[0][0] == logging.INFO


def test_a_family_that_no_block_of_the_file_has():
    """A share overlooks one bias in each of many blocks."""
    model = nn.Module()
    model.blocks = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
    state = {key: value for key, value in model.state_dict().items() if "bias" not in key}
    said = r"no block of the file has blocks\.\*\.bias, so Module would keep random weights"
    with pytest.raises(ValueError, match=said):
        load_report(model, state, min_match=0.5, strict=True)
    assert load_report(model, state, ignore_missing=["bias$"], strict=True).ratio == 1
    load_report(model, {**state, "blocks.0.bias": torch.zeros(2)}, min_match=0.5, strict=True)
    for block in model.blocks:
        block.bias.requires_grad_(False)
    with pytest.raises(ValueError, match=said):
        load_report(model, state, min_match=0.5, strict=True)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite(value):
    model, before = small(), small().state_dict()
    state = {**weights(), "head": torch.tensor(value)}
    load_report(small(), state)  # not loaded, so not looked at
    state["1.weight"] = torch.tensor([[1.0, value, 1.0]])
    with pytest.raises(ValueError, match=r"1\.weight of x\.pth holds numbers that are not finite"):
        load_report(model, state, source="x.pth")
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_shares_are_not_rounded_up():
    model = nn.Sequential(*[nn.PReLU() for _ in range(300)])
    state = {key: value for key, value in model.state_dict().items() if key != "7.weight"}
    with pytest.raises(ValueError, match=r"that is 99\.66% of Sequential, and at least 100% must"):
        load_report(model, state)
