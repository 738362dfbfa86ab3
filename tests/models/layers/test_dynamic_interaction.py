import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmtad.models.layers.dynamic_interaction import DynamicInteraction, dynamic_product


def build(channels=6, hidden=4, steps=5):
    torch.manual_seed(0)
    module = DynamicInteraction(channels, hidden, steps).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module


def loop(module, proposals, segments):
    """Proposal by proposal and step by step, as the paper describes it."""
    hidden, channels = module.hidden_channels, proposals.shape[-1]
    out = torch.zeros_like(proposals)
    for b in range(len(proposals)):
        for n in range(proposals.shape[1]):
            numbers = module.generator.weight @ proposals[b, n] + module.generator.bias
            first = numbers[: channels * hidden].view(channels, hidden)
            second = numbers[channels * hidden :].view(hidden, channels)
            rows = []
            for step in segments[b, n].unbind(-1):
                narrow = torch.stack(
                    [sum(step[c] * first[c, d] for c in range(channels)) for d in range(hidden)]
                )
                narrow = F.relu(module.hidden_norm(narrow))
                wide = torch.stack(
                    [sum(narrow[d] * second[d, c] for d in range(hidden)) for c in range(channels)]
                )
                rows.append(F.relu(module.step_norm(wide)))
            flat = torch.cat(rows)
            flat = module.out_proj.weight @ flat + module.out_proj.bias
            out[b, n] = F.relu(module.out_norm(flat))
    return out


def test_equals_an_explicit_loop():
    module = build()
    proposals = torch.randn(2, 3, 6, dtype=torch.float64)
    segments = torch.randn(2, 3, 6, 5, dtype=torch.float64)
    found = module(proposals, segments)
    assert_close(found, loop(module, proposals, segments))
    assert (found > 0).any()


def test_shared_proposals_equal_repeated_ones():
    module = build()
    proposals = torch.randn(1, 3, 6, dtype=torch.float64, requires_grad=True)
    segments = torch.randn(4, 3, 6, 5, dtype=torch.float64)
    weights = torch.randn(4, 3, 6, dtype=torch.float64)
    results = []
    for given in (proposals, proposals.expand(4, -1, -1)):
        out = module(given, segments)
        gradients = torch.autograd.grad((out * weights).sum(), [proposals, *module.parameters()])
        results.append((out, *gradients))
    assert_close(*results)


def test_a_proposal_sees_its_own_segment_only():
    module = build()
    proposals = torch.randn(1, 3, 6, dtype=torch.float64)
    segments = torch.randn(1, 3, 6, 5, dtype=torch.float64)
    before = module(proposals, segments)
    segments[:, 1] += 1
    changed = (module(proposals, segments) != before).any(-1)[0]
    assert changed.tolist() == [False, True, False]


@pytest.mark.parametrize("shared", [1, 2])
def test_product_of_no_proposals(shared):
    found = dynamic_product(torch.zeros(2, 0, 5, 6), torch.zeros(shared, 0, 6, 4))
    assert found.shape == (2, 0, 5, 4)


def test_sizes_are_those_of_sparse_rcnn():
    """Linear(256 -> 2 * 256 * 64), as in its dynamic head."""
    with torch.device("meta"):
        module = DynamicInteraction()
    assert module.generator.weight.shape == (2 * 256 * 64, 256)
    assert module.out_proj.weight.shape == (256, 16 * 256)
