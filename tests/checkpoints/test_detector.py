"""What a detector's checkpoint must agree with, beyond names and shapes."""

import re

import pytest
import torch
from torch import nn

from mmtad.checkpoints import describe_encoder, load_detector

INSIDE = dict(placement="inside", blocks=[0, 1], couples_clips=False)


class VideoEncoder(nn.Module):
    """Two blocks with adapters; its names are the same wherever these are."""

    def __init__(self, adapted=(0, 1), coupling=(), depth=2):
        super().__init__()
        self.adapted, self.coupling = list(adapted), set(coupling)
        self.blocks = nn.ModuleList(nn.Linear(2, 2) for _ in range(depth))
        for index in adapted:
            self.blocks[index].add_module("adapter", nn.Linear(2, 2))


class SideVideoEncoder(VideoEncoder):
    pass


def detector(encoder=VideoEncoder, **arguments):
    model = nn.Module()
    model.backbone, model.head = encoder(**arguments), nn.Linear(2, 3)
    return model


def stored(model):
    record = describe_encoder(model)
    return dict(state_dict=model.state_dict(), meta=dict(encoder=record) if record else {})


def load(model, checkpoint, **arguments):
    return load_detector(model, checkpoint, checkpoint["state_dict"], "x.pth", **arguments)


def test_description():
    assert describe_encoder(detector()) == INSIDE
    side = detector(SideVideoEncoder, adapted=[1], coupling=[1])
    assert describe_encoder(side) == dict(placement="side", blocks=[1], couples_clips=True)
    assert describe_encoder(detector(adapted=())) is None and describe_encoder(nn.ReLU()) is None


@pytest.mark.parametrize(
    "trained, used, remedy",
    [
        (VideoEncoder, SideVideoEncoder, "beside .* set model.backbone.type to VideoEncoder"),
        (SideVideoEncoder, VideoEncoder, "inside .* set model.backbone.type to SideVideoEncoder"),
    ],
)
def test_placement(trained, used, remedy):
    checkpoint = stored(detector(trained))
    model = detector(used)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=f"adapters of x.pth were trained .* has them {remedy}"):
        load(model, checkpoint)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert load(detector(trained), checkpoint).ratio == 1


@pytest.mark.parametrize("meta", [{}, None, dict(encoder=None), dict(encoder=dict(placement=3))])
def test_without_a_record_nothing_is_compared(meta):
    checkpoint = dict(state_dict=detector().state_dict(), meta=meta)
    assert load(detector(SideVideoEncoder), checkpoint).ratio == 1


def test_exchange_between_clips():
    with pytest.raises(ValueError, match="does not let the clips .* .LongLoRA does, LoRA does not"):
        load(detector(coupling=[0]), stored(detector()))
    with pytest.raises(ValueError, match="x.pth lets the clips of a video exchange, unlike that"):
        load(detector(), stored(detector(coupling=[0])))


@pytest.mark.parametrize("adapted", [(), (1,)])
def test_trained_adapters_are_not_dropped(adapted):
    said = f"x.pth has {2 * (2 - len(adapted))} entries of adapters that this model lacks (backbone"
    with pytest.raises(ValueError, match=re.escape(said)):
        load(detector(adapted=adapted), stored(detector()), min_match=0.1)


def test_depth():
    with pytest.raises(ValueError, match="the file has 3 backbone.blocks and the model 2"):
        load(detector(), stored(detector(depth=3)))


def test_the_setting_is_named():
    checkpoint = stored(detector())
    checkpoint["state_dict"]["head.bias"] = torch.zeros(5)
    with pytest.raises(ValueError, match=r"or lower custom_hooks\.1\.min_match$"):
        load(detector(), checkpoint, option="custom_hooks.1.min_match")
    assert load(detector(), checkpoint, min_match=0.5).wrong_shape == [("head.bias", (5,), (3,))]


def test_what_a_project_does_not_store():
    model = detector()
    model.head.normalizer = nn.Module()
    model.head.normalizer.register_buffer("average", torch.tensor(7.0))
    checkpoint = stored(model)
    del checkpoint["state_dict"]["head.normalizer.average"]
    with pytest.raises(ValueError, match=r"missing 1 \(head\.normalizer\.average\)"):
        load(model, checkpoint)
    checkpoint["meta"]["source"] = "actionformer"
    assert load(model, checkpoint).ignored == ["head.normalizer.average"]
