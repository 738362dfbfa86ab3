import pytest
import torch
from torch.testing import assert_close

from mmtad.models.layers import GCNeXt, gather_steps, mean_of_neighbours, nearest_steps


def block(**options):
    torch.manual_seed(0)
    return GCNeXt(8, groups=4, group_width=2, **options).double()


def test_nearest_by_hand():
    x = torch.tensor([[[0.0, 10.0, 1.0, 12.0]]])
    steps, found = nearest_steps(x, 2)
    assert steps[0].tolist() == [[0, 2], [1, 3], [2, 0], [3, 1]] and found.all()
    mask = torch.tensor([[True, True, True, False]])
    steps, found = nearest_steps(x, 3, mask)
    assert steps[0, 1].tolist() == [1, 2, 0] and 3 not in steps[0, :3].flatten()
    assert_close(mean_of_neighbours(x, 2)[0, 0], torch.tensor([0.5, 11.0, 0.5, 11.0]))
    assert gather_steps(x, steps).shape == (1, 1, 4, 3)


def test_fewer_valid_steps_than_neighbours():
    x, mask = torch.randn(1, 2, 5), torch.tensor([[True, True, False, False, False]])
    steps, found = nearest_steps(x, 3, mask)
    assert found[0, 0].tolist() == [True, True, False] and steps[0, 0].tolist() == [0, 1, 0]
    assert_close(mean_of_neighbours(x, 3, mask)[..., 0], x[..., :2].mean(-1))
    nothing = torch.zeros(1, 5, dtype=torch.bool)
    assert mean_of_neighbours(x, 3, nothing).isfinite().all()
    assert block()(torch.zeros(1, 8, 5).double(), nothing).eq(0).all()


def test_a_sequence_shorter_than_the_graph():
    with pytest.raises(ValueError, match=r"3 nearest steps.*\(1, 2, 2\)"):
        nearest_steps(torch.zeros(1, 2, 2), 3)


def test_semantic_branch_maps_pairs():
    """Against the definition: (neighbour, itself) of every pair through three convolutions."""
    layer, x = block(), torch.randn(2, 8, 11).double()
    mask = torch.ones(2, 11, dtype=torch.bool)
    steps, _ = nearest_steps(x, 3)
    pairs = torch.cat([gather_steps(x, steps), x[..., None].expand(-1, -1, -1, 3)], dim=1)
    hidden = layer.semantic_in(pairs.flatten(2)).relu()
    hidden = layer.semantic_out(layer.semantic_conv(hidden).relu()).unflatten(2, (11, 3))
    temporal = layer.temporal_conv(layer.temporal_in(x).relu()).relu()
    expected = (x + layer.temporal_out(temporal) + hidden.amax(-1)).relu()
    assert_close(layer(x, mask), expected)


def test_padding_touches_nothing():
    layer, x = block(), torch.randn(2, 8, 12).double()
    mask = torch.arange(12) < torch.tensor([[9], [4]])
    x = x * mask[:, None]
    out = layer(x, mask)
    assert not (out * ~mask[:, None]).any()
    for index, length in enumerate((9, 4)):
        alone = layer(x[index : index + 1, :, :length], mask[index : index + 1, :length])
        assert_close(out[index : index + 1, :, :length], alone)


def test_public_code_lets_padding_take_part():
    leaking, x = block(isolate_padding=False), torch.randn(1, 8, 12).double()
    mask = torch.arange(12) < torch.tensor([[9]])
    x = x * mask[:, None]
    alone = leaking(x[..., :9], mask[:, :9])
    assert float((leaking(x, mask)[..., :9] - alone).detach().abs().max()) > 1e-3


def test_every_parameter_gets_a_gradient():
    layer = block()
    layer(torch.randn(1, 8, 6).double(), torch.ones(1, 6, dtype=torch.bool)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())
