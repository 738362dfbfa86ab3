import math

import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers.attention_maps import AttentionMaps
from mmtad.models.losses.attention_alternatives import AttentionDiversityLoss, IdentityAttentionLoss
from mmtad.ops.attention_diversity import attention_diversity
from mmtad.registry import MODELS

MASK = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])


def random_maps(seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = [torch.randn(2, 2, 6, 6, generator=generator).requires_grad_() for _ in range(2)]
    encoder = [
        x.mul(3).masked_fill(~MASK[:, None, None], float("-inf")).softmax(-1) for x in logits
    ]
    decoder = torch.randn(3, 2, 2, 5, 5, generator=generator).mul(2).softmax(-1)
    return AttentionMaps(encoder, list(decoder), []), logits


def test_identity_by_hand():
    maps, _ = random_maps()
    losses = IdentityAttentionLoss(weight_encoder=2.0)(maps, MASK)
    samples = []
    for b, n in enumerate((6, 4)):
        first, second = (x[b].mean(0)[:n, :n] for x in maps.encoder)
        samples.append(-(second @ first).diagonal().log().mean())
    assert_close(losses["loss_identity_encoder"], 2 * sum(samples) / 2)
    values = [-x.mean(1).diagonal(dim1=-2, dim2=-1).log().mean() for x in maps.decoder]
    assert_close(losses["loss_identity_decoder"], sum(values) / 3)


def test_identity_is_met_by_the_identity_only():
    maps, _ = random_maps()
    eye = AttentionMaps(
        [torch.eye(6).expand(2, 2, 6, 6)] * 2, [torch.eye(5).expand(2, 2, 5, 5)] * 3, []
    )
    assert all(value == 0 for value in IdentityAttentionLoss()(eye, MASK).values())
    assert all(value > 0.1 for value in IdentityAttentionLoss()(maps, MASK).values())


@pytest.mark.parametrize("centre", ["median", "mean"])
def test_diversity_by_hand(centre):
    maps, _ = random_maps()
    loss = AttentionDiversityLoss(centre=centre, encoder_aggregation="last")
    losses = loss(maps, MASK)
    values = [
        torch.exp(-attention_diversity(maps.encoder[-1][b].mean(0)[:n, :n], centre))
        for b, n in enumerate((6, 4))
    ]
    assert_close(losses["loss_diversity_encoder"], sum(values) / 2)
    values = [torch.exp(-attention_diversity(x.mean(1), centre)).mean() for x in maps.decoder]
    assert_close(losses["loss_diversity_decoder"], sum(values) / 3)


def test_cosine_by_hand():
    maps, _ = random_maps()
    losses = AttentionDiversityLoss("cosine", encoder_aggregation="last")(maps, MASK)
    means = []
    for b, n in enumerate((6, 4)):
        a = maps.encoder[-1][b].mean(0)[:n, :n].detach()
        pairs = [
            float(a[i] @ a[j]) / math.sqrt(float(a[i] @ a[i]) * float(a[j] @ a[j]))
            for i in range(n)
            for j in range(n)
            if i != j
        ]
        means.append(sum(pairs) / len(pairs))
    assert_close(losses["loss_diversity_encoder"], torch.tensor(sum(means) / 2))


@pytest.mark.parametrize("measure", ["residual", "cosine"])
@pytest.mark.parametrize("per_head", [False, True])
def test_diversity_is_one_at_the_collapse_and_less_elsewhere(measure, per_head):
    loss = AttentionDiversityLoss(measure, per_head=per_head)
    same = torch.tensor([0.7, 0.3, 0.0, 0.0, 0.0, 0.0]).expand(2, 2, 6, 6)
    collapsed = loss(AttentionMaps([same], [same], []), MASK)
    assert all(value == pytest.approx(1.0, abs=1e-5) for value in collapsed.values())
    maps, _ = random_maps()
    assert all(value < 0.95 for value in loss(maps, MASK).values())


@pytest.mark.parametrize(
    "config",
    [
        dict(type="IdentityAttentionLoss"),
        dict(type="AttentionDiversityLoss"),
        dict(type="AttentionDiversityLoss", measure="cosine"),
    ],
)
def test_gradients_padding_and_empty_windows(config):
    loss = MODELS.build(config)
    maps, logits = random_maps()
    losses = loss(maps, MASK)
    sum(losses.values()).backward()
    assert all(x.grad.isfinite().all() and x.grad.abs().sum() > 0 for x in logits)
    assert all((x.grad[1, :, 4:] == 0).all() for x in logits)
    broken = [x.detach().clone() for x in maps.encoder]
    for x in broken:
        x[1, :, 4:] = x[1, ..., 4:] = float("nan")
    assert_close(loss(AttentionMaps(broken, maps.decoder), MASK), losses)
    empty = loss(maps, torch.zeros_like(MASK))
    of_encoder, of_decoder = empty.values()
    assert of_encoder == 0 and of_decoder.isfinite()


def test_bad_options_are_named():
    with pytest.raises(ValueError, match="measure is one of residual, cosine, got 'rank'"):
        AttentionDiversityLoss("rank")
    with pytest.raises(ValueError, match="centre is one of median, mean, got 'mode'"):
        AttentionDiversityLoss(centre="mode")
    with pytest.raises(ValueError, match="not both 0"):
        IdentityAttentionLoss(weight_encoder=0, weight_decoder=0)
    with pytest.raises(ValueError, match="needs maps of the decoder"):
        IdentityAttentionLoss()(AttentionMaps(random_maps()[0].encoder), MASK)
