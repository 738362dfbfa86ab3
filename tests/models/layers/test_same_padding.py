import pytest
import torch
import torch.nn.functional as F

from mmtad.models.layers.same_padding import pad_same, same_max_pool, same_padding

SIZES = pytest.mark.parametrize("size", [(8, 12, 12), (7, 13, 12), (5, 9, 11), (1, 2, 3)])


@pytest.mark.parametrize(
    "size, kernel, stride, pads",
    [
        (96, 7, 2, (2, 3)),
        (97, 7, 2, (3, 3)),
        (48, 3, 2, (0, 1)),
        (49, 3, 2, (1, 1)),
        (13, 3, 1, (1, 1)),
        (6, 2, 2, (0, 0)),
        (7, 2, 2, (0, 1)),
        (5, 1, 2, (0, 0)),
        (1, 7, 2, (3, 3)),
    ],
)
def test_same_padding(size, kernel, stride, pads):
    assert same_padding(size, kernel, stride) == pads


def hand_padded(x, kernel, stride):
    """Zeros written around a tensor, dimension by dimension, from TensorFlow's description."""
    for dim, (k, s) in enumerate(zip(kernel, stride, strict=True), start=2):
        size = x.shape[dim]
        total = max(k - s, 0) if size % s == 0 else max(k - size % s, 0)
        front, end = total // 2, total - total // 2
        shape = list(x.shape)
        shape[dim] = front + size + end
        wider = x.new_zeros(shape)
        wider.narrow(dim, front, size).copy_(x)
        x = wider
    return x


@SIZES
@pytest.mark.parametrize(
    "kernel, stride", [((7, 7, 7), (2, 2, 2)), ((3, 3, 3), (1, 1, 1)), ((1, 1, 1), (1, 1, 1))]
)
def test_convolution_against_a_hand_padded_one(size, kernel, stride):
    torch.manual_seed(0)
    x, weight = torch.randn(2, 3, *size), torch.randn(4, 3, *kernel)
    expected = F.conv3d(hand_padded(x, kernel, stride), weight, None, stride)
    assert expected.shape[2:] == tuple(-(-n // s) for n, s in zip(size, stride, strict=True))
    padded, padding = pad_same(x, kernel, stride)
    found = F.conv3d(padded, weight, None, stride, padding)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_nothing_is_copied_where_both_ends_are_alike():
    x = torch.randn(1, 2, 4, 5, 7)
    padded, padding = pad_same(x, (3, 3, 3), (1, 1, 1))
    assert padded is x and padding == [1, 1, 1]
    assert pad_same(x, (7, 7, 7), (1, 2, 2))[0] is x


@SIZES
@pytest.mark.parametrize(
    "kernel, stride",
    [
        ((1, 3, 3), (1, 2, 2)),
        ((3, 3, 3), (2, 2, 2)),
        ((2, 2, 2), (2, 2, 2)),
        ((3, 3, 3), (1, 1, 1)),
    ],
)
def test_pooling_against_a_hand_padded_one(size, kernel, stride):
    x = F.relu(torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0)))
    expected = F.max_pool3d(hand_padded(x, kernel, stride), kernel, stride)
    assert torch.equal(same_max_pool(x, kernel, stride), expected)
    # Where everything is negative the padding, as in TensorFlow, still is not the largest.
    assert (same_max_pool(x - 9, kernel, stride) < -1).all()


def test_gradient_of_the_pooling():
    x = torch.randn(2, 3, 5, 6, 7, generator=torch.Generator().manual_seed(0), requires_grad=True)
    weights = torch.randn(2, 3, 3, 3, 4)
    (same_max_pool(x, (3, 3, 3), (2, 2, 2)) * weights).sum().backward()
    ours, x.grad = x.grad, None
    padded = F.pad(x, (1, 1, 0, 1, 1, 1), value=-9.0)
    (F.max_pool3d(padded, 3, 2) * weights).sum().backward()
    assert torch.equal(ours, x.grad)


def test_the_pooling_keeps_its_input_alone():
    kept = []
    x = torch.randn(1, 2, 4, 4, 4, requires_grad=True)

    def pack(tensor):
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        same_max_pool(x, (3, 3, 3), (1, 1, 1))
    assert [tensor.data_ptr() for tensor in kept] == [x.data_ptr()]


def test_the_pooling_keeps_the_precision():
    x = torch.randn(1, 2, 4, 4, 4).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = same_max_pool(x, (3, 3, 3), (2, 2, 2))
    assert found.dtype == torch.bfloat16
    assert torch.equal(found.float(), same_max_pool(x.float(), (3, 3, 3), (2, 2, 2)))
