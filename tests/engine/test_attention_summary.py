import math

import numpy as np
import pytest
import torch

from mmtad.engine.attention_summary import AttentionSummary
from mmtad.models.layers.attention_recorder import RecordedMap
from mmtad.ops.attention_diversity import attention_diversity


def softmax(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator).mul(3).softmax(-1)


def test_means_over_windows_without_padding():
    mask = torch.tensor([[True] * 7, [True] * 4 + [False] * 3, [True] + [False] * 6, [False] * 7])
    encoder, cross = softmax(4, 2, 7, 7), softmax(4, 2, 3, 7)
    encoder[1, :, 4:] = encoder[1, ..., 4:] = float("nan")
    summary = AttentionSummary("mean")
    summary.add(
        [RecordedMap("e", "encoder", 0, encoder, mask), RecordedMap("c", "cross", 0, cross, mask)]
    )
    values, shares = [], []
    for window, n in enumerate((7, 4)):  # the third one has a single row
        a = encoder[window].mean(0)[:n, :n]
        a = a / a.sum(-1, keepdim=True)
        values.append(float(attention_diversity(a, "mean")))
        shares.append(values[-1] / math.sqrt(a.sum(0).max() * a.sum(1).max()))
    assert summary.means()["encoder"] == pytest.approx([np.mean(values)], rel=1e-5)
    assert summary.relative_means()["encoder"] == pytest.approx([np.mean(shares)], rel=1e-5)
    assert summary.deviations()["encoder"] == pytest.approx([np.std(values)], rel=1e-4)
    assert summary.num_windows == 4  # queries have rows in every window
    assert list(summary.means()) == ["encoder", "cross"]
    assert [x.shape for x in summary.examples["encoder"]] == [(7, 7)]
    np.testing.assert_allclose(summary.examples["cross"][0], cross[0].mean(0))


def test_batches_add_up_and_heads():
    maps = softmax(6, 2, 5, 5)

    def record(part):
        return [RecordedMap("d", "decoder", layer, part, None) for layer in range(2)]

    whole, parts = AttentionSummary(heads="each"), AttentionSummary(heads="each")
    whole.add(record(maps))
    for part in maps.split(2):
        parts.add(record(part))
    parts.reduce()  # one process: nothing to do
    assert parts.means()["decoder"] == pytest.approx(whole.means()["decoder"])
    assert parts.relative_means() == {"decoder": pytest.approx(whole.relative_means()["decoder"])}
    assert parts.deviations()["decoder"] == pytest.approx(whole.deviations()["decoder"], abs=1e-6)
    assert whole.means()["decoder"][0] == pytest.approx(float(attention_diversity(maps).mean()))
    mixed = AttentionSummary()
    mixed.add(record(maps))
    assert mixed.means()["decoder"][1] == pytest.approx(
        float(attention_diversity(maps.mean(1)).mean())
    )
    assert len(parts.examples["decoder"]) == 2


def test_processes_add_up(monkeypatch):
    maps = softmax(6, 2, 5, 5)
    parts = [AttentionSummary() for _ in range(2)]
    whole = AttentionSummary()
    for summary, part in zip((*parts, whole), (maps[:4], maps[4:], maps), strict=True):
        summary.add([RecordedMap("d", "decoder", 0, part, None)])
    other = parts[1]._sums["decoder", 0]
    monkeypatch.setattr("mmtad.engine.attention_summary.is_distributed", lambda: True)
    monkeypatch.setattr("mmtad.engine.attention_summary.all_reduce", lambda x: x.add_(other))
    parts[0].reduce()
    assert parts[0].num_windows == whole.num_windows == 6
    assert parts[0].means()["decoder"] == pytest.approx(whole.means()["decoder"])


def test_nothing_and_bad_options():
    summary = AttentionSummary()
    assert summary.means() == {} and summary.num_windows == 0
    with pytest.raises(ValueError, match="centre is one of median, mean, got 'mode'"):
        AttentionSummary("mode")
    with pytest.raises(ValueError, match="heads is one of average, each, got 'all'"):
        AttentionSummary(heads="all")
