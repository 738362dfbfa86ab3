import pytest
import torch

from mmtad.models.backbones.clip_groups import ClipLayout, Clips


@pytest.mark.parametrize("clips, joined", [(6, 6), (6, 3), (6, 1), (1, 1), (14, 7)])
@pytest.mark.parametrize("size", [None, 1, 2, 3, 4, 100])
def test_groups_cover_every_clip_once_and_keep_sequences(clips, joined, size):
    groups = ClipLayout(clips, joined).groups(size)
    assert [c for g in groups for c in range(g.start, g.stop)] == list(range(clips))
    for group in groups:
        count = group.stop - group.start
        assert count <= (size or clips) and count > 0
        inside = group.start // joined == (group.stop - 1) // joined
        assert inside or (group.start % joined == 0 and group.stop % joined == 0)


def test_what_is_around_a_group_ends_with_the_video():
    layout = ClipLayout(6, 3)
    assert [layout.around(group) for group in layout.groups(1)] == [(0, 2), (1, 1), (2, 0)] * 2
    for alone in (ClipLayout(6, 3).groups(3), ClipLayout(6, 3).groups(None)):
        assert all(layout.around(group) == (0, 0) for group in alone)
    single = ClipLayout(4, 1)
    assert all(single.around(group) == (0, 0) for group in single.groups(2))


def test_join_undoes_the_folding():
    tokens = torch.arange(6 * 2.0).view(6, 2, 1, 1, 1)
    assert ClipLayout(6, 3).join(tokens).flatten(1).tolist() == [
        [0, 1, 2, 3, 4, 5],
        [6, 7, 8, 9, 10, 11],
    ]
    assert ClipLayout(6, 3).join(tokens[:2]).flatten(1).tolist() == [[0, 1, 2, 3]]
    assert ClipLayout(6, 1).join(tokens) is tokens


def numbered(videos, total):
    """Frames that hold their own number, videos 100 apart."""
    numbers = torch.arange(total) + 100 * torch.arange(videos).view(-1, 1)
    return numbers.to(torch.uint8).view(videos, 1, total, 1, 1).expand(-1, 3, -1, 2, 2)


def test_adjacent_clips_are_views():
    frames = numbered(2, 8).contiguous()
    clips = Clips(frames, 4)
    assert len(clips) == 4 and clips.per_video == 2
    assert clips[0:4][:, 0, :, 0, 0].tolist() == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [100, 101, 102, 103],
        [104, 105, 106, 107],
    ]
    part = clips[2:4]
    assert part.dtype is torch.uint8
    assert part.untyped_storage().data_ptr() == frames.untyped_storage().data_ptr()
    assert clips[1:3][:, 0, 0, 0, 0].tolist() == [4, 100]
    assert Clips(frames, None)[:].shape == (2, 3, 8, 2, 2)


@pytest.mark.parametrize(
    "length, stride, expected",
    [
        (4, 2, [[0, 0, 1, 2], [1, 2, 3, 4], [3, 4, 5, 6], [5, 6, 7, 7]]),
        (3, 4, [[1, 2, 3], [5, 6, 7]]),
        (4, 4, [[0, 1, 2, 3], [4, 5, 6, 7]]),
    ],
)
def test_snippets_are_centred_and_edges_repeat(length, stride, expected):
    clips = Clips(numbered(1, 8), length, stride)
    assert clips[:][:, 0, :, 0, 0].tolist() == expected


def test_bad_lengths():
    with pytest.raises(ValueError, match="40 frames cannot be cut into clips of 16; choose a wind"):
        Clips(torch.zeros(1, 3, 40, 2, 2), 16)
    with pytest.raises(ValueError, match="10 frames do not hold a whole number of snippets 4"):
        Clips(torch.zeros(1, 3, 10, 2, 2), 16, 4)
