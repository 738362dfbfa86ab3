import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import nn
from torch.testing import assert_close

from mmtad.models.heads import DETRHead
from mmtad.models.layers import DecoderOutputs, MultiheadAttention
from mmtad.registry import MODELS

K, Q, C, T = 3, 4, 8, 10


class OneLayerEncoder(nn.Module):
    """Attention over the steps."""

    def __init__(self):
        super().__init__()
        self.attention = MultiheadAttention(C, 2)

    def forward(self, x, positions, mask, return_maps=False):
        out, found = self.attention(x + positions, x + positions, x, mask, return_maps)
        return x + out, [found] if return_maps else []


class TwoLayerDecoder(nn.Module):
    """Queries that look at the memory twice."""

    embed_dims, num_layers, num_queries = C, 2, Q

    def __init__(self):
        super().__init__()
        self.content = nn.Embedding(Q, C)
        self.attention = MultiheadAttention(C, 2)
        self.segments = nn.Linear(C, 2)

    def forward(self, memory, positions, mask, query_code=None, return_maps=False):
        x = self.content.weight.expand(len(memory), -1, -1)
        x = x if query_code is None else x + query_code[:, None]
        states, maps = [], []
        for _ in range(2):
            out, found = self.attention(x, memory + positions, memory, mask, return_maps)
            x = x + out
            states.append(x)
            maps += [found] if return_maps else []
        segments = [self.segments(state).sigmoid() for state in states]
        return DecoderOutputs(states, segments, segments, [], maps)


class Feedback(nn.Module):
    """Shows what it was given."""

    def forward(self, maps, mask):
        return dict(loss_feedback=maps.encoder[0].mean() + maps.cross[1].mean() * mask.sum())


class Actionness(nn.Module):
    """Half for every query."""

    def forward(self, memory, mask, segments):
        return torch.full(segments.shape[:2], 0.5).to(memory)

    def loss(self, actionness, segments, targets):
        return actionness.mean() * len(targets)


for part in (OneLayerEncoder, TwoLayerDecoder, Feedback, Actionness):
    MODELS.register_module(name=f"Test{part.__name__}", module=part, force=True)


def head(**options):
    torch.manual_seed(0)
    return DETRHead(
        K, dict(type="TestTwoLayerDecoder"), dict(type="TestOneLayerEncoder"), **options
    ).double()


def inputs(length=T, valid=7):
    generator = torch.Generator().manual_seed(0)
    x = torch.full((2, C, length), torch.nan).double()
    x[..., :valid] = torch.randn(2, C, valid, generator=generator)
    mask = (torch.arange(length) < valid).expand(2, -1)
    x[1, :, valid - 1] = torch.nan
    mask = mask.clone()
    mask[1, valid - 1] = False
    return [x], [mask]


TRUTH = [
    InstanceData(
        segments=torch.tensor([[1.0, 3.0], [2.0, 6.0]]).double(), labels=torch.tensor([0, 2])
    ),
    InstanceData(segments=torch.zeros(0, 2).double(), labels=torch.zeros(0).long()),
]


def test_outputs_losses_and_predictions():
    model = head()
    outputs = model(*inputs())
    assert [x.shape for x in outputs.class_logits] == [(2, Q, K)] * 2
    assert outputs.maps is None and outputs.memory.shape == (2, T, C)
    losses = model.loss(*inputs(), TRUTH)
    names = [f"{p}loss_{x}" for p in ("", "d0.") for x in ("cls", "l1", "iou")]
    assert set(losses) == {*names, "unmatched_instances"}
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    first, second = model.predict(*inputs())
    assert len(first.scores) == Q * K and (first.scores.diff() <= 0).all()
    order = outputs.class_logits[-1][1].sigmoid().flatten().argsort(descending=True)
    assert second.labels.tolist() == (order % K).tolist()
    center, width = outputs.segments[-1][1, order // K].unbind(-1)
    expected = torch.stack([center - width / 2, center + width / 2], -1) * 6
    assert_close(second.segments, expected)


def test_padding_changes_nothing():
    model = head()
    for other in (inputs(8), inputs(25)):
        assert_close(model.loss(*inputs(), TRUTH), model.loss(*other, TRUTH))
        for a, b in zip(model.predict(*inputs()), model.predict(*other), strict=True):
            assert_close(a.segments, b.segments)
            assert_close(a.scores, b.scores)
    (x,), (mask,) = inputs()
    nothing = torch.zeros_like(mask)
    losses = model.loss([x * torch.nan], [nothing], TRUTH)
    assert all(value.isfinite() for value in losses.values())


def test_opentad_takes_padded_steps_for_valid_ones_without_features():
    model = head(preset="opentad")
    (x,), (mask,) = inputs()
    outputs = model([x], [mask])
    assert outputs.mask.all()
    zeros = x.masked_fill(~mask[:, None], 0.0)
    assert_close(outputs.memory, model([zeros], [torch.ones_like(mask)]).memory)
    longer = model([F.pad(x, (0, 3))], [F.pad(mask, (0, 3))])
    assert not torch.equal(longer.class_logits[-1], outputs.class_logits[-1])


def test_feedback_sees_the_maps_and_actionness_weighs_scores():
    feedback = dict(type="TestFeedback")
    model = head(feedback=feedback, actionness=dict(type="TestActionness"))
    losses = model.loss(*inputs(), TRUTH)
    maps = model(*inputs(), return_maps=True).maps
    assert_close(losses["loss_feedback"], maps.encoder[0].mean() + maps.cross[1].mean() * 13)
    assert losses["loss_actionness"] == 1.0
    for weighed, plain in zip(model.predict(*inputs()), head().predict(*inputs()), strict=True):
        assert_close(weighed.scores, plain.scores / 2)


def test_a_query_code_is_added_to_the_queries():
    model = head()
    code = torch.randn(2, C).double()
    plain, coded = model(*inputs()), model(*inputs(), query_code=code)
    assert not torch.allclose(plain.class_logits[0], coded.class_logits[0])
    model.decoder.content.weight.data += code[0]
    assert_close(model(*inputs()).class_logits[0][0], coded.class_logits[0][0])
    assert model.loss(*inputs(), TRUTH, query_code=code)


def test_options():
    own = head(shared_classifier=False, prior_prob=0.1)
    assert len(own.classifiers) == 2
    assert_close(own.classifiers[1].bias.sigmoid(), torch.full((K,), 0.1).double())
    assert len(head(max_per_window=5).predict(*inputs())[0].scores) == 5
    few = head(score_threshold=0.012).predict(*inputs())[0]
    assert 0 < len(few.scores) < Q * K and few.scores.min() > 0.012


def test_bad_arguments():
    x, mask = inputs()
    with pytest.raises(ValueError, match="queries look at one level, got 2"):
        head()(x * 2, mask * 2)
    with pytest.raises(ValueError, match="max_per_window must be at least 1, got 0"):
        head(max_per_window=0)
    with pytest.raises(ValueError, match="no preset is called 'paper'"):
        head(preset="paper")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(decoder=dict(num_queries=0)), "num_queries of the decoder must be at least 1, got 0"),
        (dict(decoder=dict(num_layers=0)), "num_layers of the decoder must be at least 1, got 0"),
        (dict(encoder=dict(embed_dims=8)), "got 8 for the encoder and 16 for the decoder"),
        (dict(actionness=dict(embed_dims=8)), "got 8 for the actionness and 16 for the decoder"),
        (dict(decoder=dict(preset="opentad")), "head is 'padding_free' and that of the decoder 'o"),
        (
            dict(actionness=dict(preset="official")),
            "of the actionness 'official'; leave it out",
        ),
    ],
)
def test_parts_that_do_not_fit(options, message):
    common = dict(embed_dims=16, num_heads=2, feedforward_channels=8)
    parts = dict(
        encoder=dict(type="DeformableEncoder", **common),
        decoder=dict(type="DeformableDecoder", **common),
        actionness=dict(type="ActionnessRegressor", embed_dims=16),
    )
    for name in parts.keys() & options.keys():
        parts[name].update(options[name])
    with pytest.raises(ValueError, match=message):
        DETRHead(K, **(options | parts))


def test_parts_take_over_the_preset():
    common = dict(embed_dims=16, num_heads=2, feedforward_channels=8)
    made = DETRHead(
        K,
        encoder=dict(type="DeformableEncoder", **common),
        decoder=dict(type="mmtad.DeformableDecoder", **common),
        actionness=dict(type="ActionnessRegressor", embed_dims=16),
        preset="opentad",
    )
    assert {made.encoder.preset, made.decoder.preset, made.actionness.preset} == {"opentad"}
    assert made.encoder.layers[0].attention.halve and made.decoder.layers[0].cross_attention.halve


def test_features_of_another_width_are_told():
    with pytest.raises(ValueError, match="have 5 channels and the decoder a width of 8; set"):
        head()([torch.randn(2, 5, T).double()], [torch.ones(2, T, dtype=torch.bool)])
