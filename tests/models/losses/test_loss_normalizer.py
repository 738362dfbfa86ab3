import pytest
import torch

from mmtad.models.losses import LossNormalizer


def test_moves_in_training_only():
    normalizer = LossNormalizer(100)
    assert float(normalizer(torch.tensor(25))) == pytest.approx(92.5)
    assert float(normalizer(torch.tensor(0))) == pytest.approx(92.5 * 0.9 + 0.1)
    normalizer.eval()
    before = float(normalizer.average)
    assert float(normalizer(torch.tensor(7))) == 7
    assert float(normalizer(torch.tensor(0))) == 1
    assert float(normalizer.average) == before


def test_is_a_float_buffer_in_the_checkpoint():
    state = LossNormalizer(250).state_dict()
    assert list(state) == ["average"]
    assert state["average"].dtype == torch.float32


def test_two_forward_passes_before_one_backward():
    normalizer = LossNormalizer()
    weight = torch.ones((), requires_grad=True)
    losses = [weight / normalizer(torch.tensor(n)) for n in (3, 5)]
    sum(losses).backward()
    assert weight.grad.isfinite()


def test_count_is_averaged_over_processes(monkeypatch):
    def all_reduce(count, op):
        assert op == "mean"
        count.fill_(25.0)

    monkeypatch.setattr("mmtad.models.losses.loss_normalizer.all_reduce", all_reduce)
    own = torch.tensor(40)
    assert float(LossNormalizer(100)(own)) == pytest.approx(92.5)
    assert own == 40
