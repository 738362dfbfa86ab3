import math

import pytest
import torch
from torch.testing import assert_close

from mmtad.ops.attention_diversity import attention_diversity


def maps(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator).mul(3).softmax(-1)


def explicit(a, centre):
    """Sums in loops."""
    rows, columns = a.shape
    middles = []
    for column in range(columns):
        values = sorted(a[:, column].tolist())
        median = (values[(rows - 1) // 2] + values[rows // 2]) / 2
        middles.append(median if centre == "median" else sum(values) / rows)
    residual = [[abs(float(a[r, c]) - middles[c]) for c in range(columns)] for r in range(rows)]
    of_columns = max(sum(line[c] for line in residual) for c in range(columns))
    return math.sqrt(of_columns * max(sum(line) for line in residual))


def test_small_matrices_by_hand():
    # Medians of the columns are 0: what is left is the identity.
    assert_close(attention_diversity(torch.eye(3)), torch.tensor(1.0))
    # Means are 1/3: every column and row has 2/3 + 1/3 + 1/3.
    assert_close(attention_diversity(torch.eye(3), "mean"), torch.tensor(4 / 3))
    # Three queries agree, the fourth one does not: medians are theirs.
    a = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert_close(attention_diversity(a), torch.tensor(math.sqrt(1 * 2)))
    # Two queries: the median of two is the mean.
    a = torch.tensor([[0.8, 0.2], [0.2, 0.8]])
    for centre in ("median", "mean"):
        assert_close(attention_diversity(a, centre), torch.tensor(0.6))


@pytest.mark.parametrize("centre", ["median", "mean"])
@pytest.mark.parametrize("shape", [(5, 4), (6, 9), (1, 3)])
def test_matches_the_loops(centre, shape):
    a = maps(*shape)
    assert_close(attention_diversity(a, centre), torch.tensor(explicit(a, centre)))


@pytest.mark.parametrize("centre", ["median", "mean"])
def test_properties(centre):
    a = maps(2, 3, 8, 10)
    values = attention_diversity(a, centre)
    assert values.shape == (2, 3) and (values > 0).all() and (values < math.sqrt(16)).all()
    assert_close(attention_diversity(a[..., torch.randperm(8), :], centre), values)
    assert_close(attention_diversity(a[..., torch.randperm(10)], centre), values)
    same = a[..., :1, :].expand_as(a)
    assert_close(attention_diversity(same, centre), torch.zeros(2, 3), atol=1e-6, rtol=0)
    # The centre plus a part of the rest: d is linear in that part.
    mixed = 0.25 * a + 0.75 * a.mean(dim=-2, keepdim=True)
    if centre == "mean":
        assert_close(attention_diversity(mixed, centre), 0.25 * values)


@pytest.mark.parametrize("centre", ["median", "mean"])
def test_relative_is_the_share_of_the_norm(centre):
    a = maps(2, 3, 8, 10)
    norms = [[math.sqrt(m.sum(0).max() * m.sum(1).max()) for m in maps_of] for maps_of in a]
    expected = attention_diversity(a, centre) / torch.tensor(norms)
    assert_close(attention_diversity(a, centre, relative=True), expected)
    assert_close(attention_diversity(0.3 * a, centre, relative=True), expected)
    same = a[..., :1, :].expand_as(a)
    collapsed = attention_diversity(same, centre, relative=True)
    assert_close(collapsed, torch.zeros(2, 3), atol=1e-6, rtol=0)
    nothing = attention_diversity(a, centre, torch.zeros(8, dtype=torch.bool), relative=True)
    assert_close(nothing, torch.zeros(2, 3))


def test_few_places_raise_the_diversity_but_not_the_relative_one():
    # Half of the rows look at one step and half at another one, against all at themselves.
    halves = torch.eye(8)[[0] * 4 + [1] * 4]
    assert_close(attention_diversity(halves), torch.tensor(math.sqrt(8 / 2)))
    assert_close(attention_diversity(torch.eye(8)), torch.tensor(1.0))
    for a in (halves, torch.eye(8)):
        assert_close(attention_diversity(a, relative=True), torch.tensor(1.0))


@pytest.mark.parametrize("centre", ["median", "mean"])
@pytest.mark.parametrize("relative", [False, True])
def test_padding_does_not_count(centre, relative):
    a = maps(2, 7, 9)
    a[:, 5:] = float("nan")
    a[..., 6:] = float("nan")
    rows = torch.arange(7) < 5
    columns = (torch.arange(9) < 6).expand(2, 9)
    expected = attention_diversity(a[:, :5, :6], centre, relative=relative)
    assert_close(attention_diversity(a, centre, rows, columns, relative), expected)
    nothing = attention_diversity(a, centre, torch.zeros(2, 7, dtype=torch.bool))
    assert_close(nothing, torch.zeros(2))


def test_rows_differ_in_number():
    a = maps(2, 6, 4)
    rows = torch.tensor([[True] * 3 + [False] * 3, [True] * 6])
    expected = torch.stack([attention_diversity(a[0, :3]), attention_diversity(a[1])])
    assert_close(attention_diversity(a, rows=rows), expected)


@pytest.mark.parametrize("centre", ["median", "mean"])
@pytest.mark.parametrize("relative", [False, True])
def test_gradient_is_finite_also_at_the_collapse(centre, relative):
    for a in (maps(4, 6), maps(1, 6).expand(4, 6).clone(), torch.eye(4)):
        a.requires_grad_()
        attention_diversity(a, centre, relative=relative).backward()
        assert a.grad.isfinite().all()


def test_half_precision_and_bad_input():
    assert attention_diversity(maps(3, 3).bfloat16()).dtype == torch.float32
    with pytest.raises(ValueError, match="centre is one of median, mean, got 'mode'"):
        attention_diversity(maps(3, 3), "mode")
