"""AdaTAD of OpenTAD: where the adapters of its side placement belong."""

import pytest
import torch

from mmtad.checkpoints import convert, recognise


def ladder(depth=4, count=2, prefix=""):
    state = {f"{prefix}blocks.{i}.norm1.weight": torch.full((3,), float(i)) for i in range(depth)}
    for i in range(count):
        state[f"{prefix}ladders.adapters.{i}.gamma"] = torch.tensor([10.0 + i])
    return state


def adapters(converted):
    return {key: float(value) for key, value in converted.items() if key.endswith(".gamma")}


def test_the_last_blocks_are_tapped():
    converted = convert(ladder(), "opentad_vit")
    assert adapters(converted) == {"blocks.2.adapter.gamma": 10, "blocks.3.adapter.gamma": 11}
    assert converted["fc_norm.weight"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("indices", [[0, 3], [3, 0], [-4, -1]])
def test_other_taps(indices):
    converted = convert(ladder(), "opentad_vit", adapter_indices=indices)
    assert adapters(converted) == {"blocks.0.adapter.gamma": 10, "blocks.3.adapter.gamma": 11}


@pytest.mark.parametrize("module", ["", "module."])
def test_whole_detector(module):
    state = ladder(prefix=f"{module}backbone.model.backbone.")
    state[f"{module}rpn_head.cls_head.bias"] = torch.zeros(2)
    state[f"{module}projection.stem.0.ln1.weight"] = torch.zeros(3)
    assert recognise(state) == ["opentad_actionformer", "opentad_adatad", "opentad_vit"]
    converted = convert(state, "opentad_adatad")
    assert adapters(converted) == {
        "backbone.backbone.blocks.2.adapter.gamma": 10,
        "backbone.backbone.blocks.3.adapter.gamma": 11,
    }
    assert {"head.cls_out.bias", "projection.stem.0.attn_norm.weight"} <= converted.keys()
    encoder = convert(state, "opentad_vit")
    assert set(adapters(encoder)) == {"blocks.2.adapter.gamma", "blocks.3.adapter.gamma"}


def test_bare_encoders_stay_bare():
    for prefix in ("", "model.backbone.", "module.model.backbone."):
        for source in ("opentad_adatad", "opentad_vit"):
            assert set(adapters(convert(ladder(prefix=prefix), source))) == {
                "blocks.2.adapter.gamma",
                "blocks.3.adapter.gamma",
            }


def test_inside_placement_keeps_its_blocks():
    state = {"blocks.0.adapter.gamma": torch.ones(1), "blocks.1.norm1.weight": torch.ones(3)}
    assert convert(state, "opentad_vit").keys() == state.keys()
    with pytest.raises(
        ValueError, match=r"adapter_indices=\[1\] were given, but the file holds no"
    ):
        convert(state, "opentad_vit", adapter_indices=[1])


@pytest.mark.parametrize("indices", [[3], [2, 2], [2, 4], [1, 2, 3]])
def test_indices_that_do_not_fit(indices):
    with pytest.raises(ValueError, match=r"do not fit: the file holds 2 adapters.*out of 0 to 3"):
        convert(ladder(), "opentad_vit", adapter_indices=indices)


def test_the_last_block_is_tapped_always():
    with pytest.raises(ValueError, match=r"adapter_indices=\[0, 1\] must hold 3: the side place"):
        convert(ladder(), "opentad_vit", adapter_indices=[0, 1])


def test_incomplete_file():
    state = ladder(count=3)
    del state["ladders.adapters.1.gamma"]
    with pytest.raises(
        ValueError, match=r"ladder adapters \[0, 2\] for 4 blocks; it is incomplete"
    ):
        convert(state, "opentad_vit")


def test_golden_ladder(golden):
    state, _, case = golden("adatad_vit_ladder")
    converted = convert(state, "opentad_vit")
    indices = case["config"]["backbone"]["adapter_index"]
    for i, index in enumerate(indices):
        for name in ("gamma", "dwconv.weight", "conv.bias", "down_proj.bias", "up_proj.weight"):
            ours = converted[f"blocks.{index}.adapter.{name}"]
            assert torch.equal(ours, state[f"ladders.adapters.{i}.{name}"])
    assert len(converted) == len(state) + 2 and not any("ladders" in key for key in converted)
