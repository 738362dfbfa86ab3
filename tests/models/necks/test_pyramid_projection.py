import pytest
import torch
from torch import nn
from torch.testing import assert_close

from mmtad.models.necks import PyramidProjection
from mmtad.models.necks.pyramid_projection import windows_per_level


class Plain(PyramidProjection):
    """An embedding and nothing behind it."""

    def __init__(self, preset="padding_free", in_channels=2, out_channels=4, **kwargs):
        super().__init__(in_channels, out_channels, 1, 3, max_seq_len=8, preset=preset, **kwargs)
        self.stem, self.branch = nn.ModuleList(), nn.ModuleList()

    def legal_factor(self):
        return 3


def test_windows():
    assert windows_per_level(5, 3) == [5, 5, 5]
    assert windows_per_level((1, 3), 2) == [1, 3]
    with pytest.raises(ValueError, match=r"2 levels need as many windows, got \[1\]"):
        windows_per_level([1], 2)


@pytest.mark.parametrize("length, legal", [(1, 8), (8, 8), (9, 9), (10, 12)])
def test_public_codes_pad_to_a_legal_length(length, legal):
    x, mask = torch.randn(1, 2, length), torch.ones(1, length, dtype=torch.bool)
    assert Plain().legal_length(length) == legal
    ((ours,), (our_mask,)) = Plain()(x, mask)
    assert ours.shape[-1] == our_mask.shape[1] == length
    ((theirs,), (their_mask,)) = Plain("official")(x, mask)
    assert theirs.shape[-1] == legal and int(their_mask.sum()) == length


def test_noise_of_the_public_codes_lies_in_the_padding_too():
    x, mask = torch.zeros(1, 2, 3), torch.ones(1, 3, dtype=torch.bool)
    for preset, hidden in (("padding_free", True), ("official", False)):
        torch.manual_seed(0)
        projection = Plain(preset, in_channels=[2], out_channels=[4], input_noise=1.0)
        seen = []
        projection.streams[0].register_forward_pre_hook(
            lambda _, inputs, seen=seen: seen.append(inputs)
        )
        padded, wide = nn.functional.pad(x, (0, 5)), nn.functional.pad(mask, (0, 5))
        projection(padded, wide)
        assert seen[0][0][..., :3].all()
        assert (not seen[0][0][..., 3:].any()) == hidden


def test_stacked_streams_pass_their_own_convolutions():
    projection = Plain(in_channels=[2, 3], out_channels=[4, 1])
    assert projection.out_channels == 5
    x, mask = torch.randn(1, 5, 6), torch.ones(1, 6, dtype=torch.bool)
    parts = [conv(p, mask) for conv, p in zip(projection.streams, x.split([2, 3], 1), strict=True)]
    assert_close(projection(x, mask)[0][0], projection.embed[0](torch.cat(parts, 1), mask))
    with pytest.raises(ValueError, match="as many out_channels"):
        Plain(in_channels=[2, 3], out_channels=[4])
